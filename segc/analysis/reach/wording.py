"""Places and conditions in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from segc.analysis.conflicts.people import ANYBODY, Who
from segc.analysis.conflicts.survey import Survey
from segc.analysis.reach.grants import Grant
from segc.analysis.reach.matrix import Place, split
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
        within = self._named(zone.name, space)
        without = self._named(zone.name, zone.space - survey.own - space)
        if within is not None:
            return within
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
        names, rest = [], services
        for name, named in self._named_services if services != ANY_SERVICE else ():
            if rest and named.overlaps(rest) and named <= services:
                names.append(name)
                rest = rest - named
        return ", ".join([*names, str(rest)] if rest or not names else names)

    @cached_property
    def _named_services(self) -> list[tuple[str, ServiceSet]]:
        named = (each for each in self.survey.policy.services.items() if each[1])
        return sorted(named, key=lambda each: -_size(each[1]))


def _size(services: ServiceSet) -> int:
    return sum(intervals.count(values) for _, values in services.parts)


def conditions(grant: Grant, survey: Survey, asked: Who = ANYBODY) -> list[str]:
    """What must hold for a grant, in words, less what the question already says; nothing if it always is."""
    guard, flow = survey.guards[grant.box.guard], grant.by
    words = [*_who(guard.source, asked), *(f"to {each}" for each in _who(guard.destination, asked))]
    words += ["mfa"] if guard.mfa else []
    words += [f"posture {name}" for name in sorted(guard.postures)]
    if isinstance(flow, Flow):
        words += _times(flow.conditions, survey.policy.timezone)
        words += [f"limit {flow.limit.rate}/{flow.limit.unit}"] if flow.limit else []
    words += [f"unless denied by {deny.span.place}" for deny in grant.partly]
    return words


def _who(who: Who, asked: Who) -> Iterator[str]:
    yield from map(str, sorted(who.subjects - asked.subjects))
    yield from (f"not {each}" for each in sorted(who.without - asked.without))


def _times(conditions: Conditions, zone: str) -> Iterator[str]:
    schedule = conditions.schedule
    if schedule is not None:
        yield f"{_days(schedule)} {_clock(schedule.start)}-{_clock(schedule.end)}"
    if conditions.not_before is not None:
        yield f"from {_date(conditions.not_before, zone)}"
    if conditions.not_after is not None:
        yield f"until {_date(conditions.not_after - 1, zone)}"


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
