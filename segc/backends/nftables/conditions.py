"""Conditions of a flow as nft matches. Several lines where one rule cannot say it: any of them suffices."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from segc.enforcement.program import Grant, Rule
from segc.enforcement.timing import Window, seasons, windows
from segc.policy.model import Conditions, Schedule

FAMILIES = (("ip", "4"), ("ip6", "6"))


def time_matches(conditions: Conditions) -> tuple[str, ...]:
    """Each a match on the kernel's clock, with a trailing blank; `('',)` where time does not matter."""
    dates = ""
    if conditions.not_before is not None:
        dates += f"meta time >= {conditions.not_before} "
    if conditions.not_after is not None:
        dates += f"meta time < {conditions.not_after} "
    if conditions.schedule is None:
        return (dates,)
    return tuple(dates + match for match in _schedule_matches(conditions.schedule))


def _schedule_matches(schedule: Schedule) -> Iterator[str]:
    common, *special = seasons(schedule.timezone)
    for season in special:
        name = season_set(schedule.timezone, season.offset)
        yield from (f"meta time @{name} {match}" for match in _window_matches(schedule, season.offset))
    outside = "".join(f"meta time != @{season_set(schedule.timezone, s.offset)} " for s in special)
    yield from (outside + match for match in _window_matches(schedule, common.offset))


def _window_matches(schedule: Schedule, offset: int) -> Iterator[str]:
    for window in windows(schedule, offset):
        for days in _day_runs(window):
            hours = (
                ""
                if (window.first, window.last) == (0, 86399)
                else f"meta hour {window.first}-{window.last} "
            )
            yield days + hours


def _day_runs(window: Window) -> Iterator[str]:
    if len(window.days) == 7:
        yield ""
        return
    runs: list[list[int]] = []
    for day in window.days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    for run in runs:
        yield f"meta day {run[0]}-{run[-1]} " if len(run) > 1 else f"meta day {run[0]} "


def season_set(timezone: str, offset: int) -> str:
    return (
        f"season_{re.sub(r'[^A-Za-z0-9]', '_', timezone)}_{'east' if offset >= 0 else 'west'}_{abs(offset)}"
    )


def season_elements(timezone: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names and elements of the sets that tell the seasons of a time zone apart.

    The kernel compares nanoseconds: up to the second `last` would leave out what follows within it.
    """
    for season in seasons(timezone)[1:]:
        spans = tuple(f"{first}-{last + 1}" for first, last in season.spans)
        yield season_set(timezone, season.offset), spans


def grant_name(grant: Grant) -> str:
    """The name of a grant's session sets, less the family: readable, and told apart by a digest."""
    words = [grant.subject.kind[0], grant.subject.name, *(["mfa"] if grant.mfa else []), *grant.postures]
    slug = re.sub(r"[^A-Za-z0-9-]+", "_", ".".join(words))[:40].strip("_")
    digest = hashlib.blake2b(repr(grant).encode(), digest_size=4).hexdigest()
    return f"{slug}_{digest}"


def grant_matches(rule: Rule, established: bool) -> tuple[str, ...]:
    """Matches for the sessions that `rule` needs, one a family; `('',)` where it needs none.

    On an established connection the addresses are those of its opener, whichever way the packet goes.
    """
    if not rule.grants:
        return ("",)
    return tuple("".join(_family_matches(rule, *family, established)) for family in FAMILIES)


def _family_matches(rule: Rule, protocol: str, family: str, established: bool) -> Iterator[str]:
    source = f"ct original {protocol} saddr" if established else f"{protocol} saddr"
    destination = f"ct reply {protocol} saddr" if established else f"{protocol} daddr"
    yield from _memberships(source, family, [rule.source] if rule.source else [], rule.source_without)
    held = [rule.destination] if rule.destination else []
    yield from _memberships(destination, family, held, rule.destination_without)


def _memberships(key: str, family: str, held: Iterable[Grant], without: Iterable[Grant]) -> Iterator[str]:
    yield from (f"{key} @who{family}_{grant_name(grant)} " for grant in held)
    yield from (f"{key} != @who{family}_{grant_name(grant)} " for grant in without)
