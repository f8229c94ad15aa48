"""Sets of moments: weekly local hours within dates, as boxes that can be cut exactly.

A box is *(minutes of the local week) x (seconds of Unix time)*. Cutting boxes knows no calendar; whether
what is left holds any moment at all is asked of the time zone's own rules, daylight saving included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from segc.policy.calendar import MINUTES_PER_DAY, timezone
from segc.policy.model import Conditions, Schedule
from segc.space import intervals
from segc.space.intervals import Intervals

WEEK = 7 * MINUTES_PER_DAY
WHOLE_WEEK: Intervals = ((0, WEEK - 1),)
DAY = 86400
BEGIN, END = -(2**62), 2**62  # before and after any date
EARLIEST = -62_000_000_000  # well within what a calendar of years 1 to 9999 holds
ANY_DAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
LONG_ENOUGH = 28 * DAY  # every minute of the week comes round, whatever clocks are put forward
FIRST_WEEKDAY = 3  # Unix time begins on a Thursday


class Times(NamedTuple):
    """Moments whose minute of the local week is in `week`, from `first` up to but not `last`."""

    week: Intervals = WHOLE_WEEK
    first: int = BEGIN
    last: int = END

    def __and__(self, other: Times) -> Times:
        week = intervals.intersect(self.week, other.week)
        return Times(week, max(self.first, other.first), min(self.last, other.last))

    def __bool__(self) -> bool:
        return bool(self.week) and self.first < self.last

    def minus(self, other: Times) -> Iterator[Times]:
        """What is left without `other`: at most three disjoint boxes."""
        common = self & other
        if not common:
            yield self
            return
        pieces = (
            self._replace(week=intervals.subtract(self.week, other.week)),
            Times(common.week, self.first, common.first),
            Times(common.week, common.last, self.last),
        )
        yield from filter(None, pieces)


ALWAYS = Times()


@cache
def times_of(conditions: Conditions) -> Times:
    """The moments at which a flow's dates and hours hold."""
    first, last = conditions.not_before, conditions.not_after
    return Times(
        WHOLE_WEEK if conditions.schedule is None else _week(conditions.schedule),
        BEGIN if first is None else first,
        END if last is None else last,
    )


def _week(schedule: Schedule) -> Intervals:
    length = (schedule.end - schedule.start) % MINUTES_PER_DAY or MINUTES_PER_DAY
    pairs = []
    for day in schedule.days:
        first = day * MINUTES_PER_DAY + schedule.start
        last = first + length - 1
        pairs += [(first, min(last, WEEK - 1)), (0, last - WEEK)][: 2 if last >= WEEK else 1]
    return intervals.normalize(pairs)


def without(times: Times, others: Iterable[Times]) -> list[Times]:
    """`times` less all of `others`, as boxes; some of them may hold no moment."""
    left = [times]
    for other in others:
        left = [piece for box in left for piece in box.minus(other)]
    return left


def kinds(several: Iterable[Times], zone: str) -> list[int]:
    """A Unix second of each kind: no two of them are within the same of `several`."""
    pieces = [ALWAYS]
    for times in several:
        cut = [part for piece in pieces for part in (piece & times, *piece.minus(times))]
        pieces = [piece for piece in cut if moment(piece, zone) is not None]
    moments = (moment(piece, zone) for piece in pieces)
    return sorted(at for at in moments if at is not None)


@cache
def moment(times: Times, zone: str) -> int | None:
    """Some Unix second within, or None: found in a stretch in which every minute of a week comes round.

    The stretch is walked in pieces of constant offset to UTC, in which local time is a shift.
    """
    if not times:
        return None
    first, last = times.first, times.last
    if first == BEGIN:
        first = ANY_DAY if last == END else max(last - LONG_ENOUGH, EARLIEST)
    if times.week == WHOLE_WEEK:
        return first
    last = min(last, first + LONG_ENOUGH)
    while first < last:
        end = _same_offset(first, last, zone)
        local = first + offset(first, zone)
        wait = _seconds_until(times.week, local)
        if first + wait < end:
            return first + wait
        first = end
    return None


def offset(at: int, zone: str) -> int:
    """Seconds that local time is ahead of UTC."""
    ahead = datetime.fromtimestamp(at, timezone(zone)).utcoffset()
    return int(ahead.total_seconds()) if ahead else 0


def _same_offset(first: int, last: int, zone: str) -> int:
    """How far from `first` the offset stays as it is; no zone changes it twice within a day."""
    wanted, low = offset(first, zone), first
    while low + DAY < last and offset(low + DAY, zone) == wanted:
        low += DAY
    high = min(low + DAY, last)
    if offset(high - 1, zone) == wanted:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle, zone) == wanted else (low, middle)
    return high


def _seconds_until(week: Intervals, local: int) -> int:
    """From a local second to the first that lies in `week`; 0 if it does itself."""
    now = (local + FIRST_WEEKDAY * DAY) % (WEEK * 60)
    for first, last in week:
        if now < (last + 1) * 60:
            return max(0, first * 60 - now)
    return WEEK * 60 - now + week[0][0] * 60
