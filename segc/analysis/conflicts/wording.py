"""Traffic in words, and one packet that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from segc.analysis.conflicts.atoms import bits
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.moments import ALWAYS, moment
from segc.analysis.conflicts.people import Person, Who
from segc.analysis.conflicts.survey import Clause, Region, Survey
from segc.analysis.witness import circumstances
from segc.diagnostics.model import Label
from segc.policy.claims import Claims, Situation
from segc.policy.model import Flow, Zone
from segc.space.addresses import Address, address
from segc.space.prefixes import PrefixSet, union
from segc.space.protocols import exists_in
from segc.space.services import ServiceSet
from segc.space.typical import typical
from segc.trace import Packet

SHOWN = 3
NAMED = 4
KEPT = 1024  # masks, of 50 KB each in a policy of 100,000 flows


class Witness(NamedTuple):
    """A packet for `segc.trace` (None where a gateway has no address to name) and the same in words."""

    packet: Packet | None
    situation: Situation
    text: str


class Wording:
    def __init__(self, survey: Survey) -> None:
        self.survey = survey

    @cached_property
    def _sets(self) -> dict[int, str]:
        """The masks of named sets."""
        survey = self.survey
        plain = {name: end for name, end in survey.policy.sets.items() if len(end.parts) == 1}
        return {survey.mask_of_space(end.parts[0].space - survey.own): name for name, end in plain.items()}

    @cached_property
    def _hosts(self) -> dict[PrefixSet, str]:
        zones, own = self.survey.policy.zones.values(), self.survey.own
        names = [(host.space - own, f"{zone.name}.{host.name}") for zone in zones for host in zone.hosts]
        return dict(reversed(names))

    def region(self, region: Region) -> str:
        """`group finance in vpn -> finance.erp : tcp/443`."""
        guard = self.survey.guards[region.guard]
        source = self._end(region.source, guard.source)
        destination = self._end(region.destination, guard.destination)
        return f"{source} -> {destination} : {short(self.survey.services.of_mask(region.services))}"

    def clauses(self, clauses: list[Clause]) -> str:
        texts = dict.fromkeys(self.region(self.survey.region(each)) for each in clauses)
        return "; ".join(list(texts)[:SHOWN]) + (" and more" if len(texts) > SHOWN else "")

    def _end(self, mask: int, who: Who) -> str:
        texts = [self._sets[mask]] if mask in self._sets else self._places(mask)
        place = ", ".join(texts[:NAMED]) + (f" and {len(texts) - NAMED} more" if len(texts) > NAMED else "")
        return f"{' and '.join(map(str, sorted(who.subjects)))} in {place}" if who.subjects else place

    @cached_property
    def _places(self) -> Callable[[int], list[str]]:
        """`_read`, of the masks that came last: ends come again and again."""
        return lru_cache(KEPT)(self._read)

    def _read(self, mask: int) -> list[str]:
        """A mask as gateways, zones and their hosts, and what is left. Masks are long: bits are taken out
        of one once."""
        texts: list[str] = []
        rest: list[PrefixSet] = []
        held = list(bits(mask))
        there = set(held)
        told: set[int] = set()
        for index in held:
            if index in told:
                continue
            zone = self._zone_at(index, there)
            if index in self.survey.gateways:
                texts.append(f"gateway {self.survey.gateways[index]}")
            elif zone < 0:
                rest.append(self.survey.spaces[index])
            elif self._classes[zone] <= there:
                told |= self._classes[zone]
                texts.append(self.survey.zone_names[zone])
            else:
                part = (self._classes[zone] & there) - told
                told |= part
                named, loose = self._part(zone, part)
                texts += named
                rest.append(loose)
        left = union(rest)
        return [*texts, str(left)] if left else texts

    @cached_property
    def _classes(self) -> dict[int, frozenset[int]]:
        """Those of each zone, by its expression."""
        return {zone: frozenset(self.survey.holders[zone]) for zone in self.survey.zone_names}

    def _zone_at(self, index: int, there: Set[int]) -> int:
        """The expression of the zone that a class lies in, of several one that is there whole; -1 without."""
        zones = [each for each in self.survey.members[index] if each in self._classes]
        if len(zones) < 2:
            return zones[0] if zones else -1
        return min(zones, key=lambda each: (not self._classes[each] <= there, self._order[each]))

    @cached_property
    def _order(self) -> dict[int, int]:
        """The place of each zone in the policy, by its expression."""
        return {number: place for place, number in reversed(list(enumerate(self.survey.zones.values())))}

    def _part(self, zone: int, part: Set[int]) -> tuple[list[str], PrefixSet]:
        """What some of a zone's classes are: all but hosts, or hosts and other addresses."""
        hosts, loose = self._hosts_of(sorted(part))
        if loose:
            without, others = self._hosts_of(sorted(self._classes[zone] - part))
            if not others and len(without) <= NAMED:
                return [f"{self.survey.zone_names[zone]} except {', '.join(without)}"], PrefixSet()
        return hosts, loose

    def _hosts_of(self, classes: Iterable[int]) -> tuple[list[str], PrefixSet]:
        """The hosts among classes, and the other addresses."""
        names: list[str] = []
        rest: list[PrefixSet] = []
        for space in (self.survey.spaces[index] for index in classes):
            if space in self._hosts:
                names.append(self._hosts[space])
            else:
                rest.append(space)
        return names, union(rest) if rest else PrefixSet()

    def witness(self, gap: Gap) -> Witness:
        source, destination = self._addresses(gap)
        at = moment(gap.times, self.survey.policy.timezone)
        sender, receiver = self._claims(gap.sender, gap), self._claims(gap.receiver)
        situation = Situation(sender, receiver, at)
        shown = Situation(sender, receiver, None if gap.times == ALWAYS else at)
        packet = None
        if source is not None and destination is not None:
            packet = Packet(source, destination, *gap.service)
        protocol, value = gap.service
        service = str(ServiceSet(((protocol, ((value, value),)),)))
        ends = [str(source or self._gateway(gap.source)), str(destination or self._gateway(gap.destination))]
        text = f"{' -> '.join(ends)} {service}{circumstances(shown, self.survey.policy.timezone)}"
        return Witness(packet, situation, text)

    def _addresses(self, gap: Gap) -> tuple[Address | None, Address | None]:
        spaces = self._space(gap.source), self._space(gap.destination)
        family = next((f for f in (4, 6) if exists_in(f, gap.service[0]) and _both(spaces, f)), None)
        if family is None:
            first = next((f for f in (4, 6) if any(space.ranges(f) for space in spaces)), None)
            family = first or 4
        here, there = (
            typical(space.ranges(family), family) if space.ranges(family) else None for space in spaces
        )
        same = gap.source == gap.destination
        return (address(here[0], family) if here else None, address(there[same], family) if there else None)

    def _space(self, index: int) -> PrefixSet:
        name = self.survey.gateways.get(index)
        return self.survey.spaces[index] if name is None else self.survey.policy.gateways[name].own

    def _gateway(self, index: int) -> str:
        return f"gateway {self.survey.gateways[index]}"

    def _claims(self, person: Person, facts: Gap | None = None) -> Claims:
        mfa, postures = (facts.guard.mfa, facts.guard.postures) if facts else (False, frozenset[str]())
        return Claims(person.user, self.survey.people.groups_of(person), mfa, postures)

    def labels(self, causes: Iterable[Flow | Zone], say: Callable[[Any], str]) -> tuple[Label, ...]:
        """The first few statements of a finding, each with what it does."""
        ordered = sorted(causes, key=lambda by: (by.span.path, by.span.start))
        found = [Label(by.span, say(by)) for by in ordered[:SHOWN]]
        if len(ordered) > SHOWN:
            found[-1] = Label(found[-1].span, f"{found[-1].text}, and {len(ordered) - SHOWN} more")
        return tuple(found)


def _both(spaces: tuple[PrefixSet, PrefixSet], family: int) -> bool:
    return all(space.ranges(family) for space in spaces)


def short(services: ServiceSet) -> str:
    """The services, the first few where there are many."""
    texts = str(services).split(", ")
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")
