"""A transaction of the commonest kind without nft: elements of sets, counters, chains of port ranges, and the
generation's marker.

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
from segc.apply.rule import AddRule, FlushChain, Ports
from segc.apply.ruleset import TABLE, SetText
from segc.space.protocols import PORT_PROTOCOLS

ADD_RULE = f"add rule {TABLE} "
LAST_PORT = 0xFFFF

_COMMAND = re.compile(rf"(?P<verb>\w+) (?P<kind>\w+) {TABLE} (?P<name>\S+)(?: \{{ (?P<body>.*) \}})?")
_ELEMENTS = re.compile(r'(?:[^",]|"[^"]*")+')
_ELEMENT = re.compile(r'(?P<key>.*?)(?: comment "(?P<comment>[^"]*)")?(?: : (?P<data>.*))?')
_COMMENT = re.compile(r'comment "([^"]*)";')
_RULE = re.compile(
    r'(?:(?P<protocol>\w+) dport (?P<first>\d+)(?:-(?P<last>\d+))? counter name "(?P<counter>[^"]+)" )?'
    r'goto (?P<target>\S+)(?: comment "(?P<comment>[^"]*)")?'
)


def direct(transaction: str, before: Mapping[str, SetText]) -> tuple[Change, ...]:
    """The same as changes for `elements.transact`, in order; empty where nft is needed for any of it.

    `before` are the sets by name, as they are before the transaction.
    """
    try:
        return tuple(_change(command, before) for command in transaction.splitlines())
    except (ValueError, KeyError, OverflowError, struct.error):
        return ()


def _change(command: str, before: Mapping[str, SetText]) -> Change:
    if command.startswith(ADD_RULE):
        return _rule(*command.removeprefix(ADD_RULE).split(" ", 1))
    match = _COMMAND.fullmatch(command)
    if not match:
        raise ValueError(command)
    name, body = match["name"], match["body"] or ""
    match match["verb"], match["kind"]:
        case "add" | "delete" as verb, "element":
            types = _types(before[name])
            elements = [_element(each.strip(), types) for each in _ELEMENTS.findall(body)]
            return Add(name, elements) if verb == "add" else Delete(name, elements)
        case "flush", "set" | "map":
            return Flush(name)
        case "flush", "chain":
            return FlushChain(name)
        case "add" | "delete" as verb, "counter" if not body:
            return Named(verb == "add", "counter", name)
        case "add" | "delete" as verb, "chain":
            comment = _COMMENT.fullmatch(body)
            if body and not comment:
                raise ValueError(command)
            return Named(verb == "add", "chain", name, comment[1] if comment else "")
    raise ValueError(command)


def _rule(chain: str, rule: str) -> AddRule:
    match = _RULE.fullmatch(rule)
    if not match or match["protocol"] not in (None, *PORT_PROTOCOLS):
        raise ValueError(rule)
    ports = None
    if match["protocol"]:
        first = int(match["first"])
        last = int(match["last"] or first)
        if not 0 <= first <= last <= LAST_PORT:
            raise ValueError(rule)
        ports = Ports(match["protocol"], first, last, match["counter"])
    return AddRule(chain, ports, match["target"], match["comment"] or "")


def _types(before: SetText) -> tuple[str, ...]:
    """Those of a key's parts. ValueError for a set with flags: intervals and times are left to nft."""
    if before.flags:
        raise ValueError(before.flags)
    return tuple(before.definition[0].removeprefix("type ").partition(" : ")[0].split(" . "))


def _key(text: str, types: tuple[str, ...]) -> bytes:
    written = [PARTS[kind](part) for kind, part in zip(types, text.split(" . "), strict=True)]
    return joined(*written) if len(written) > 1 else written[0]


def _element(text: str, types: tuple[str, ...]) -> Element:
    match = _ELEMENT.fullmatch(text)
    assert match
    key = _key(match["key"], types)
    return Element(key, comment=match["comment"] or "", data=_data(match["data"] or ""))


def _data(text: str) -> Verdict | str:
    if text.startswith('"'):
        return text.strip('"')
    verb, _, target = text.partition(" ")
    return VERDICTS[verb](target) if text else ""


def _number(length: int) -> Callable[[str], bytes]:
    return lambda text: int(text).to_bytes(length, "big")


PARTS: Mapping[str, Callable[[str], bytes]] = {
    "mark": lambda text: struct.pack("=I", int(text, 0)),  # in the machine's order of bytes
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
