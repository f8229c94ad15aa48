"""Sets of addresses, people and hours in words, as one policy calls them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from segc.analysis.conflicts.moments import BEGIN, END
from segc.analysis.conflicts.people import Who
from segc.enforcement.places import AreaIndex
from segc.plan.guards import Guard, Hours
from segc.plan.subjects import FORMER
from segc.policy.calendar import DAYS, MINUTES_PER_DAY, timezone
from segc.policy.model import Policy, Subject, Zone
from segc.space.intervals import Intervals
from segc.space.prefixes import PrefixSet, union

NAMED = 6
EXCEPTED = 3


class Names:
    """The names that a policy gives to addresses; what is a gateway's own (`own`) has none."""

    def __init__(self, policy: Policy, own: PrefixSet) -> None:
        self.policy, self.own = policy, own
        self._zones = [zone for zone in policy.zones.values() if zone.space]
        self._index = AreaIndex([zone.space for zone in self._zones])
        plain = ((name, end) for name, end in policy.sets.items() if len(end.parts) == 1)
        self._sets = {end.parts[0].space - own: name for name, end in plain}
        self._all = union(zone.space for zone in self._zones) - own

    def zones(self, space: PrefixSet) -> list[Zone]:
        """The zones that a set touches."""
        return [self._zones[each] for each in self._index.touching(space)]

    def tags(self, space: PrefixSet) -> frozenset[str]:
        """The tags that any address of a set carries, of its zone or of its own."""
        found: set[str] = set()
        for zone in self.zones(space):
            found |= zone.tags
            for host in zone.hosts:
                found |= host.tags if host.space.overlaps(space) else frozenset()
        return frozenset(found)

    def place(self, space: PrefixSet, gateways: Iterable[str] = ()) -> str:
        """`hr, finance.erp, 10.9.9.0/28`."""
        texts = [f"gateway {name}" for name in gateways]
        if space and self._all <= space:
            texts.append("any")
        elif space in self._sets:
            texts.append(self._sets[space])
        else:
            texts += self._parts(space)
        return ", ".join(texts[:NAMED]) + (f" and {len(texts) - NAMED} more" if len(texts) > NAMED else "")

    def _parts(self, space: PrefixSet) -> Iterator[str]:
        rest: list[PrefixSet] = []
        for zone in self.zones(space):
            whole, here = zone.space - self.own, zone.space & space
            if whole <= here:
                yield zone.name
                continue
            out = [h for h in zone.hosts if h.space and h.space <= whole - here]
            if out and len(out) <= EXCEPTED and whole - here <= union(host.space for host in out):
                yield f"{zone.name} except {', '.join(f'{zone.name}.{host.name}' for host in out)}"
                continue
            hosts = [h for h in zone.hosts if h.space and h.space <= here]
            if hosts and here <= union(host.space for host in hosts):
                yield from (f"{zone.name}.{host.name}" for host in hosts)
            else:
                rest.append(here)
        rest.append(space - union(zone.space for zone in self.zones(space)))
        if left := union(rest):
            yield str(left)

    def who(self, who: Who) -> str:
        """`group finance (3 people)`; nothing for anybody."""
        new = [s for s in sorted(who.subjects) if s._replace(name=s.name + FORMER) in who.without]
        texts = [self._subject(each) for each in sorted(who.subjects)]
        texts += ["not in it before"] if new else []
        outside = who.without - {s._replace(name=s.name + FORMER) for s in new}
        texts += [f"not {each}" if each.kind == "user" else f"not in {each}" for each in sorted(outside)]
        return " and ".join(texts[:1]) + "".join(f", {text}" for text in texts[1:])

    def _subject(self, subject: Subject) -> str:
        group = self.policy.groups.get(subject.name) if subject.kind == "group" else None
        if group is None or not group.users or group.directories:
            return str(subject)
        return f"{subject} ({len(group.users)} {'person' if len(group.users) == 1 else 'people'})"

    def conditions(self, guard: Guard) -> tuple[str, ...]:
        """`mfa`, `without posture managed`, `mon-fri 08:00-18:00`, `until 2027-03-31`."""
        facts = [*sorted(guard.facts), *(f"without {fact}" for fact in sorted(guard.lacks))]
        return (*facts, *self._hours(guard.hours))

    def _hours(self, hours: Hours) -> Iterator[str]:
        home = self.policy.timezone
        for zone, week in hours.weeks:
            yield week_text(week) + (f" ({zone})" if zone != home else "")
        if hours.first != BEGIN:
            yield f"from {_moment(hours.first, home)}"
        if hours.last != END:
            last = _moment(hours.last, home)
            day = " " not in last
            yield f"until {_moment(hours.last - 1, home)[:10] if day else last}"


def _moment(at: int, zone: str) -> str:
    """A local day where one begins, else a local time."""
    local = datetime.fromtimestamp(at, timezone(zone))
    return (
        f"{local:%Y-%m-%d}"
        if (local.hour, local.minute, local.second) == (0, 0, 0)
        else f"{local:%Y-%m-%d %H:%M}"
    )


def week_text(week: Intervals) -> str:
    """`mon-fri 08:00-18:00`; a stretch over midnight as `sun 22:00 to mon 06:00`."""
    days: dict[tuple[int, int], list[int]] = {}
    texts = []
    for first, last in week:
        day, start = divmod(first, MINUTES_PER_DAY)
        if last // MINUTES_PER_DAY == day:
            days.setdefault((start, last + 1 - day * MINUTES_PER_DAY), []).append(day)
        else:
            after, end = divmod(last + 1, MINUTES_PER_DAY)
            texts.append(f"{DAYS[day]} {_clock(start)} to {DAYS[after % 7]} {_clock(end)}")
    texts = [f"{_days(found)} {_clock(a)}-{_clock(b)}" for (a, b), found in days.items()] + texts
    return ", ".join(texts)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _days(days: list[int]) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[r[0]] if len(r) == 1 else f"{DAYS[r[0]]}-{DAYS[r[-1]]}" for r in runs)
