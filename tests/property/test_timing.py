"""Weekly local hours as the kernel compares them in UTC are those that the calendar means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pytest

from segc.backends.nftables.conditions import season_elements, season_set, time_matches
from segc.enforcement.timing import FIRST_YEAR, LAST_YEAR, Window, seasons, windows
from segc.policy import calendar
from segc.policy.model import Conditions, Schedule

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Pacific/Chatham",
    "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Kiritimati",
)  # fmt: skip
HOURS = {
    "office": ((0, 1, 2, 3, 4), 480, 1080),
    "nights": (tuple(range(7)), 1320, 240),
    "sunday night": ((6,), 1410, 90),
    "saturday": ((5,), 0, 1440),
    "ends at midnight": ((0, 6), 1, 1440),
    "switching hours": ((5, 6), 61, 185),
    "nearly always": (tuple(range(7)), 600, 599),
}
DAY, WEEK = 86400, 7 * 86400


@cache
def moments(zone: str) -> tuple[tuple[int, int], ...]:
    """Every minute of a week in winter, one in summer, and of the days around changes of the offset.

    Each with the offset that holds there.
    """
    weeks = [int(datetime(2026, month, 10, tzinfo=UTC).timestamp()) for month in (1, 7)]
    found = {start + minute * 60 for start in weeks for minute in range(7 * 1440)}
    changes = [first for season in seasons(zone) for first, _ in season.spans]
    near = [change for change in changes if weeks[0] <= change <= weeks[0] + 80 * WEEK]
    for change in near[:4]:
        found.update(range(change - 2 * DAY, change + 2 * DAY, 60))
        found.update(range(change - 5, change + 5))
    return tuple((at, offset_at(zone, at)) for at in sorted(found))


@cache
def kernel_sets(zone: str) -> dict[str, list[tuple[int, int]]]:
    """The elements of the season sets, in nanoseconds."""
    found = {}
    for name, spans in season_elements(zone):
        pairs = [span.split("-") for span in spans]
        found[f"@{name}"] = [(int(first) * 10**9, int(last) * 10**9) for first, last in pairs]
    return found


def offset_at(zone: str, at: int) -> int:
    common, *special = seasons(zone)
    holding = [season.offset for season in special if any(a <= at <= b for a, b in season.spans)]
    assert len(holding) < 2
    return holding[0] if holding else common.offset


def inside(window: Window, at: int) -> bool:
    """As the kernel does it: weekday and second of the day in UTC, Sunday the first day."""
    return (at // DAY + 4) % 7 in window.days and window.first <= at % DAY <= window.last


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hours", HOURS)
def test_windows_are_the_calendar(zone: str, hours: str) -> None:
    schedule = Schedule(*HOURS[hours], zone)
    by_offset = {season.offset: windows(schedule, season.offset) for season in seasons(zone)}
    for at, offset in moments(zone):
        wanted = calendar.holds(*schedule, at)
        found = [window for window in by_offset[offset] if inside(window, at)]
        assert len(found) == wanted, f"{datetime.fromtimestamp(at, UTC)}: {found}"


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_are_those_of_the_time_zone_in_all_listed_years(zone: str) -> None:
    rules = calendar.timezone(zone)
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST_YEAR, LAST_YEAR + 1))
    for at in range(start, end, 25 * 3600 + 61):
        offset = datetime.fromtimestamp(at, rules).utcoffset()
        assert offset is not None
        assert offset_at(zone, at) == offset.total_seconds()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "Asia/Kolkata", "Africa/Casablanca"])
@pytest.mark.parametrize("hours", HOURS)
def test_emitted_matches_are_the_calendar(zone: str, hours: str) -> None:
    """The text of the rules, read word by word; of several lines at most one holds at a time."""
    first, last = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (2, 12))
    conditions = Conditions(schedule=Schedule(*HOURS[hours], zone), not_before=first, not_after=last)
    lines = [list(_words(line)) for line in time_matches(conditions)]
    for at, _ in moments(zone)[::31]:
        wanted = first <= at < last and calendar.holds(*HOURS[hours], zone, at)
        assert sum(all(_holds(*word, zone, at) for word in line) for line in lines) == wanted


MATCH = re.compile(r"meta (time|day|hour) (!= |>= |< )?(@\w+|\d+(?:-\d+)?) ")


def _words(line: str) -> Iterator[tuple[str, str, str]]:
    at = 0
    while at < len(line):
        match = MATCH.match(line, at)
        assert match, line[at:]
        yield match[1], (match[2] or "").strip(), match[3]
        at = match.end()


def _holds(what: str, operator: str, value: str, zone: str, at: int) -> bool:
    nanoseconds = at * 10**9 + 999_999_999
    if value.startswith("@"):
        return any(a <= nanoseconds <= b for a, b in kernel_sets(zone)[value]) != (operator == "!=")
    if operator:
        bound = int(value) * 10**9
        return nanoseconds >= bound if operator == ">=" else nanoseconds < bound
    now = (at // DAY + 4) % 7 if what == "day" else at % DAY
    low, _, high = value.partition("-")
    return int(low) <= now <= int(high or low)


def test_seasons_have_names_that_nft_can_read() -> None:
    for zone in calendar.timezone_names()[::5]:
        for season in seasons(zone):
            assert re.fullmatch(r"[a-z_A-Z0-9]+", season_set(zone, season.offset))
