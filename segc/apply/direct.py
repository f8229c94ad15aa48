"""A transaction of the commonest kind without nft: elements of sets, counters, and the generation's marker.

nft would list all named counters before it adds an element, which takes the kernel quadratic time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping

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
from segc.apply.ruleset import TABLE, SetText

_COMMAND = re.compile(rf"(?P<verb>\w+) (?P<kind>\w+) {TABLE} (?P<name>\S+)(?: \{{ (?P<body>.*) \}})?")
_ELEMENTS = re.compile(r'(?:[^",]|"[^"]*")+')
_ELEMENT = re.compile(r'(?P<key>.*?)(?: comment "(?P<comment>[^"]*)")?(?: : (?P<data>.*))?')
_COMMENT = re.compile(r'comment "([^"]*)";')


def direct(transaction: str, sets: Mapping[str, SetText]) -> tuple[Change, ...]:
    """The same as changes for `elements.transact`, in order; empty where nft is needed for any of it.

    `sets` are those whose elements change. Marks beside intervals are left to nft: their byte order in the
    kernel is that of the nft which loaded the rules.
    """
    try:
        return tuple(_change(command, sets) for command in transaction.splitlines())
    except (ValueError, KeyError, OverflowError, struct.error):
        return ()


def _change(command: str, sets: Mapping[str, SetText]) -> Change:
    match = _COMMAND.fullmatch(command)
    if not match:
        raise ValueError(command)
    name, body = match["name"], match["body"] or ""
    match match["verb"], match["kind"]:
        case "add" | "delete" as verb, "element":
            elements = [_element(each.strip(), sets[name]) for each in _ELEMENTS.findall(body)]
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


def _element(text: str, of: SetText) -> Element:
    match = _ELEMENT.fullmatch(text)
    assert match
    types = of.definition[0].removeprefix("type ").partition(" : ")[0].split(" . ")
    parts = [PARTS[kind](part) for kind, part in zip(types, match["key"].split(" . "), strict=True)]
    if of.flags:
        raise ValueError(text)
    key = joined(*parts) if len(parts) > 1 else parts[0]
    return Element(key, comment=match["comment"] or "", data=_data(match["data"] or ""))


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
    "mark": lambda text: struct.pack("=I", int(text, 0)),
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
