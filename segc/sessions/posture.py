"""Whether what is known of a device fulfils a posture, and until when. What is unknown or stale fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from segc.identity.claim import Fact

NEVER = 0.0  # the moment until which something holds that does not
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge
}  # fmt: skip
TYPES = {
    "boolean": "`true` or `false`",
    "integer": "a whole number, such as `3`",
    "version": 'a version as a string, such as `"14.2"`',
    "string": 'a string, such as `"prod"`',
    "date": 'a date as a string, such as `"2026-11-23"`, or Unix seconds',
}
_VERSION = re.compile(r"\d{1,18}(?:\.\d{1,18})*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Requirement(NamedTuple):
    """One line of a posture, as `sessions.json` has it; `value` in seconds for the operator `within`."""

    fact: str
    operator: str
    value: Fact
    type: str  # boolean, integer, version, string, date


class Known(NamedTuple):
    """A fact: who told it, when, and until when it is believed (Unix seconds)."""

    value: Fact
    until: float
    at: float
    source: str


def newer(one: Known, other: Known) -> Known:
    """Of two words the later one. Of two of one moment nobody knows which that is, so neither is believed."""
    if one.at != other.at:
        return max(one, other, key=lambda each: each.at)
    return other if one.value == other.value and one.until > NEVER else one._replace(until=NEVER)


def holds_until(requirements: Iterable[Requirement], known: Mapping[str, Known], wall: float) -> float:
    """The moment until which all of it holds if nobody says otherwise, NEVER if it does not."""
    until = float("inf")
    for each in requirements:
        fact = known.get(each.fact)
        if fact is None:
            return NEVER
        until = min(until, fact.until, _fulfilled_until(each, fact.value, wall))
    return until if until > wall else NEVER


def misfit(asked: Requirement, found: Fact) -> str:
    """What it asks for, in words, where what is found is nothing of that type; else empty."""
    fits = (
        _moment(found) is not None
        if asked.operator == "within"
        else _comparable(asked.type, found) is not None
    )
    return "" if fits else TYPES[asked.type]


def _fulfilled_until(asked: Requirement, found: Fact, wall: float) -> float:
    if asked.operator == "within":
        at = _moment(found)
        return NEVER if at is None or at > wall or isinstance(asked.value, str) else at + asked.value
    one, other = _comparable(asked.type, found), _comparable(asked.type, asked.value)
    compare = _COMPARE.get(asked.operator)
    if one is None or other is None or compare is None:
        return NEVER
    return float("inf") if compare(one, other) else NEVER


def _comparable(type_: str, value: Fact) -> object | None:
    """What values of a type are compared by; None for one that is not of the type."""
    match type_, value:
        case ("boolean", bool()):
            return value
        case ("integer", int()) if not isinstance(value, bool):
            return value
        case ("string", str()):
            return value
        case ("version", str()) if _VERSION.fullmatch(value):
            return _version(value)
        case _:
            return None


def _version(text: str) -> tuple[int, ...]:
    """Number by number; what is not written is 0, so `14` is `14.0`."""
    parts = [int(each) for each in text.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _moment(value: Fact) -> float | None:
    """Unix seconds, or a date or time of ISO 8601; a date begins at midnight, all of it in UTC."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return float(value)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if found.tzinfo is None:
        if not _DATE.fullmatch(value):
            return None  # an hour of nobody knows which zone
        found = found.replace(tzinfo=UTC)
    return found.timestamp()
