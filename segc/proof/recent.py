"""What was asked about a moment ago: sets that packets fill, and whose members pass without being asked.

That adds no more than a moment to what was proved, if a member is one way of one connection, and gone within
`LONGEST`; if only what stands and may end is looked for there (`hooks`), and only what may go on is added
(`still`). The first two are held here.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.proof.model import Effect, Item, Match, Problem, Rule, Ruleset
from segc.space.words import quote

LONGEST = 900  # milliseconds for which an answer may be taken for granted, so that a second is enough
FIELD, REMEMBER = "recent", "remember"
ADDRESSES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


def unsound(rules: Ruleset) -> Iterator[Problem]:
    """Sets whose members are anything else, or stay for longer."""
    of: dict[str, str] = {}
    for chain in rules.chains.values():
        for rule in chain.rules:
            for item in rule.items:
                if (named := _named(item)) is not None:
                    ip, protocol, name = named
                    yield from _set(rules, ip, name, rule)
                    if of.setdefault(name, protocol) != protocol:
                        words = f"{quote('@' + name)} is for connections of {of[name]}, and not of {protocol}"
                        yield Problem(words, rule.line)


def _named(item: Item) -> tuple[str, ...] | None:
    """The protocols of addresses and ports, and the set, where a rule adds to one or looks into it."""
    if isinstance(item, Effect) and item.kind == REMEMBER:
        return tuple(item.value.split(" "))
    if isinstance(item, Match) and item.field.name.startswith(FIELD):
        return (*item.field.name.split(" ")[1:], str(item.values))
    return None


def _set(rules: Ruleset, ip: str, name: str, rule: Rule) -> Iterator[Problem]:
    table, address = rules.tables.get(name), ADDRESSES[ip]
    key = ("iface_index", address, address, "inet_service", "inet_service")
    if table is None or table.key != key or table.value or table.flags != {"dynamic", "timeout"}:
        yield Problem(f"{quote('@' + name)} does not hold ways of connections", rule.line)
    elif not 0 < table.timeout <= LONGEST:
        yield Problem(f"{quote('@' + name)} holds ways of connections for longer than a moment", table.line)
