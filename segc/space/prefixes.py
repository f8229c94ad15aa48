"""Sets of addresses of both families."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from ipaddress import IPv4Address
from itertools import islice
from random import Random

from segc.frozen import frozen
from segc.space import intervals
from segc.space.addresses import BITS, NAME, Address, address, address_text, read_address
from segc.space.intervals import Interval, Intervals
from segc.space.words import is_decimal, quote

__all__ = ["EMPTY", "EVERYTHING", "PrefixSet", "address", "address_text", "parse_prefixes", "union"]

_SHOWN = 4


@frozen
class PrefixSet:
    """A set of addresses, each family as intervals of integers. Equal sets are equal objects."""

    v4: Intervals = ()
    v6: Intervals = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.v4, self.v6)))

    def __hash__(self) -> int:
        return self._hash

    def __or__(self, other: PrefixSet) -> PrefixSet:
        return PrefixSet(intervals.union(self.v4, other.v4), intervals.union(self.v6, other.v6))

    def __and__(self, other: PrefixSet) -> PrefixSet:
        return PrefixSet(intervals.intersect(self.v4, other.v4), intervals.intersect(self.v6, other.v6))

    def __sub__(self, other: PrefixSet) -> PrefixSet:
        return PrefixSet(intervals.subtract(self.v4, other.v4), intervals.subtract(self.v6, other.v6))

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def __contains__(self, item: Address) -> bool:
        return intervals.contains(self.v4 if isinstance(item, IPv4Address) else self.v6, int(item))

    def __le__(self, other: PrefixSet) -> bool:
        """Whether this is a subset of `other`."""
        return intervals.covers(other.v4, self.v4) and intervals.covers(other.v6, self.v6)

    def overlaps(self, other: PrefixSet) -> bool:
        return intervals.overlaps(self.v4, other.v4) or intervals.overlaps(self.v6, other.v6)

    @property
    def size(self) -> int:
        """How many addresses there are, of both families."""
        return intervals.count(self.v4) + intervals.count(self.v6)

    @property
    def families(self) -> frozenset[int]:
        """4, 6 or both: the families that have an address here."""
        return frozenset(family for family in (4, 6) if self.ranges(family))

    def only(self, family: int) -> PrefixSet:
        """The part of one family."""
        return PrefixSet(v4=self.v4) if family == 4 else PrefixSet(v6=self.v6)

    def ranges(self, family: int) -> Intervals:
        """The intervals of one family, first and last address as integers."""
        return self.v4 if family == 4 else self.v6

    def prefixes(self, family: int) -> tuple[str, ...]:
        """The fewest prefixes (RFC 4632) that hold exactly one family's addresses, in order.

        A prefix of one address is written as the address, without its length.
        """
        return tuple(_prefix_text(first, length, family) for first, length in self.blocks(family))

    def each(self, family: int) -> tuple[str, ...]:
        """One family's addresses one by one, in order; for sets that are known to hold few."""
        ranges = self.ranges(family)
        return tuple(address_text(n, family) for first, last in ranges for n in range(first, last + 1))

    def blocks(self, family: int) -> Iterator[tuple[int, int]]:
        """Those prefixes as numbers: first address and length."""
        for interval in self.ranges(family):
            yield from _blocks(interval, BITS[family])

    def first(self) -> Address:
        """The lowest address, an IPv4 one if there is any. LookupError if the set is empty."""
        for family in (4, 6):
            if ranges := self.ranges(family):
                return address(ranges[0][0], family)
        raise LookupError("an empty set has no first address")

    def sample(self, rng: Random, family: int) -> Address:
        """An address of one family, each as likely as any other. LookupError if there is none."""
        ranges = self.ranges(family)
        if not ranges:
            raise LookupError(f"no {NAME[family]} address to draw from")
        index = rng.randrange(intervals.count(ranges))
        for first, last in ranges:
            if index <= last - first:
                break
            index -= last - first + 1
        return address(first + index, family)

    def __str__(self) -> str:
        """Short text for people: `10.10.10.0/24, 10.9.0.1-10.9.0.7, 2001:db8:10::/64 and 3 more`."""
        texts = (_interval_text(pair, family) for family in (4, 6) for pair in self.ranges(family))
        shown = ", ".join(islice(texts, _SHOWN))
        more = len(self.v4) + len(self.v6) - _SHOWN
        return f"{shown} and {more} more" if more > 0 else shown or "no address"


