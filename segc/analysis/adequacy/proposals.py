"""The missing tests: for a mutant that nothing notices, the plainest line that would.

Lines are tried from the general to the single packet: the statement's own ends, then the zone, the host and
the address at which the difference shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import product
from typing import NamedTuple

from segc.analysis.adequacy.mutants import Mutant
from segc.analysis.adequacy.noticing import Masks, Scene, mutated, passes
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.moments import moment
from segc.analysis.conflicts.people import Person
from segc.analysis.reach.places import split
from segc.analysis.reach.wording import Names
from segc.policy.calendar import timezone
from segc.policy.model import End, Expectation, Part, Subject
from segc.source import Span
from segc.space.addresses import address_text
from segc.space.prefixes import PrefixSet, parse_prefixes
from segc.space.protocols import exists_in
from segc.space.services import ServiceSet, parse_service

EXAMPLES = tuple(map(parse_prefixes, ("203.0.113.10", "198.51.100.10", "3fff::10")))  # RFC 5737, RFC 9637
BEYOND = 9  # the first address of a subnet
HOSTS = 8  # of a zone that are tried by name
NOWHERE = Span("", 0, 0, 1)
# What one would look for first behind an open door: remote administration, file shares, names.
LIKELY = tuple(
    parse_service(*each) for each in (("tcp", "22"), ("tcp", "3389"), ("tcp", "445"), ("udp", "53"))
)


class Proposal(NamedTuple):
    """A line of a `test`: its text, what it means, and the classes that it speaks of."""

    text: str
    line: Expectation
    masks: Masks


class Side(NamedTuple):
    end: End
    mask: int


def propose(mutant: Mutant, gap: Gap, scene: Scene, names: Names) -> Proposal | None:
    """The first line that holds of the policy and not of the mutant; None where no line can say it."""
    return next((each for each in _candidates(mutant, gap, scene, names) if tells(each, mutant, scene)), None)


def tells(proposal: Proposal, mutant: Mutant, scene: Scene) -> bool:
    """Whether a line holds of the policy and not of a mutant."""
    policy = scene.around(proposal.masks, proposal.line.services)
    return passes(proposal.line, policy) and not passes(proposal.line, mutated(policy, mutant))


def _candidates(mutant: Mutant, gap: Gap, scene: Scene, names: Names) -> Iterator[Proposal]:
    flow, zone = mutant.flow, scene.policy.timezone
    own = scene.masks(scene.survey.by_flow[flow])
    addresses = _addresses(gap, scene)
    sources = [Side(flow.source, own[0]), *_sides(gap.source, addresses[0], gap.sender, scene)]
    destinations = [
        Side(flow.destination, own[1]),
        *_sides(gap.destination, addresses[1], gap.receiver, scene),
    ]
    facts = gap.guard.mfa, tuple(sorted(gap.guard.postures))
    moments = dict.fromkeys((None, moment(gap.times, zone)))
    for services, source, destination, at in product(_services(mutant, gap), sources, destinations, moments):
        action = "deny" if mutant.opens else "allow"
        line = Expectation(action, source.end, destination.end, services, *facts, at, NOWHERE)
        yield Proposal(_text(line, names, zone), line, (source.mask, destination.mask))


def _services(mutant: Mutant, gap: Gap) -> list[ServiceSet]:
    protocol, value = gap.service
    shown = ServiceSet(((protocol, ((value, value),)),))
    wider = mutant.into is not None and mutant.into.services != mutant.flow.services
    return [*LIKELY, shown] if wider else [mutant.flow.services, shown]


def _addresses(gap: Gap, scene: Scene) -> tuple[PrefixSet, PrefixSet]:
    """An address at each end, of one family; nothing at a gateway."""
    spaces = scene.survey.spaces[gap.source], scene.survey.spaces[gap.destination]
    families = (f for f in (4, 6) if exists_in(f, gap.service[0]))
    family = next(f for f in families if all(not space or space.ranges(f) for space in spaces))
    here, there = (_one(space, family) if space else space for space in spaces)
    return here, there


def _one(space: PrefixSet, family: int) -> PrefixSet:
    """An address that looks like a host's: one for documentation, or else not the first of its subnet."""
    for example in EXAMPLES:
        if example <= space.only(family):
            return example
    first, last = space.ranges(family)[0]
    return parse_prefixes(address_text(min(first + BEYOND, last), family))


def _sides(node: int, address: PrefixSet, person: Person, scene: Scene) -> Iterator[Side]:
    """What a class may be called: a gateway, people in its zone, its zone, a host of it, an address."""
    survey = scene.survey
    ((place, mask),) = split(1 << node, survey)
    if place.kind == "gateway":
        yield Side(End(str(place), (), (place.name,)), mask)
        return
    zone = survey.policy.zones[place.name]
    whole = survey.masks[survey.zones[zone.name]]
    for subject in _subjects(person, scene):
        yield Side(End(f"{subject} in {zone.name}", (Part(zone.space, subject),)), whole)
    if person == Person():
        yield Side(End(zone.name, (Part(zone.space),)), whole)
        for host in zone.hosts[:HOSTS]:
            hosts = survey.mask_of_space(host.space - survey.own)
            if hosts:
                yield Side(End(f"{zone.name}.{host.name}", (Part(host.space),)), hosts)
        yield Side(End(str(address), (Part(address),)), mask)


def _subjects(person: Person, scene: Scene) -> Iterator[Subject]:
    if person.user is not None:
        yield Subject("user", person.user)
    drawn = scene.survey.people.directories
    yield from (Subject("group", name) for name in drawn if drawn[name] & person.directories)


def _text(line: Expectation, names: Names, zone: str) -> str:
    facts = (["mfa"] if line.mfa else []) + [f"posture {name}" for name in line.postures]
    words = [line.action, line.source.text, "->", line.destination.text, ":", names.services(line.services)]
    words += [f"with {', '.join(facts)}"] if facts else []
    words += [f'at "{datetime.fromtimestamp(line.at, timezone(zone)):%Y-%m-%d %H:%M}"'] if line.at else []
    return " ".join(words)
