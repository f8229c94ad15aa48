"""A transaction of the commonest kind without nft: elements of sets, counters, and the generation's marker.

nft would list all named counters before it adds an element, which takes the kernel quadratic time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from segc.apply.elements import (
    ACCEPT,
    DROP,
    Add,
    Change,
    Delete,
    Element,
    Flush,
    Named,
    Verdict,
    address_key,
    goto,
    joined,
    jump,
)
from segc.apply.ruleset import TABLE, SetText, element_key

_COMMAND = re.compile(rf"(?P<verb>\w+) (?P<kind>\w+) {TABLE} (?P<name>\S+)(?: \{{ (?P<body>.*) \}})?")
_ELEMENTS = re.compile(r'(?:[^",]|"[^"]*")+')
_ELEMENT = re.compile(r'(?P<key>.*?)(?: comment "(?P<comment>[^"]*)")?(?: : (?P<data>.*))?')
_COMMENT = re.compile(r'comment "([^"]*)";')
IN_MEMORY, BY_WEIGHT = "=I", ">I"  # orders of a mark's bytes
Held = Callable[[str], Container[bytes]]


def direct(transaction: str, before: Mapping[str, SetText], held: Held) -> tuple[Change, ...]:
    """The same as changes for `elements.transact`, in order; empty where nft is needed for any of it.

    `before` are the sets whose elements change, as they are; `held` tells which keys the kernel has in one
    (`elements.keys`): how a mark is kept beside ranges is the choice of the nft that loaded the rules.
    """
    keys: dict[str, _Keys] = {}
    try:
        return tuple(_change(command, before, held, keys) for command in transaction.splitlines())
    except (ValueError, KeyError, OverflowError, OSError, struct.error):
        return ()


def _change(command: str, before: Mapping[str, SetText], held: Held, keys: dict[str, _Keys]) -> Change:
    match = _COMMAND.fullmatch(command)
    if not match:
        raise ValueError(command)
    name, body = match["name"], match["body"] or ""
    match match["verb"], match["kind"]:
        case "add" | "delete" as verb, "element":
            if name not in keys:
                keys[name] = _keys(before[name], lambda: held(name))
            elements = [_element(each.strip(), keys[name]) for each in _ELEMENTS.findall(body)]
            return Add(name, elements) if verb == "add" else Delete(name, elements)
        case "flush", "set" | "map":
            return Flush(name)
        case "add" | "delete" as verb, "counter" if not body:
            return Named(verb == "add", "counter", name)
        case "add" | "delete" as verb, "chain":
            comment = _COMMENT.fullmatch(body)
            if body and not comment:
                raise ValueError(command)
            return Named(verb == "add", "chain", name, comment[1] if comment else "")
    raise ValueError(command)


class _Keys(NamedTuple):
    """How the keys of a set are written; `ranges` where its last part is one."""

    types: tuple[str, ...]
    ranges: bool
    mark: str

    def pair(self, text: str) -> tuple[bytes, bytes]:
        """The key, and its upper end where there are ranges."""
        *parts, last = text.split(" . ")
        first, _, upper = last.partition("-") if self.ranges else (last, "", "")
        low, high = (self._key([*parts, end]) for end in (first, upper or first))
        return low, high if self.ranges else b""

    def _key(self, parts: list[str]) -> bytes:
        written = [self._part(kind, part) for kind, part in zip(self.types, parts, strict=True)]
        return joined(*written) if len(written) > 1 else written[0]

    def _part(self, kind: str, part: str) -> bytes:
        return struct.pack(self.mark, int(part, 0)) if kind == "mark" else PARTS[kind](part)


def _keys(before: SetText, held: Callable[[], Container[bytes]]) -> _Keys:
    types = tuple(before.definition[0].removeprefix("type ").partition(" : ")[0].split(" . "))
    found = _Keys(types, bool(before.flags), IN_MEMORY)
    if not found.ranges:
        return found
    if before.flags != {"interval"} or len(types) == 1:
        raise ValueError(types)
    there, some = held(), element_key(next(iter(before.elements), ""))
    (known,) = (each for each in (found, found._replace(mark=BY_WEIGHT)) if each.pair(some)[0] in there)
    return known


def _element(text: str, keys: _Keys) -> Element:
    match = _ELEMENT.fullmatch(text)
    assert match
    key, upper = keys.pair(match["key"])
    return Element(key, comment=match["comment"] or "", upper=upper, data=_data(match["data"] or ""))


def _data(text: str) -> Verdict | str:
    if text.startswith('"'):
        return text.strip('"')
    verb, _, target = text.partition(" ")
    return VERDICTS[verb](target) if text else ""


def _number(length: int) -> Callable[[str], bytes]:
    return lambda text: int(text).to_bytes(length, "big")


PARTS: Mapping[str, Callable[[str], bytes]] = {
    "ipv4_addr": address_key,
    "ipv6_addr": address_key,
    "inet_service": _number(2),
    "inet_proto": _number(1),
    "icmp_type": _number(1),
    "icmpv6_type": _number(1),
}
VERDICTS: Mapping[str, Callable[[str], Verdict]] = {
    "accept": lambda _: ACCEPT,
    "drop": lambda _: DROP,
    "jump": jump,
    "goto": goto,
}
