"""Local time: days, hours and dates as written, and the time zone they are written in.

Zone rules come from the `tzdata` package and not from the host, so that a policy compiles to the same
bytes on every machine.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what knows time zones takes longer to load than a policy to read
    from importlib.resources.abc import Traversable
    from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 24 * 60
FIRST_YEAR, LAST_YEAR = 1971, 2500  # in nft, time is nanoseconds from 1970 in 64 bits: it wraps in 2554


@cache
def timezone_names() -> tuple[str, ...]:
    return tuple(_tzdata("zones").read_text("utf-8").split())


@cache
def timezone(name: str) -> ZoneInfo:
    """The rules of an IANA zone. Raises ValueError where there is none of that name."""
    from zoneinfo import ZoneInfo

    if name not in timezone_names():
        raise ValueError(f"`{name}` is not a time zone")
    with _tzdata("zoneinfo", *name.split("/")).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def _tzdata(*path: str) -> Traversable:
    from importlib.resources import files

    return files("tzdata").joinpath(*path)


def parse_days(words: tuple[str, ...]) -> tuple[int, ...]:
    """Days of the week as numbers, Monday 0. A run may pass the weekend (`sat-mon`)."""
    found: set[int] = set()
    for word in words:
        found.update(_days_of(word))
    return tuple(sorted(found))


def _days_of(word: str) -> list[int]:
    if word == "daily":
        return list(range(7))
    first, _, last = word.partition("-")
    for day in (first, last or first):
        if day not in DAYS:
            raise ValueError(f"`{day}` is not a day: write {', '.join(DAYS)} or daily")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return [(start + step) % 7 for step in range((end - start) % 7 + 1)]


def parse_hours(text: str) -> tuple[int, int]:
    """`08:00-18:00` as minutes of the day. The end may be 24:00, and may lie before the start (midnight)."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)", text)
    if match is None:
        raise ValueError(f"`{text}` is not a time span: write it as `{_spelt_out(text)}`")
    hour1, minute1, hour2, minute2 = map(int, match.groups())
    start, end = hour1 * 60 + minute1, hour2 * 60 + minute2
    if minute1 > 59 or minute2 > 59 or start >= MINUTES_PER_DAY or end > MINUTES_PER_DAY:
        raise ValueError(f"`{text}` has a time that no clock shows")
    if start == end:
        raise ValueError(f"`{text}` is empty: for the whole day write `00:00-24:00`")
    return start, end


def _spelt_out(text: str) -> str:
    match = re.fullmatch(r"(\d{1,2})(?:[:.](\d\d))?-(\d{1,2})(?:[:.](\d\d))?", text)
    if match is None:
        return "08:00-18:00"
    hour1, minute1, hour2, minute2 = match.groups("00")
    return f"{hour1:0>2}:{minute1}-{hour2:0>2}:{minute2}"


def parse_date(text: str) -> date:
    """`2027-03-31`. Raises ValueError with a sentence for users."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError(f"`{text}` is not a date")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a date: no calendar has it") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"`{text}` is out of range: years go from {FIRST_YEAR} to {LAST_YEAR}")
    return day


def start_of_day(day: date, zone: str) -> int:
    """Unix seconds at which a local day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=timezone(zone)).timestamp())


def end_of_day(day: date, zone: str) -> int:
    """Unix seconds at which the local day after it begins."""
    return start_of_day(day + timedelta(days=1), zone)


def parse_moment(text: str, zone: str) -> int:
    """`2026-11-24 09:30`, local time, as Unix seconds. Raises ValueError with a sentence for users."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a moment: write it as `2026-11-24 09:30`") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"`{text}` is out of range: years go from {FIRST_YEAR} to {LAST_YEAR}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(zone))
    return int(moment.timestamp())


def holds(days: tuple[int, ...], start: int, end: int, zone: str, at: int) -> bool:
    """Whether Unix second `at` lies in the weekly local hours (see `model.Schedule`)."""
    local = datetime.fromtimestamp(at, timezone(zone))
    minute = local.hour * 60 + local.minute
    today = local.weekday()
    if start < end:
        return today in days and start <= minute < end
    return (today in days and minute >= start) or ((today - 1) % 7 in days and minute < end)
