"""Local weekly hours as the kernel can compare them: in UTC, for each offset that the time zone uses.

A kernel knows the second of the UTC day, the UTC weekday and the Unix time. Hours of a zone with daylight
saving therefore become one set of UTC windows for each offset, and the spans of Unix time in which that
offset holds. The spans are listed for `FIRST_YEAR` to `LAST_YEAR`, which keeps the output free of the clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from segc.policy.calendar import MINUTES_PER_DAY, timezone
from segc.policy.model import Schedule
from segc.space.intervals import Intervals, normalize

FIRST_YEAR, LAST_YEAR = 2024, 2050
DAY = 86400


class Season(NamedTuple):
    """When an offset (seconds east of UTC) holds: half-open spans of Unix time as (first, last) inclusive."""

    offset: int
    spans: Intervals


class Window(NamedTuple):
    """UTC weekdays (Sunday is 0, as nftables counts) and seconds of the day, both ends included."""

    days: tuple[int, ...]
    first: int
    last: int


@cache
def seasons(zone: str) -> tuple[Season, ...]:
    """The offsets of a time zone, the most common first; that one also holds outside the listed years."""
    rules = timezone(zone)
    start = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    end = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    spans: dict[int, list[tuple[int, int]]] = {}
    while start < end:
        offset = _offset(rules, start)
        change = _next_change(rules, start, end)
        spans.setdefault(offset, []).append((int(start.timestamp()), int(change.timestamp()) - 1))
        start = change
    found = [Season(offset, normalize(listed)) for offset, listed in spans.items()]
    return tuple(sorted(found, key=lambda s: (-sum(last - first for first, last in s.spans), s.offset)))


def _offset(rules: object, moment: datetime) -> int:
    offset = moment.astimezone(rules).utcoffset()  # type: ignore[arg-type]
    return int(offset.total_seconds()) if offset is not None else 0


def _next_change(rules: object, start: datetime, end: datetime) -> datetime:
    """The first moment after `start` with another offset, by days and then by bisection; at most `end`."""
    offset, low = _offset(rules, start), start
    while _offset(rules, low) == offset:
        if low >= end:
            return end
        low += timedelta(days=7)
    high, low = low, low - timedelta(days=7)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds() // 2))
        low, high = (middle, high) if _offset(rules, middle) == offset else (low, middle)
    return min(high, end)


def windows(schedule: Schedule, offset: int) -> tuple[Window, ...]:
    """The weekly hours of `schedule` in UTC where local time is `offset` seconds ahead of it."""
    length = (schedule.end - schedule.start) % MINUTES_PER_DAY or MINUTES_PER_DAY
    by_span: dict[tuple[int, int], set[int]] = {}
    for day in schedule.days:
        first = (day * MINUTES_PER_DAY + schedule.start) * 60 - offset
        for start, end in _split_at_midnight(first, first + length * 60 - 1):
            weekday = (start // DAY + 1) % 7
            by_span.setdefault((start % DAY, end % DAY), set()).add(weekday)
    return tuple(Window(tuple(sorted(days)), *span) for span, days in sorted(by_span.items()))


def _split_at_midnight(first: int, last: int) -> list[tuple[int, int]]:
    midnight = (first // DAY + 1) * DAY
    return [(first, last)] if last < midnight else [(first, midnight - 1), (midnight, last)]
