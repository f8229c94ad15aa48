"""What `--fail-on` stops at: gains, losses, changes or promises, each narrowed down by where they happen."""

from __future__ import annotations

from collections.abc import Callable

from segc.frozen import frozen
from segc.plan.model import GAINS, LOSSES, PROMISES, Access, Alteration, Plan

WHAT = ("gains", "losses", "changes", "promises")
NEITHER = PROMISES | {"refuse", "masquerade"}  # nobody comes further, or less far, by it
WHERE: dict[str, Callable[[Access | Alteration], tuple[str, ...]]] = {
    "from": lambda each: each.from_zones,
    "to": lambda each: each.to_zones,
    "from-tag": lambda each: each.from_tags,
    "to-tag": lambda each: each.to_tags,
    "tag": lambda each: each.from_tags + each.to_tags,
}


@frozen
class Condition:
    """`gains:from=internet:to-tag=regulated`: all of `where` must hold of one change."""

    text: str
    what: str
    where: tuple[tuple[str, str], ...]


def parse_condition(text: str) -> Condition:
    """ValueError with a sentence for users."""
    what, *rest = text.split(":")
    if what not in WHAT:
        raise ValueError(f"`{what}` is none of {', '.join(WHAT)}")
    where = []
    for each in rest:
        key, equals, name = each.partition("=")
        if key not in WHERE or not equals or not name:
            keys = ", ".join(f"{key}=NAME" for key in WHERE)
            raise ValueError(f"`{each}` says no place: write {keys}, as in `gains:to-tag=regulated`")
        where.append((key, name))
    return Condition(text, what, tuple(where))


def unknown_names(condition: Condition, zones: frozenset[str], tags: frozenset[str]) -> list[str]:
    """Names that no policy has, which would make a condition that never holds."""
    return [name for key, name in condition.where if name not in (tags if "tag" in key else zones)]


def stops(condition: Condition, plan: Plan) -> list[Access | Alteration]:
    """The changes that a condition forbids."""
    every: tuple[Access | Alteration, ...] = (*plan.access, *plan.alterations)
    return [
        each
        for each in every
        if _is(condition.what, each) and all(name in WHERE[key](each) for key, name in condition.where)
    ]


def _is(what: str, each: Access | Alteration) -> bool:
    if what == "changes":
        return True
    if what == "promises":
        return (
            isinstance(each, Alteration)
            and each.kind in PROMISES
            and bool(each.before) != (each.kind == "accept")
        )
    if isinstance(each, Access):
        return each.kind in (GAINS if what == "gains" else LOSSES)
    return each.looser == (what == "gains") and each.kind not in NEITHER
