"""Postures that no device can have (`SEG317`), as facts contradict, or that every one has (`SEG319`)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from segc.analysis.identity.granting import granting
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Policy, PostureFact
from segc.space.words import duration_text

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def check_postures(policy: Policy) -> Iterator[Diagnostic]:
    broken = set()
    for name, posture in policy.postures.items():
        if not posture.facts:
            yield finding(
                "SEG319",
                f"the posture `{name}` asks for no fact, so every device has it",
                posture.span,
                "asks for nothing",
                help="write what must hold, as in `disk_encrypted = true`, or delete it",
            )
        if found := contradiction(posture.facts):
            broken.add(name)
            yield finding(
                "SEG317",
                f"no device can have the posture `{name}`",
                posture.span,
                f"asks for {found}",
                help="keep one of these facts, or make two postures of it",
            )
    yield from _together(policy, broken)


def _together(policy: Policy, broken: set[str]) -> Iterator[Diagnostic]:
    """Postures that are sound each, and that a flow asks for at once."""
    for flow in granting(policy):
        names = flow.conditions.postures
        if len(names) < 2 or not broken.isdisjoint(names):
            continue
        if found := contradiction([fact for name in names for fact in policy.postures[name].facts]):
            yield finding(
                "SEG317",
                f"no device can have {' and '.join(f'`{name}`' for name in names)} at once",
                flow.span,
                f"together they ask for {found}",
                also=tuple(Label(policy.postures[name].span, "one of them") for name in names),
                help="ask for one of them, or write a flow for each",
            )


def contradiction(facts: Iterable[PostureFact]) -> str:
    """Two facts or more that cannot hold together, in words; empty where some device can have them all."""
    by_name: dict[str, list[PostureFact]] = {}
    for fact in facts:
        by_name.setdefault(fact.name, []).append(fact)
    for asked in by_name.values():
        if len({fact.type for fact in asked}) > 1 or not _possible(asked):
            return " and ".join(dict.fromkeys(f"`{fact_text(fact)}`" for fact in asked))
    return ""


def fact_text(fact: PostureFact) -> str:
    """A fact as a policy writes it."""
    value = fact.value
    if fact.type == "date":
        return f"{fact.name} within {duration_text(int(value))}"
    shown = (
        str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else value
    )
    return f"{fact.name} {fact.operator} {shown}"


def _possible(facts: list[PostureFact]) -> bool:
    """Whether some value meets all of these facts, which are of one type."""
    asked = [(OPERATORS[fact.operator], _comparable(fact)) for fact in facts if fact.type != "date"]
    candidates = _candidates(facts[0].type, [value for _, value in asked])
    return not asked or any(all(holds(each, value) for holds, value in asked) for each in candidates)


def _comparable(fact: PostureFact) -> Any:
    """Versions as tuples of their numbers, without the zeros at the end that mean nothing."""
    if fact.type != "version":
        return fact.value
    numbers = [int(number) for number in str(fact.value).split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _candidates(kind: str, values: list[Any]) -> Iterator[Any]:
    """Values of which one meets all facts if any value does: the bounds, and what is next to them.

    Versions are dense. Just above one is the same with so many zeros and a one behind it that no other fits
    between; below all bounds the least one will do.
    """
    yield from values
    if kind == "integer":
        yield from (value + step for value in values for step in (-1, 1))
    elif kind == "version":
        longest = max(map(len, values))
        yield from (value + (0,) * (longest - len(value)) + (1,) for value in values)
        yield ()
    elif kind == "boolean":
        yield from (True, False)
    else:
        yield "".join(values) + "?"
