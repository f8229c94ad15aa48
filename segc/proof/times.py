"""When something holds: the kernel's conditions on its clock (UTC) against the policy's local hours.

Time is cut where an offset, a season or a date changes; within a piece both sides are weekly, and compared
as sets of seconds of the week. Local hours are compared for the years that season sets are written for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import pairwise

from segc.policy import calendar
from segc.policy.model import Conditions, Schedule
from segc.proof.model import Match, Ruleset, UnreadableError
from segc.space.intervals import Intervals, contains, intersect, normalize, subtract
from segc.space.words import quote

FIRST_YEAR, LAST_YEAR = 2024, 2050
DAY, WEEK = 86400, 7 * 86400
ALL_WEEK: Intervals = ((0, WEEK - 1),)
EVER: Intervals = ((0, 2**63),)
KEPT = 128  # sets of lines within a stretch of time
Line = tuple[Match, ...]  # what one rule asks of the clock; nothing for always
Lines = frozenset[Line]
ALWAYS: Lines = frozenset({()})


class Clock:
    """Compares conditions with lines of one ruleset; each comparison is made once."""

    def __init__(self, rules: Ruleset) -> None:
        self.rules = rules
        self._given = lru_cache(KEPT)(self._of_lines)  # many flows are held to the same lines
        self._differences: dict[tuple[frozenset[Conditions], Lines], tuple[int | None, int | None]] = {}

    def differs(self, conditions: Iterable[Conditions], lines: Lines) -> tuple[int | None, int | None]:
        """A second at which some of the conditions hold and no line, and one the other way round."""
        key = frozenset(conditions), lines
        found = self._differences.get(key)
        if found is None:
            found = self._differences[key] = self._compare(*key)
        return found

    def _compare(self, conditions: frozenset[Conditions], lines: Lines) -> tuple[int | None, int | None]:
        if lines == ALWAYS and any(not each.timed for each in conditions):
            return None, None
        missing = extra = None
        for first, end in pairwise(self._cuts(conditions, lines)):
            wanted = normalize(pair for each in conditions for pair in _weekly(each, first))
            given = self._given(lines, first)
            seen = _weeks(first, end)
            if missing is None:
                missing = _first(intersect(subtract(wanted, given), seen), first)
            if extra is None:
                extra = _first(intersect(subtract(given, wanted), seen), first)
        return missing, extra

    def _cuts(self, conditions: frozenset[Conditions], lines: Lines) -> list[int]:
        schedules = [each.schedule for each in conditions if each.schedule]
        years = (_year(FIRST_YEAR), _year(LAST_YEAR + 1))
        low, high = years if schedules else (0, 2**62)
        cuts = {low, high}
        for schedule in schedules:
            cuts.update(changes(schedule.timezone))
        for each in conditions:
            cuts.update(bound for bound in (each.not_before, each.not_after) if bound is not None)
        for line in lines:
            cuts.update(edge for match in line for edge in self._edges(match))
        return sorted(cut for cut in cuts if low <= cut <= high)

    def _edges(self, match: Match) -> Iterable[int]:
        if match.field.name == "meta time":
            yield from (edge for pair in self._span(match) for edge in pair)

    def _span(self, match: Match) -> Intervals:
        """The seconds of a `meta time`, half-open; the kernel counts nanoseconds."""
        if not isinstance(match.values, str):
            return match.values  # type: ignore[return-value]
        table = self.rules.tables.get(match.values)
        if table is None or table.key != ("meta time",) or table.flags != {"interval"}:
            raise UnreadableError(f"{quote('@' + match.values)} is no set of times")
        return tuple(sorted(element.key[0] for element in table.elements))

    def _of_lines(self, lines: Lines, at: int) -> Intervals:
        """The seconds of the week of all lines, in the week around `at`."""
        return normalize(pair for line in lines for pair in self._line(line, at))

    def _line(self, line: Line, at: int) -> Intervals:
        """The seconds of the week of one line, in the week around `at`."""
        days, hours = ((0, 6),), ((0, DAY - 1),)
        for match in line:
            values = match.values
            if match.field.name == "meta time":
                if any(a <= at < b for a, b in self._span(match)) == match.negated:
                    return ()
            elif match.negated or isinstance(values, str | frozenset):
                raise UnreadableError(f"`{match.field.name}` is not understood here")
            elif match.field.name == "meta day":
                days = intersect(normalize(days), values)  # type: ignore[assignment]
            else:
                hours = intersect(hours, values)  # type: ignore[assignment]
        return tuple(
            (day * DAY + a, day * DAY + b)
            for low, high in days
            for day in range(low, high + 1)
            for a, b in hours
        )


def _first(seconds: Intervals, start: int) -> int | None:
    """The first moment from `start` on that lies at one of the seconds of the week."""
    return min((start + (second - _of_week(start)) % WEEK for second, _ in seconds), default=None)


def _of_week(at: int) -> int:
    """Second of the week; it starts on Sunday, as `meta day` does."""
    return (at + 4 * DAY) % WEEK


def _weeks(first: int, end: int) -> Intervals:
    """The seconds of the week that come by from `first` until before `end`."""
    if end - first >= WEEK:
        return ALL_WEEK
    start = _of_week(first)
    return _wrapped(start, start + end - first - 1)


def _wrapped(first: int, last: int) -> Intervals:
    first, last = first % WEEK, last - first // WEEK * WEEK
    return ((first, last),) if last < WEEK else normalize([(first, WEEK - 1), (0, last - WEEK)])


def _weekly(conditions: Conditions, at: int) -> Iterable[tuple[int, int]]:
    if conditions.not_before is not None and at < conditions.not_before:
        return ()
    if conditions.not_after is not None and at >= conditions.not_after:
        return ()
    return _local(conditions.schedule, at) if conditions.schedule else ALL_WEEK


def _local(schedule: Schedule, at: int) -> Iterable[tuple[int, int]]:
    offset = _offset(schedule.timezone, at)
    length = (schedule.end - schedule.start) * 60 % DAY or DAY
    for day in schedule.days:
        start = (day + 1) % 7 * DAY + schedule.start * 60 - offset
        yield from _wrapped(start, start + length - 1)


def _offset(zone: str, at: int) -> int:
    offset = datetime.fromtimestamp(at, calendar.timezone(zone)).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


@cache
def changes(zone: str) -> Sequence[int]:
    """The seconds at which a time zone changes its offset, in the years that are compared."""
    found: list[int] = []
    days = range(_year(FIRST_YEAR), _year(LAST_YEAR + 1) + 1, DAY)
    offsets = [_offset(zone, at) for at in days]
    for at, (before, after) in zip(days, pairwise(offsets), strict=False):
        if before != after:
            low, high = at, at + DAY
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            found.append(high)
    return tuple(found)


__all__ = ["ALWAYS", "Clock", "Line", "Lines", "contains"]
