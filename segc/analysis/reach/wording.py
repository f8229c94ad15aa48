"""Places and conditions in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from segc.analysis.conflicts.people import Who
from segc.analysis.conflicts.survey import Survey
from segc.analysis.reach.grants import Grant
from segc.analysis.reach.places import Place, split
from segc.policy import calendar
from segc.policy.model import Conditions, Flow, Schedule
from segc.space import intervals
from segc.space.prefixes import PrefixSet, union
from segc.space.services import ANY_SERVICE, ServiceSet

NAMED = 4  # hosts that are listed by name


class Names:
    """Masks of classes as the policy's own names."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self._texts: dict[ServiceSet, str] = {}

    @cached_property
    def _hosts(self) -> dict[str, list[tuple[str, PrefixSet]]]:
        return {
            zone.name: [(f"{zone.name}.{host.name}", host.space - self.survey.own) for host in zone.hosts]
            for zone in self.survey.policy.zones.values()
        }

    def parts(self, mask: int) -> Iterator[tuple[Place, str]]:
        """Each zone or gateway of a mask, and what of it the mask holds."""
        for place, part in split(mask, self.survey):
            yield place, self.part(place, part)

    def part(self, place: Place, mask: int) -> str:
        """`hr`, `hr.payroll`, `hr except hr.printer`, `hr (10.10.10.64/26)` or `gateway gw1`."""
        survey = self.survey
        if place.kind != "zone" or mask == survey.masks[survey.zones[place.name]]:
            return str(place)
        space, zone = survey.space_of(mask), survey.policy.zones[place.name]
        outside = zone.space - survey.own - space
        within, without = self._named(zone.name, space), self._named(zone.name, outside)
        if within is not None:
            return within
        if without is None and _intervals(outside) < _intervals(space):
            without = str(outside)
        return f"{zone.name} ({space})" if without is None else f"{zone.name} except {without}"

    def _named(self, zone: str, space: PrefixSet) -> str | None:
        """A set as hosts of a zone, if it is nothing else."""
        hosts = [(name, host) for name, host in self._hosts[zone] if host and host <= space]
        named = union(host for _, host in hosts) == space
        return ", ".join(name for name, _ in hosts) if named and len(hosts) <= NAMED else None

    def services(self, services: ServiceSet) -> str:
        """Services by their names in the policy, few of them, and in full what is left."""
        known = self._texts.get(services)
        if known is None:
            known = self._texts[services] = self._text(services)
        return known

    def _text(self, services: ServiceSet) -> str:
        chosen, rest = [], services
        for name, named in self._named_services if services != ANY_SERVICE else ():
            if rest and named.overlaps(rest) and named <= services:
                chosen.append((named.first(), name))
                rest = rest - named
        names = [name for _, name in sorted(chosen)]
        if not names or len(names) + _stretches(rest) > _stretches(services):
            return str(services)  # `tcp` is not `https` and the ports below and above it
        return ", ".join([*names, str(rest)] if rest else names)

    @cached_property
    def _named_services(self) -> list[tuple[str, ServiceSet]]:
        named = (each for each in self.survey.policy.services.items() if each[1])
        return sorted(named, key=lambda each: -_size(each[1]))


def _intervals(space: PrefixSet) -> int:
    return len(space.v4) + len(space.v6)


def _stretches(services: ServiceSet) -> int:
    return sum(len(values) for _, values in services.parts)


def _size(services: ServiceSet) -> int:
    return sum(intervals.count(values) for _, values in services.parts)


class Terms(NamedTuple):
    """Under what a grant holds: people at either end, facts of the source's session, times, and denies that
    take it from some or at times."""

    who: tuple[str, ...]
    to: tuple[str, ...]
    mfa: bool
    postures: tuple[str, ...]
    when: str | None
    first: str | None
    until: str | None
    limit: str | None
    unless: tuple[Flow, ...]

    @property
    def words(self) -> list[str]:
        words = [*self.who, *(f"to {each}" for each in self.to)]
        words += ["mfa"] if self.mfa else []
        words += [f"posture {name}" for name in self.postures]
        words += [self.when] if self.when else []
        words += [f"from {self.first}"] if self.first else []
        words += [f"until {self.until}"] if self.until else []
        words += [f"limit {self.limit}"] if self.limit else []
        return words + [f"unless denied by {deny.span.place}" for deny in self.unless]


def terms(grant: Grant, survey: Survey, asked: int = 0) -> Terms:
    """The terms of a grant, less who the question itself asks for (the number of its guard)."""
    guard, mine, flow = survey.guards[grant.box.guard], survey.guards[asked], grant.by
    conditions = flow.conditions if isinstance(flow, Flow) else Conditions()
    limit = flow.limit if isinstance(flow, Flow) else None
    zone, first, last = survey.policy.timezone, conditions.not_before, conditions.not_after
    return Terms(
        _who(guard.source, mine.source),
        _who(guard.destination, mine.destination),
        guard.mfa,
        tuple(sorted(guard.postures)),
        _hours(conditions.schedule) if conditions.schedule else None,
        _date(first, zone) if first is not None else None,
        _date(last - 1, zone) if last is not None else None,
        f"{limit.rate}/{limit.unit}" if limit else None,
        grant.partly,
    )


def _who(who: Who, asked: Who) -> tuple[str, ...]:
    without = (f"not {each}" for each in sorted(who.without - asked.without))
    return (*map(str, sorted(who.subjects - asked.subjects)), *without)


def _hours(schedule: Schedule) -> str:
    return f"{_days(schedule)} {_clock(schedule.start)}-{_clock(schedule.end)}"


def _days(schedule: Schedule) -> str:
    """`mon-fri`, `sat,sun`, `daily`."""
    if len(schedule.days) == len(calendar.DAYS):
        return "daily"
    runs = intervals.normalize((day, day) for day in schedule.days)
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    days = calendar.DAYS
    return days[first] if first == last else f"{days[first]}{'-' if last - first > 1 else ','}{days[last]}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _date(at: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(at, calendar.timezone(zone)):%Y-%m-%d}"
