"""Which addresses a chain of look-ups leads to which chain, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segc.proof.model import Chain, Element, Lookup, Rule, Ruleset, Table, UnreadableError, Verdict
from segc.space.addresses import BITS
from segc.space.intervals import Intervals, normalize, subtract, union
from segc.space.prefixes import EVERYTHING, PrefixSet
from segc.space.words import quote

SIDES = {side: {f"ip {side}": 4, f"ip6 {side}": 6} for side in ("saddr", "daddr")}
Reached = dict[str, Intervals]


def target_spaces(rules: Ruleset, chain: Chain, side: str) -> dict[str, PrefixSet]:
    """The addresses that lead to each chain. The first hit decides, as `goto` does not come back."""
    taken: dict[int, Intervals] = {4: (), 6: ()}
    found: dict[str, dict[int, Intervals]] = {}
    for rule in chain.rules:
        for family, reached in _reached(rules, chain, rule, SIDES.get(side, {})):
            for target, wanted in reached.items():
                by_family = found.setdefault(target, {4: (), 6: ()})
                by_family[family] = union(by_family[family], subtract(wanted, taken[family]))
            every = normalize(pair for wanted in reached.values() for pair in wanted)
            taken[family] = union(taken[family], every)
    if PrefixSet(taken[4], taken[6]) != EVERYTHING:
        raise UnreadableError(f"the chain {quote(chain.name)} does not place all addresses", chain.line)
    spaces = {name: PrefixSet(each[4], each[6]) for name, each in found.items()}
    return {name: space for name, space in spaces.items() if space}


def _reached(
    rules: Ruleset, chain: Chain, rule: Rule, families: Mapping[str, int]
) -> Iterable[tuple[int, Reached]]:
    """For each family what one rule leads where, whatever came before it."""
    match rule.items:
        case (Verdict("goto", target),):
            return (4, {target: EVERYTHING.v4}), (6, {target: EVERYTHING.v6})
        case (Lookup((field,), name, False),) if field.name in families:
            table = rules.tables.get(name)
            family = families[field.name]
            if table is None or table.key != (f"ipv{family}_addr",) or table.value != "verdict":
                raise UnreadableError(f"{quote('@' + name)} holds no addresses to look up", rule.line)
            return ((family, _by_target(table, family, field.mask)),)
        case _:
            raise UnreadableError(f"this rule of {quote(chain.name)} is not understood", rule.line)


def _by_target(table: Table, family: int, mask: int | None) -> Reached:
    host = 0 if mask is None else (1 << BITS[family]) - 1 - mask
    if host & (host + 1):
        raise UnreadableError(f"the mask before {quote('@' + table.name)} is no prefix", table.line)
    found: dict[str, list[tuple[int, int]]] = {}
    for element in table.elements:
        found.setdefault(_target(element), []).extend(_held(element, table, host))
    return {target: normalize(pairs) for target, pairs in found.items()}


def _held(element: Element, table: Table, host: int) -> Iterable[tuple[int, int]]:
    """The addresses whose masked form is the element; one with host bits set is never found."""
    ((first, last),) = element.key
    if "interval" in table.flags:
        if host:
            raise UnreadableError("a mask before intervals is not understood", element.line)
        return ((first, last),)
    if first != last:
        raise UnreadableError("a prefix stands in a set without intervals", element.line)
    return () if first & host else ((first, first | host),)


def _target(element: Element) -> str:
    if not isinstance(element.value, Verdict) or element.value.kind != "goto":
        raise UnreadableError("an address leads to something else than `goto`", element.line)
    return element.value.target
