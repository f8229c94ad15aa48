"""Sets of addresses, people and hours in words, as one policy calls them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from segc.analysis.conflicts.moments import BEGIN, END, WEEK
from segc.analysis.conflicts.people import Who
from segc.analysis.relation import own_addresses
from segc.enforcement.places import AreaIndex
from segc.plan.guards import Guard, Hours
from segc.plan.people import base, people_of
from segc.policy.calendar import DAYS, MINUTES_PER_DAY, timezone
from segc.policy.model import Group, Policy, Subject, Zone
from segc.space.intervals import Intervals, subtract
from segc.space.prefixes import EMPTY, PrefixSet, union

NAMED = 6
EXCEPTED = 3
BOTH = frozenset((4, 6))
PEOPLE = 4  # told by name


class Names:
    """The names that a policy gives to addresses; what is a gateway's own is called after the gateway.

    `groups` are those of both policies (`Subjects.groups`).
    """

    def __init__(self, policy: Policy, groups: Mapping[str, Group]) -> None:
        self.policy, self.own, self.groups = policy, own_addresses(policy), groups
        self._zones = [zone for zone in policy.zones.values() if zone.space]
        self._index = AreaIndex([zone.space for zone in self._zones])
        plain = ((name, end) for name, end in policy.sets.items() if len(end.parts) == 1)
        self._sets = {end.parts[0].space - self.own: name for name, end in plain}
        self._all = union(zone.space for zone in self._zones) - self.own

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

    def place(self, space: PrefixSet, gateways: Iterable[str], families: frozenset[int]) -> str:
        """`hr, finance.erp, 10.9.9.0/28`; parts of zones only in the families of the other end."""
        texts = [f"gateway {name}" for name in gateways]
        lone = ((each.name, each.own & space) for each in self.policy.gateways.values())
        texts += [f"gateway {name} ({here})" for name, here in lone if here]
        space -= self.own
        if space and self._all <= space:
            texts.append("any")
        elif space in self._sets:
            texts.append(self._sets[space])
        else:
            texts += self._parts(space, families)
        if len(texts) > 1:
            texts = [f"({text})" if " except " in text else text for text in texts]
        return ", ".join(texts[:NAMED]) + (f" and {len(texts) - NAMED} more" if len(texts) > NAMED else "")

    def _parts(self, space: PrefixSet, families: frozenset[int]) -> Iterator[str]:
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
            if hosts := _exactly(zone, here):
                yield from hosts
                continue
            found, unnamed = _by_family(zone, whole, families & here.families or here.families, here)
            but = whole - here
            few = sum(len(but.ranges(family)) for family in BOTH) <= EXCEPTED
            if unnamed and few and len(f"{zone.name} except {but}") < len(", ".join([*found, str(unnamed)])):
                yield f"{zone.name} except {but}"
            else:
                yield from found
                rest.append(unnamed)
        rest.append(space - union(zone.space for zone in self.zones(space)))
        if left := union(rest):
            yield str(left)

    def who(self, who: Who) -> str:
        """`group finance (3 people)`; `ana@acme.example (group finance)` where that is who came or went;
        nothing for anybody."""
        asked = {base(each) for each in who.subjects}
        came = {each for each in who.without if each != base(each) and base(each) in asked}
        went = {each for each in who.without - came if each in asked and each not in who.subjects}
        outside = who.without - came - went
        lacks = [f"not {each}" if each.kind == "user" else f"not in {each}" for each in sorted(outside)]
        known = people_of(who, self.groups) if came or went else None
        if known:
            return f"{_people(known)} ({', '.join([*map(str, sorted(asked)), *lacks])})"
        texts = [self._subject(each, who) for each in sorted(asked)]
        texts += ["not in it before"] * bool(came) + ["not in it any more"] * bool(went)
        return ", ".join([*texts, *lacks])

    def _subject(self, subject: Subject, who: Who) -> str:
        alike = frozenset(each for each in who.subjects if base(each) == subject)
        known = people_of(Who(alike), self.groups) if subject.kind == "group" else None
        return f"{subject} ({_counted(known)})" if known else str(subject)

    def conditions(self, guard: Guard) -> tuple[str, ...]:
        """`mfa`, `without posture managed`, `mon-fri 08:00-18:00`, `until 2027-03-31`."""
        facts = [*sorted(guard.facts), *(f"without {fact}" for fact in sorted(guard.lacks))]
        return (*facts, *self._hours(guard.hours))

    def _hours(self, hours: Hours) -> Iterator[str]:
        home = self.policy.timezone
        for zone, week in hours.weeks:
            yield _shorter(week) + (f" ({zone})" if zone != home else "")
        if hours.first != BEGIN:
            yield f"from {_moment(hours.first, home)}"
        if hours.last != END:
            last = _moment(hours.last, home)
            day = " " not in last
            yield f"until {_moment(hours.last - 1, home)[:10] if day else last}"


def _by_family(
    zone: Zone, whole: PrefixSet, families: frozenset[int], here: PrefixSet
) -> tuple[list[str], PrefixSet]:
    """What a part of a zone is called family by family, and what of it has no name."""
    names: list[str] = []
    unnamed = EMPTY
    for family in sorted(families):
        part = here.only(family)
        found = [zone.name] if whole.only(family) <= part else _exactly(zone, part, family)
        names += [f"{name} over IPv{family}" for name in found]
        unnamed |= EMPTY if found else part
    return names, unnamed


def _exactly(zone: Zone, space: PrefixSet, family: int = 0) -> list[str]:
    """The hosts of a zone, or what they have of one family, that make up a space; none where they do not."""
    parts = {h.name: h.space.only(family) if family else h.space for h in zone.hosts}
    inside = {name: part for name, part in parts.items() if part and part <= space}
    return [f"{zone.name}.{name}" for name in inside] if space <= union(inside.values()) else []


def _people(known: frozenset[str]) -> str:
    """`ana@acme.example, bo@acme.example and 3 more`."""
    names = sorted(known)
    more = f" and {len(names) - PEOPLE:,} more" if len(names) > PEOPLE else ""
    return ", ".join(names[:PEOPLE]) + more


def _counted(known: frozenset[str]) -> str:
    return f"{len(known):,} {'person' if len(known) == 1 else 'people'}"


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


def _shorter(week: Intervals) -> str:
    """Hours, or where that is shorter those that they leave out."""
    text, others = week_text(week), week_text(subtract(((0, WEEK - 1),), week))
    return min(text, f"outside {others}", key=len) if others else text


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
