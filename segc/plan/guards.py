"""Boxes of conditions, with what they ask for and what they rule out, and how one is cut from another.

A statement only ever asks for facts and groups; where two policies differ there are also packets *without* a
second factor or *outside* a group. So a box holds both, and what is left of a box without another is a few
disjoint boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from segc.analysis.conflicts.moments import BEGIN, END, WHOLE_WEEK, Times, moment, times_of
from segc.analysis.conflicts.people import ANYBODY, People, Who
from segc.policy.model import Conditions
from segc.space import intervals
from segc.space.intervals import Intervals

NOTHING: frozenset[str] = frozenset()
NO_CONDITIONS = Conditions()
HORIZON = 3 * 366 * 86400  # in which two time zones show every way in which their clocks can differ


class Hours(NamedTuple):
    """Moments within a week of hours in each time zone (by name, none for all hours) and a range of dates."""

    weeks: tuple[tuple[str, Intervals], ...] = ()
    first: int = BEGIN
    last: int = END

    def __and__(self, other: Hours) -> Hours:
        weeks = dict(self.weeks)
        for zone, week in other.weeks:
            weeks[zone] = intervals.intersect(weeks.get(zone, WHOLE_WEEK), week)
        return Hours(tuple(sorted(weeks.items())), max(self.first, other.first), min(self.last, other.last))

    def minus(self, other: Hours) -> Iterator[Hours]:
        """What is left without `other`, as disjoint boxes; some may hold no moment."""
        rest = self
        for zone, week in other.weeks:
            mine = dict(rest.weeks).get(zone, WHOLE_WEEK)
            if outside := intervals.subtract(mine, week):
                yield rest & Hours(((zone, outside),))
            rest = rest & Hours(((zone, week),))
        if rest.first < other.first:
            yield rest & Hours(last=other.first)
        rest = rest & Hours(first=other.first)
        if rest.last > other.last:
            yield rest & Hours(first=other.last)


ALWAYS = Hours()


@cache
def moment_of(hours: Hours) -> int | None:
    """Some Unix second within, or None."""
    if hours.first >= hours.last:
        return None
    boxes = [(zone, Times(week, hours.first, hours.last)) for zone, week in hours.weeks]
    if len(boxes) < 2:
        zone, times = boxes[0] if boxes else ("UTC", Times(WHOLE_WEEK, hours.first, hours.last))
        return moment(times, zone)
    return _meeting([(zone, times.week) for zone, times in boxes], hours)


def _meeting(weeks: list[tuple[str, Intervals]], hours: Hours) -> int | None:
    """A second that lies in the hours of several time zones: each in turn moves on to its next."""
    start = moment(Times(WHOLE_WEEK, hours.first, hours.last), "UTC")
    assert start is not None, "there are seconds between two dates"
    at, last = start, min(hours.last, start + HORIZON)
    while at < last:
        before = at
        for zone, week in weeks:
            following = moment(Times(week, at, last), zone)
            if following is None:
                return None
            at = following
        if at == before:
            return at
    return None


class Guard(NamedTuple):
    """`facts` (`mfa`, `posture NAME`) that the source's session proves, those it `lacks`, when, and who sits
    at the ends."""

    facts: frozenset[str] = NOTHING
    lacks: frozenset[str] = NOTHING
    hours: Hours = ALWAYS
    source: Who = ANYBODY
    destination: Who = ANYBODY

    def __and__(self, other: Guard) -> Guard:
        return Guard(
            self.facts | other.facts,
            self.lacks | other.lacks,
            self.hours & other.hours,
            self.source & other.source,
            self.destination & other.destination,
        )


PLAIN = Guard()


def guard_of(conditions: Conditions, source: Who, destination: Who) -> Guard:
    """What a flow asks for."""
    if conditions == NO_CONDITIONS:
        return Guard(source=source, destination=destination)
    facts = frozenset(["mfa"] * conditions.mfa + [f"posture {name}" for name in conditions.postures])
    return Guard(facts, NOTHING, _hours(conditions), source, destination)


def _hours(conditions: Conditions) -> Hours:
    if not conditions.timed:
        return ALWAYS
    times, schedule = times_of(conditions), conditions.schedule
    weeks = ((schedule.timezone, times.week),) if schedule and times.week != WHOLE_WEEK else ()
    return Hours(weeks, times.first, times.last)


class Guards:
    """Sets of circumstances, as lists of disjoint boxes in each of which there is somebody at some time."""

    def __init__(self, people: People) -> None:
        self.people = people
        self._possible: dict[Guard, bool] = {PLAIN: True}

    def possible(self, guard: Guard) -> bool:
        known = self._possible.get(guard)
        if known is None:
            known = self._possible[guard] = self._find_possible(guard)
        return known

    def _find_possible(self, guard: Guard) -> bool:
        if guard.facts & guard.lacks or moment_of(guard.hours) is None:
            return False
        return bool(self.people.least(guard.source) and self.people.least(guard.destination))

    def union(self, guards: Iterable[Guard]) -> list[Guard]:
        found: list[Guard] = []
        for guard in sorted(set(guards), key=_width):
            found += self.without([guard], found)
        return found

    def common(self, guards: Iterable[Guard], others: list[Guard]) -> list[Guard]:
        return [both for one in guards for other in others if self.possible(both := one & other)]

    def without(self, guards: Iterable[Guard], others: Iterable[Guard]) -> list[Guard]:
        left = [guard for guard in guards if self.possible(guard)]
        for other in others:
            left = [piece for guard in left for piece in self._minus(guard, other)]
        return left

    def _minus(self, guard: Guard, other: Guard) -> Iterator[Guard]:
        if guard == other:
            return
        if not self.possible(guard & other):
            yield guard
            return
        rest = guard
        for piece, inside in _splits(guard, other):
            if self.possible(outside := rest & piece):
                yield outside
            rest = rest & inside
        for hours in guard.hours.minus(other.hours):
            if self.possible(outside := rest._replace(hours=hours)):
                yield outside


def _width(guard: Guard) -> tuple[object, ...]:
    """Guards that ask for less come first, so that others add little to them; ties in a fixed order."""
    asked = len(guard.facts) + len(guard.lacks) + len(guard.hours.weeks)
    asked += sum(len(names) for who in guard[3:] for names in who)
    return asked, sorted(guard.facts), sorted(guard.lacks), guard.hours, *map(_who_key, guard[3:])


def _who_key(who: Who) -> tuple[object, ...]:
    return sorted(who.subjects), sorted(who.without)


def _splits(guard: Guard, other: Guard) -> Iterator[tuple[Guard, Guard]]:
    """What `other` asks for beyond `guard`, one thing at a time: the box without it, and the one with it."""
    for fact in sorted(other.facts - guard.facts):
        yield Guard(lacks=frozenset((fact,))), Guard(facts=frozenset((fact,)))
    for fact in sorted(other.lacks - guard.lacks):
        yield Guard(facts=frozenset((fact,))), Guard(lacks=frozenset((fact,)))
    for mine, theirs, at in (
        (guard.source, other.source, _at_source),
        (guard.destination, other.destination, _at_destination),
    ):
        for subject in sorted(theirs.subjects - mine.subjects):
            one = frozenset((subject,))
            yield at(Who(without=one)), at(Who(one))
        for subject in sorted(theirs.without - mine.without):
            one = frozenset((subject,))
            yield at(Who(one)), at(Who(without=one))


def _at_source(who: Who) -> Guard:
    return Guard(source=who)


def _at_destination(who: Who) -> Guard:
    return Guard(destination=who)