EMPTY = PrefixSet()
EVERYTHING = PrefixSet(((0, 2**32 - 1),), ((0, 2**128 - 1),))


def union(spaces: Iterable[PrefixSet]) -> PrefixSet:
    """The union of many: sorted at once, n log n, where one by one would be quadratic."""
    pairs = [(space.v4, space.v6) for space in spaces]
    return PrefixSet(
        intervals.normalize(p for v4, _ in pairs for p in v4),
        intervals.normalize(p for _, v6 in pairs for p in v6),
    )


def parse_prefixes(text: str) -> PrefixSet:
    """The set that an address, a prefix or a range `first-last` of either family stands for.

    ValueError carries a sentence for users, their text in backquotes.
    """
    if "-" in text:
        family, pair = _read_range(text)
    elif "/" in text:
        family, pair = _read_prefix(text)
    else:
        family, value = read_address(text)
        pair = (value, value)
    return PrefixSet(v4=(pair,)) if family == 4 else PrefixSet(v6=(pair,))


def _read_prefix(text: str) -> tuple[int, Interval]:
    base, _, length = text.partition("/")
    family, value = read_address(base)
    bits = BITS[family]
    if not length:
        raise ValueError(f"{quote(text)} is not a prefix: its length of 0 to {bits} is missing")
    if family == 4 and "." in length and (mask := _mask_length(length)) is not None:
        raise ValueError(f"{quote(text)} is not a prefix: for this mask write `{base}/{mask}`")
    if not is_decimal(length) or (length[0] == "0" and length != "0"):
        raise ValueError(f"{quote(text)} is not a prefix: {quote(length)} is not a length of 0 to {bits}")
    if len(length) > 3 or int(length) > bits:
        raise ValueError(
            f"{quote(text)} is not a prefix: an {NAME[family]} prefix has a length of 0 to {bits}"
        )
    host = (1 << bits - int(length)) - 1
    if value & host:
        network = f"{address_text(value & ~host, family)}/{length}"
        raise ValueError(f"{quote(text)} has host bits set: write `{network}` or {quote(base)}")
    return family, (value, value | host)


def _mask_length(text: str) -> int | None:
    """The prefix length that `255.255.255.0`, or `0.0.0.255` as in access lists, stands for."""
    try:
        _, mask = read_address(text)
    except ValueError:
        return None
    inverted = mask ^ 0xFFFFFFFF
    for ones, zeros in ((mask, inverted), (inverted, mask)):
        if ":" not in text and zeros & (zeros + 1) == 0:
            return ones.bit_count()
    return None


def _read_range(text: str) -> tuple[int, Interval]:
    start, _, end = text.partition("-")
    start, end = start.strip(), end.strip()
    for side in (start, end):
        if "/" in side:
            raise ValueError(f"a range runs from address to address, and {quote(side)} is a prefix")
    family, first = read_address(start)
    if family == 4 and is_decimal(end):
        full = f"{start}-{start.rpartition('.')[0]}.{end}"
        raise ValueError(f"{quote(end)} is not an address: write both ends in full, such as {quote(full)}")
    last_family, last = read_address(end)
    if family != last_family:
        raise ValueError(f"the range {quote(text)} mixes IPv4 and IPv6")
    if last < first:
        raise ValueError(f"the range ends before it starts: write {quote(f'{end}-{start}')}")
    return family, (first, last)


def _blocks(interval: Interval, bits: int) -> Iterator[tuple[int, int]]:
    """The aligned powers of two that make up an interval, as (first, prefix length)."""
    first, last = interval
    while first <= last:
        aligned = (first & -first).bit_length() - 1 if first else bits
        power = min(aligned, (last - first + 1).bit_length() - 1)
        yield first, bits - power
        first += 1 << power


def _prefix_text(first: int, length: int, family: int) -> str:
    text = address_text(first, family)
    return text if length == BITS[family] else f"{text}/{length}"


def _interval_text(pair: Interval, family: int) -> str:
    blocks = list(islice(_blocks(pair, BITS[family]), 2))
    if len(blocks) == 1:
        return _prefix_text(*blocks[0], family)
    return f"{address_text(pair[0], family)}-{address_text(pair[1], family)}"
