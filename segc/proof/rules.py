"""Reads one rule: expressions with what they are compared to or looked up in, statements, a verdict."""

from __future__ import annotations

import re

from segc.proof import recent
from segc.proof.model import (
    ALL_BITS,
    STATES,
    Effect,
    Field,
    Item,
    Lookup,
    Mark,
    Match,
    UnreadableError,
    Verdict,
)
from segc.proof.values import HIGHEST, read_value
from segc.space.addresses import read_address
from segc.space.intervals import Intervals, normalize
from segc.space.protocols import PORT_PROTOCOLS
from segc.space.words import quote

PROTOCOLS = (*PORT_PROTOCOLS, "th")
PORTS = [f"{protocol} {side}" for protocol in PROTOCOLS for side in ("dport", "sport")]
TYPES = {
    **dict.fromkeys(("ip saddr", "ip daddr", "ct original ip saddr", "ct reply ip saddr"), "ipv4_addr"),
    **dict.fromkeys(("ip6 saddr", "ip6 daddr", "ct original ip6 saddr", "ct reply ip6 saddr"), "ipv6_addr"),
    **dict.fromkeys(PORTS, "inet_service"),
    "meta mark": "mark",
    "meta l4proto": "inet_proto",
    "icmp type": "icmp_type",
    "icmpv6 type": "icmpv6_type",
    "meta time": "meta time",
    "meta hour": "meta time",
    "meta day": "meta time",
    "ip6 hoplimit": "inet_proto",
    "ct label": "inet_proto",
}  # fmt: skip
NAMED = {
    "meta nfproto": {"ipv4": 4, "ipv6": 6},
    "ct state": {name: number for number, name in enumerate(STATES)},
    "ct direction": {"original": 0, "reply": 1},
    "ct status": {"dnat": 1},
    "fib daddr type": {"local": 1},
}
FIELD = "|".join(sorted((re.escape(name) for name in (*TYPES, *NAMED)), key=len, reverse=True))
ONE = rf"(?:{FIELD})(?: & \S+)?"
LOOKUP = re.compile(rf"({ONE}(?: \. {ONE})*) vmap @(\S+)")
COUNTED = re.compile(rf"counter name ({ONE}(?: \. {ONE})*) map @(\S+)")
MATCH = re.compile(rf"({ONE}) ((?:!=|>=|<) )?(@\S+|\{{ [^}}]* \}}|[^\s{{@]+)")
DEVICE = re.compile(r'(iif|oif)name (!= )?("[^"]*"|\{ [^}]* \})')
MIDSTREAM = re.compile(r"tcp flags & \(fin \| syn \| rst \| ack\) != syn")
RESET = re.compile(r"tcp flags & rst == rst")
MARK = re.compile(
    r"meta mark set (?:(meta mark)(?: & (0x[0-9a-f]{8}))?(?: \| (0x[0-9a-f]{8}))?|(0x[0-9a-f]{8}))"
)
WAY = r"iif \. (?P<ip>ip6?) saddr \. (?P=ip) daddr \. (?P<by>tcp|udp) sport \. (?P=by) dport"
RECENT = re.compile(rf"{WAY} @(?P<set>\S+)")
REMEMBER = re.compile(rf"add @(?P<set>\S+) \{{ {WAY} \}}")
EFFECTS = (
    ("counter", re.compile(r'counter name "([^"]+)"')),
    ("limit", re.compile(r'limit name "([^"]+)"')),
    ("over", re.compile(r"limit rate over (\d+/\w+ burst \d+) packets")),
    ("rate", re.compile(r"limit rate (\d+/\w+ burst \d+) packets")),
    ("log", re.compile(r'log prefix "([^"]{1,127})"')),
    ("label", re.compile(r"ct label set (\d+)")),
)
COMMENT = re.compile(r'comment "[^"]*"')
VERDICT = re.compile(
    r"(accept|drop|continue|return|masquerade)|(jump|goto) (\S+)"
    r"|(reject) with (tcp reset|icmpx type admin-prohibited)|(dnat) (ip6? to \S+)"
)


def read_rule(text: str, line: int) -> tuple[Item, ...]:
    """What a rule does, in order. Raises `UnreadableError` at what is not known."""
    items: list[Item] = []
    at = 0
    while at < len(text):
        if isinstance(items[-1] if items else None, Verdict) and not COMMENT.match(text, at):
            raise UnreadableError(f"{quote(text[at:])} comes after a verdict", line)
        found, end = _item(text, at, line)
        if found is None or (end < len(text) and text[end] != " "):
            raise UnreadableError(f"{quote(text[at:])} is not understood", line)
        items += found
        at = end + 1
    return tuple(items)


