"""What nftables would refuse to load, or take in an order of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from segc.proof.model import Effect, Element, Item, Lookup, Match, Problem, Rule, Ruleset, Table, Verdict
from segc.proof.recent import asked
from segc.proof.rules import TYPES
from segc.space.words import quote


def malformed(rules: Ruleset) -> Iterator[Problem]:
    """Names that stand for nothing, keys of another type, and elements that overlap."""
    for chain in rules.chains.values():
        for rule in chain.rules:
            for item in rule.items:
                yield from _item(rules, item, rule)
    for table in rules.tables.values():
        for element in table.elements:
            if table.value == "counter" and element.value not in rules.counters:
                yield Problem(f"there is no counter {quote(str(element.value))}", element.line)
            elif isinstance(element.value, Verdict):
                yield from _target(rules, element.value, element.line)
        yield from _overlaps(table)


def _item(rules: Ruleset, item: Item, rule: Rule) -> Iterator[Problem]:
    if isinstance(item, Effect) and item.kind in ("counter", "limit"):
        if item.value not in (rules.counters if item.kind == "counter" else rules.limits):
            yield Problem(f"there is no {item.kind} {quote(item.value)}", rule.line)
    elif isinstance(item, Verdict):
        yield from _target(rules, item, rule.line)
    elif isinstance(item, Lookup):
        types = tuple(TYPES.get(field.name, "") for field in item.fields)
        yield from _named(rules, item.map, types, "counter" if item.counts else "verdict", rule.line)
    elif isinstance(item, Match) and isinstance(item.values, str) and not asked(item):
        yield from _named(rules, item.values, (TYPES.get(item.field.name, ""),), "", rule.line)


def _target(rules: Ruleset, verdict: Verdict, line: int) -> Iterator[Problem]:
    if verdict.kind in ("jump", "goto") and verdict.target not in rules.chains:
        yield Problem(f"there is no chain {quote(verdict.target)}", line)


def _named(rules: Ruleset, name: str, key: tuple[str, ...], value: str, line: int) -> Iterator[Problem]:
    table = rules.tables.get(name)
    if table is None or (table.key, table.value) != (key, value):
        yield Problem(f"{quote('@' + name)} is nothing that can be asked here", line)


def _overlaps(table: Table) -> Iterator[Problem]:
    """Elements of one key: the order of insertion would decide."""
    if "interval" not in table.flags:
        seen: dict[object, Element] = {}
        for element in table.elements:
            first = seen.setdefault(element.key, element)
            if first.value != element.value:
                yield Problem(f"an element of {quote(table.name)} stands there twice", element.line)
            if any(low != high for low, high in element.key):
                yield Problem(
                    f"{quote(table.name)} holds an interval, and is no set of intervals", element.line
                )
        return
    groups: dict[object, list[Element]] = {}
    for element in table.elements:
        groups.setdefault(element.key[:-1], []).append(element)
    if any(low != high for key in groups for low, high in key):  # type: ignore[attr-defined]
        yield Problem(
            f"intervals in the first part of the key of {quote(table.name)} are not understood", table.line
        )
    for group in groups.values():
        group.sort(key=lambda element: element.key[-1])
        for before, after in pairwise(group):
            if after.key[-1][0] <= before.key[-1][1]:
                yield Problem(f"elements of {quote(table.name)} overlap", after.line)
