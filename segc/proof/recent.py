"""What was asked about a moment ago: sets that packets fill, and whose members pass without being asked.

That adds no more than a moment to what was proved, if a member is one way of one connection, and gone within
`LONGEST`; if only what stands and may end is looked for there (`hooks`), and only what may go on is added
(`still`). The first two are held here.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.proof.model import Effect, Match, Problem, Rule, Ruleset, Table
from segc.space.words import quote

LONGEST = 900  # milliseconds for which an answer may be taken for granted, so that a second is enough
FIELD, REMEMBER = "recent", "remember"
ADDRESSES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


def unsound(rules: Ruleset) -> Iterator[Problem]:
    """Sets whose members are anything else, or stay for longer; each is told once."""
    used: dict[str, tuple[str, str]] = {}
    for rule, ip, protocol, name in _uses(rules):
        if name not in used:
            used[name] = ip, protocol
            yield from _set(rules.tables.get(name), ip, name, rule)
        elif used[name] != (ip, protocol):
            words = f"{quote('@' + name)} is for {' '.join(used[name])}, and not for {ip} {protocol}"
            yield Problem(words, rule.line)


def _uses(rules: Ruleset) -> Iterator[tuple[Rule, str, str, str]]:
    """Each rule that adds to a set or looks into it, the protocols of addresses and ports, and the set."""
    for rule in (rule for chain in rules.chains.values() for rule in chain.rules):
        for item in rule.items:
            if isinstance(item, Effect) and item.kind == REMEMBER:
                ip, protocol, name = item.value.split(" ")
                yield rule, ip, protocol, name
            elif isinstance(item, Match) and item.field.name.startswith(FIELD):
                _, ip, protocol = item.field.name.split(" ")
                yield rule, ip, protocol, str(item.values)


def _set(table: Table | None, ip: str, name: str, rule: Rule) -> Iterator[Problem]:
    address = ADDRESSES[ip]
    key = ("iface_index", address, address, "inet_service", "inet_service")
    if table is None or table.key != key or table.value or table.flags != {"dynamic", "timeout"}:
        words = f"no set of devices, {ip} addresses and ports that packets fill and a timeout empties"
        yield Problem(f"{quote('@' + name)} is {words}", rule.line)
    elif not 0 < table.timeout <= LONGEST:
        words = (
            f"{quote('@' + name)} lets connections pass unasked for {table.timeout} ms, not {LONGEST} at most"
        )
        yield Problem(words, table.line)
