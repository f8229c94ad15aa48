"""Sets of services: a protocol number with a destination port, an ICMP type, or nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from functools import lru_cache
from itertools import chain
from operator import itemgetter

from segc.diagnostics.suggest import did_you_mean
from segc.frozen import frozen
from segc.space import intervals
from segc.space.intervals import Interval, Intervals
from segc.space.protocols import (
    BARE_PROTOCOLS,
    ICMP_PROTOCOLS,
    PORT_NUMBERS,
    PROTOCOL_NAMES,
    PROTOCOLS,
    TYPE_NAMES,
    TYPES,
    exists_in,
)
from segc.space.words import is_decimal, quote

_protocol = itemgetter(0)


def domain(protocol: int) -> Intervals:
    """Every value of a protocol: ports 0-65535, ICMP types 0-255, or a single 0."""
    if protocol in PORT_NUMBERS:
        return ((0, 65535),)
    return ((0, 255),) if protocol in TYPES else ((0, 0),)


@frozen
class ServiceSet:
    """A set of (protocol, value), as non-empty intervals of values by protocol, in protocol order."""

    parts: tuple[tuple[int, Intervals], ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.parts))

    def __hash__(self) -> int:
        return self._hash

    def __or__(self, other: ServiceSet) -> ServiceSet:
        if not (self.parts and other.parts):
            return self if self.parts else other
        protocols = sorted({protocol for protocol, _ in self.parts + other.parts})
        return self._combine(other, intervals.union, protocols)

    def __and__(self, other: ServiceSet) -> ServiceSet:
        fewer = min(self.parts, other.parts, key=len)
        return self._combine(other, intervals.intersect, [protocol for protocol, _ in fewer])

    def __sub__(self, other: ServiceSet) -> ServiceSet:
        return self._combine(other, intervals.subtract, [protocol for protocol, _ in self.parts])

    def _combine(
        self, other: ServiceSet, merge: Callable[[Intervals, Intervals], Intervals], protocols: list[int]
    ) -> ServiceSet:
        merged = ((each, merge(self.values(each), other.values(each))) for each in protocols)
        return ServiceSet(tuple(part for part in merged if part[1]))

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __le__(self, other: ServiceSet) -> bool:
        """Whether this is a subset of `other`."""
        return all(intervals.covers(other.values(protocol), values) for protocol, values in self.parts)

    def overlaps(self, other: ServiceSet) -> bool:
        fewer, more = sorted((self, other), key=lambda each: len(each.parts))
        return any(intervals.overlaps(more.values(protocol), values) for protocol, values in fewer.parts)

    def contains(self, protocol: int, value: int) -> bool:
        return intervals.contains(self.values(protocol), value)

    def values(self, protocol: int) -> Intervals:
        """The ports or types of one protocol; nothing if it is not in the set."""
        at = bisect_left(self.parts, protocol, key=_protocol)
        found = at < len(self.parts) and self.parts[at][0] == protocol
        return self.parts[at][1] if found else ()

    def exist_in(self, family: int) -> bool:
        """Whether an address family has any of them: of several protocols it lacks one at most."""
        return len(self.parts) > 1 or (bool(self.parts) and exists_in(family, self.parts[0][0]))

    def in_family(self, family: int) -> ServiceSet:
        """Those that an address family has: all but the ICMP of the other one."""
        return ServiceSet(tuple(part for part in self.parts if exists_in(family, part[0])))

    def edges(self) -> tuple[tuple[int, int], ...]:
        """(protocol, value) at the ends of every interval and one beyond, within the domain, in order."""
        found: set[tuple[int, int]] = set()
        for protocol, values in self.parts:
            whole = domain(protocol)
            near = (value for first, last in values for value in (first - 1, first, last, last + 1))
            found.update((protocol, value) for value in near if intervals.contains(whole, value))
        return tuple(sorted(found))

    def first(self) -> tuple[int, int]:
        """The lowest (protocol, value). LookupError if the set is empty."""
        if not self.parts:
            raise LookupError("an empty set has no first service")
        protocol, values = self.parts[0]
        return protocol, values[0][0]

    def __str__(self) -> str:
        """Text for people, by protocol number: `icmp/echo-request, tcp/443, tcp/8000-8100, proto/200`."""
        if self == ANY_SERVICE:
            return "any"
        return ", ".join(_texts(self)) or "no service"


EMPTY = ServiceSet()
ANY_SERVICE = ServiceSet(tuple((protocol, domain(protocol)) for protocol in range(256)))


def union(services: Iterable[ServiceSet]) -> ServiceSet:
    """The union of many: sorted at once, n log n, where one by one would be quadratic."""
    found: dict[int, list[Interval]] = {}
    for protocol, values in chain.from_iterable(each.parts for each in services):
        found.setdefault(protocol, []).extend(values)
    return ServiceSet(tuple((protocol, intervals.normalize(found[protocol])) for protocol in sorted(found)))


@lru_cache(maxsize=1 << 17)
def one_service(protocol: int, value: int) -> ServiceSet:
    """One port, or ICMP type, or the protocol as a whole where it has neither."""
    return ServiceSet(((protocol, ((value, value),)),))


def parse_service(protocol: str, argument: str | None) -> ServiceSet:
    """`tcp/443` (as "tcp", "443"), `tcp/8000-8100`, `udp`, `icmp/echo-request`, `icmp/8`, `gre`, `proto/47`.

    ValueError carries a sentence for users, their text in backquotes.
    """
    if protocol == "proto":
        return _read_protocols(argument)
    number = PROTOCOLS.get(protocol)
    if number is None:
        near = did_you_mean(protocol, [*PROTOCOLS, "proto"])
        raise ValueError(
            f"{quote(protocol)} is not a protocol: {near or 'write its number, as in `proto/47`'}"
        )
    if argument is None:
        return ServiceSet(((number, domain(number)),))
    if protocol in BARE_PROTOCOLS:
        raise ValueError(f"`{protocol}` has no ports: write `{protocol}` alone")
    pair = _read_types(protocol, argument) if protocol in ICMP_PROTOCOLS else _read_ports(protocol, argument)
    return ServiceSet(((number, (pair,)),))


def _read_protocols(argument: str | None) -> ServiceSet:
    if argument is None:
        raise ValueError("`proto` needs the number of a protocol, as in `proto/47`")
    if argument in PROTOCOLS:
        raise ValueError(f"{quote(argument)} is not a protocol number: write `{argument}` alone")
    first, last = _read_numbers("proto", argument, "protocol number", 0, 255)
    return ServiceSet(tuple((number, domain(number)) for number in range(first, last + 1)))


def _read_ports(protocol: str, argument: str) -> Interval:
    return _read_numbers(protocol, argument, "port", 1, 65535)


def _read_types(protocol: str, argument: str) -> Interval:
    names = TYPES[ICMP_PROTOCOLS[protocol]]
    if argument in names:
        return names[argument], names[argument]
    if argument[:1].isdigit():
        return _read_numbers(protocol, argument, "type", 0, 255)
    other = "icmp" if protocol == "icmpv6" else "icmpv6"
    if argument in ("echo", "ping"):
        near = f"did you mean `{protocol}/echo-request`?"
    elif argument in TYPES[ICMP_PROTOCOLS[other]]:
        near = f"did you mean `{other}/{argument}`?"
    else:
        near = did_you_mean(f"{protocol}/{argument}", [f"{protocol}/{name}" for name in names])
    raise ValueError(f"{quote(argument)} is not a type of `{protocol}`{near and f': {near}'}")


def _read_numbers(protocol: str, text: str, noun: str, low: int, high: int) -> Interval:
    """A number, or two with `-` between them, each within low..high."""
    start, dash, end = text.partition("-")
    first = _read_number(start.strip(), noun, low, high)
    last = _read_number(end.strip(), noun, low, high) if dash else first
    if last < first:
        raise ValueError(f"the range ends before it starts: write `{protocol}/{last}-{first}`")
    return first, last


def _read_number(text: str, noun: str, low: int, high: int) -> int:
    if not text:
        raise ValueError(f"a {noun} is missing: write a number of {low} to {high}")
    if not is_decimal(text):
        raise ValueError(f"{quote(text)} is not a {noun}: write a number of {low} to {high}")
    if len(text) > 1 and text[0] == "0":
        raise ValueError(f"{quote(text)} is not a {noun}: write it without the leading zero")
    if len(text) > 5 or not low <= int(text) <= high:
        raise ValueError(f"there is no {noun} {quote(text)}: {noun}s are {low} to {high}")
    return int(text)


def _texts(services: ServiceSet) -> Iterator[str]:
    whole = intervals.normalize((p, p) for p, values in services.parts if values == domain(p))
    runs = {first: last for first, last in whole if last - first >= 2}
    within = tuple(runs.items())
    for protocol, values in services.parts:
        if protocol in runs:
            yield f"proto/{protocol}-{runs[protocol]}"
        elif not intervals.contains(within, protocol):
            yield from _protocol_texts(protocol, values)


def _protocol_texts(protocol: int, values: Intervals) -> Iterator[str]:
    name = PROTOCOL_NAMES.get(protocol)
    if name is None or values == domain(protocol):
        yield name or f"proto/{protocol}"
        return
    types = TYPE_NAMES.get(protocol, {})
    for first, last in values:
        yield f"{name}/{types.get(first, first)}" if first == last else f"{name}/{first}-{last}"