def read_verdict(text: str, line: int) -> Verdict:
    match = VERDICT.fullmatch(text)
    if match is None:
        raise UnreadableError(f"{quote(text)} is not a verdict", line)
    return _verdict(match)


def _verdict(match: re.Match[str]) -> Verdict:
    words = [word for word in match.groups() if word is not None]
    return Verdict(*words)


def _item(text: str, at: int, line: int) -> tuple[list[Item] | None, int]:
    """The items that start at `at`, and where they end."""
    if match := COMMENT.match(text, at):
        return [], match.end()
    if match := VERDICT.match(text, at):
        return [_verdict(match)], match.end()
    if match := COUNTED.match(text, at):
        return [Lookup(_fields(match[1], line), match[2], True)], match.end()
    for kind, pattern in EFFECTS:
        if match := pattern.match(text, at):
            return [Effect(kind, match[1])], match.end()
    if match := MARK.match(text, at):
        return [_mark(match)], match.end()
    if match := LOOKUP.match(text, at):
        return [Lookup(_fields(match[1], line), match[2], False)], match.end()
    if match := RECENT.match(text, at):
        return [Match(Field(f"{recent.FIELD} {match['ip']} {match['by']}"), match["set"])], match.end()
    if match := REMEMBER.match(text, at):
        return [Effect(recent.REMEMBER, f"{match['ip']} {match['by']} {match['set']}")], match.end()
    if match := DEVICE.match(text, at):
        return [_device(*match.groups())], match.end()
    if match := MIDSTREAM.match(text, at):
        return [Match(Field("tcp midstream"), ((1, 1),))], match.end()
    if match := RESET.match(text, at):
        return [Match(Field("tcp rst"), ((1, 1),))], match.end()
    if match := MATCH.match(text, at):
        return [_match(match[1], (match[2] or "").strip(), match[3], line)], match.end()
    return None, at


def _fields(text: str, line: int) -> tuple[Field, ...]:
    return tuple(_field(part, line) for part in text.split(" . "))


def _field(text: str, line: int) -> Field:
    name, _, mask = text.partition(" & ")
    if not mask:
        return Field(name)
    if TYPES.get(name) == "mark":
        return Field(name, read_value("mark", mask, line)[0])
    if not TYPES.get(name, "").endswith("_addr"):
        raise UnreadableError(f"the mask of {quote(text)} is not understood", line)
    try:
        return Field(name, read_address(mask)[1])
    except ValueError:
        raise UnreadableError(f"the mask of {quote(text)} is not understood", line) from None


def _mark(match: re.Match[str]) -> Mark:
    old, keep, add, new = match.groups()
    if old is None:
        return Mark(0, int(new, 16))
    return Mark(int(keep, 16) if keep else ALL_BITS, int(add, 16) if add else 0)


def _device(which: str, negated: str | None, names: str) -> Match:
    return Match(Field(f"{which}name"), frozenset(re.findall(r'"([^"]*)"', names)), bool(negated))


def _match(field: str, operator: str, value: str, line: int) -> Match:
    left = _field(field, line)
    if value[0] == "@":
        if operator not in ("", "!="):
            raise UnreadableError(f"{quote(operator)} is not understood before a set", line)
        return Match(left, value[1:], operator == "!=")
    if not _plain(left.name, operator, value):
        raise UnreadableError(
            f"{quote(f'{operator} {value}'.strip())} is not understood after `{field}`", line
        )
    values = _values(left.name, value, line)
    if operator in (">=", "<"):
        (low, high), *more = values
        if more or low != high or left.name != "meta time":
            raise UnreadableError(f"{quote(operator)} is not understood here", line)
        return Match(left, ((low, HIGHEST["meta time"]),), operator == "<")
    return Match(left, values, operator == "!=")


def _plain(field: str, operator: str, value: str) -> bool:
    """Whether nft asks what it seems to. Of bits, `a,b` is any of them and `!= a,b` whatever is not just
    these two; in braces it is exactly one of them, which only the state of a connection always is."""
    if field in ("ct status", "ct label"):
        return not operator and value.isalnum()
    return value[0] == "{" or "," not in value or (field == "ct state" and not operator)


def _values(field: str, text: str, line: int) -> Intervals:
    parts = text[2:-2].split(", ") if text[0] == "{" else text.split(",")
    if field in NAMED:
        names = NAMED[field]
        if not all(part in names for part in parts):
            raise UnreadableError(f"{quote(text)} is not understood after `{field}`", line)
        return normalize((names[part], names[part]) for part in parts)
    return normalize(read_value(TYPES[field], part, line) for part in parts)
