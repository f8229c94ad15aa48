"""What was asked about a moment ago: sets that packets fill, and whose members pass without being asked.

That adds no more than a moment to what was proved, if a member is one way of one connection, and gone within
`LONGEST`; if only what stands and may end is looked for there (`hooks`), and only what may go on is added
(`still`). The first two are held here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from segc.proof.model import Effect, Match, Problem, Rule, Ruleset, Table
from segc.space.words import quote

LONGEST = 900  # milliseconds for which an answer may be taken for granted, so that a second is enough
FIELD, REMEMBER = "recent", "remember"
ADDRESSES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


class Way(NamedTuple):
    """One way of a connection, by what tells its addresses and ports, and the set that it is kept in."""

    ip: str  # ip, ip6
    protocol: str  # tcp, udp
    name: str


def asked(match: Match) -> Way | None:
    """What a rule looks for among what was asked."""
    if not match.field.name.startswith(FIELD):
        return None
    _, ip, protocol = match.field.name.split(" ")
    return Way(ip, protocol, str(match.values))


def unsound(rules: Ruleset) -> Iterator[Problem]:
    """Sets whose members are anything else, or stay for longer; each is told once."""
    used: dict[str, Way] = {}
    for rule, way in _uses(rules):
        if way.name not in used:
            yield from _set(rules.tables.get(way.name), way, rule)
        first = used.setdefault(way.name, way)
        if first != way:
            words = f"is for {first.ip} {first.protocol}, and not for {way.ip} {way.protocol}"
            yield Problem(f"{quote('@' + way.name)} {words}", rule.line)


def _uses(rules: Ruleset) -> Iterator[tuple[Rule, Way]]:
    """Each rule that adds to a set or looks into it."""
    for rule in (rule for chain in rules.chains.values() for rule in chain.rules):
        for item in rule.items:
            if isinstance(item, Effect) and item.kind == REMEMBER:
                yield rule, Way(*item.value.split(" "))
            elif isinstance(item, Match) and (way := asked(item)):
                yield rule, way


def _set(table: Table | None, way: Way, rule: Rule) -> Iterator[Problem]:
    address, name = ADDRESSES[way.ip], way.name
    key = ("iface_index", address, address, "inet_service", "inet_service")
    if table is None or table.key != key or table.value or table.flags != {"dynamic", "timeout"}:
        words = f"no set of devices, {way.ip} addresses and ports that packets fill and a timeout empties"
        yield Problem(f"{quote('@' + name)} is {words}", rule.line)
    elif not 0 < table.timeout <= LONGEST:
        words = (
            f"{quote('@' + name)} lets connections pass unasked for {table.timeout} ms, not {LONGEST} at most"
        )
        yield Problem(words, table.line)
