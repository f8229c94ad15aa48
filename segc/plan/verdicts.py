"""What statements on one pair of ends and one service decide, before and after, and what of it differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from segc.plan.align import AFTER, BEFORE, Clause
from segc.plan.guards import Guard, Guards
from segc.plan.model import GAINS, LOSSES, Kind


def changes(lying: Sequence[Clause], guards: Guards) -> Iterator[tuple[Kind, Guard]]:
    """Circumstances under which something changes, given all clauses that lie there; disjoint for each kind,
    but for staged ones, where allows and denies are counted apart."""
    open_ = [_open(lying, side, guards) for side in (BEFORE, AFTER)]
    gains = guards.without(open_[AFTER], open_[BEFORE])
    losses = guards.without(open_[BEFORE], open_[AFTER])
    for guard in gains:
        yield Kind.LOOSENS if _same_people(guard, open_[BEFORE], guards) else Kind.OPENS, guard
    for guard in losses:
        yield Kind.TIGHTENS if _same_people(guard, open_[AFTER], guards) else Kind.CLOSES, guard
    logged = [_logged(lying, side, guards) for side in (BEFORE, AFTER)]
    for kind, left in _both_ways(Kind.LOGS, Kind.UNLOGS, logged, guards):
        yield from ((kind, guard) for guard in guards.without(left, [*gains, *losses]))
    for action in ("allow", "deny"):
        staged = [_staged(lying, side, action, guards) for side in (BEFORE, AFTER)]
        for kind, left in _both_ways(Kind.STAGES, Kind.UNSTAGES, staged, guards):
            yield from ((kind, guard) for guard in left)


def speaks_of(clause: Clause, kind: Kind) -> bool:
    """Whether a changed clause may be what makes a change of this kind."""
    effect, added = clause.effect, clause.side == AFTER
    if kind in (Kind.STAGES, Kind.UNSTAGES):
        return effect.staged and added == (kind is Kind.STAGES)
    if effect.staged:
        return False
    if kind in GAINS | LOSSES:
        return (added == (effect.action == "allow")) == (kind in GAINS)
    return True


def _same_people(guard: Guard, others: list[Guard], guards: Guards) -> bool:
    """Whether somebody of `guard` is let through by `others` as well, under other facts or at other times."""
    who = Guard(source=guard.source, destination=guard.destination)
    them = (Guard(source=other.source, destination=other.destination) for other in others)
    return any(guards.possible(who & each) for each in them)


def _pick(lying: Sequence[Clause], wanted: Callable[[Clause], bool], guards: Guards) -> list[Guard]:
    return guards.union(clause.guard for clause in lying if wanted(clause))


def _open(lying: Sequence[Clause], side: int, guards: Guards) -> list[Guard]:
    return guards.without(_decided(lying, side, "allow", guards), _decided(lying, side, "deny", guards))


def _decided(lying: Sequence[Clause], side: int, action: str, guards: Guards) -> list[Guard]:
    return _pick(lying, lambda c: c.side == side and c.effect[:2] == (action, False), guards)


def _logged(lying: Sequence[Clause], side: int, guards: Guards) -> list[Guard]:
    """What a deny logs, and what an allow logs that no deny takes."""
    allows = _pick(lying, lambda c: c.side == side and c.effect == ("allow", False, True), guards)
    denies = _pick(lying, lambda c: c.side == side and c.effect == ("deny", False, True), guards)
    allows = guards.without(allows, _decided(lying, side, "deny", guards))
    return [*allows, *denies]


def _staged(lying: Sequence[Clause], side: int, action: str, guards: Guards) -> list[Guard]:
    return _pick(lying, lambda c: c.side == side and c.effect[:2] == (action, True), guards)


def _both_ways(
    more: Kind, less: Kind, sides: list[list[Guard]], guards: Guards
) -> Iterator[tuple[Kind, list[Guard]]]:
    before, after = sides
    yield more, guards.without(after, before)
    yield less, guards.without(before, after)
