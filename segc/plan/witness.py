"""One packet for a change, as `segc trace` would be asked for it in each of the two policies."""

from __future__ import annotations

from segc.plan.align import AFTER, BEFORE, Aligned
from segc.plan.difference import Difference, Rectangle
from segc.plan.guards import Guard, moment_of
from segc.plan.model import Witness
from segc.policy.claims import Claims
from segc.space.addresses import address_text
from segc.space.prefixes import PrefixSet
from segc.space.protocols import PORT_NUMBERS
from segc.space.services import ServiceSet
from segc.space.typical import typical

FAMILIAR = ((6, 443), (6, 80), (6, 22))  # what people would try first, where there is a choice


def witness(difference: Difference, aligned: Aligned, guard: Guard, rectangle: Rectangle) -> Witness:
    """The lowest packet of a rectangle, by somebody for whom the guard holds, when it holds."""
    services = difference.service_set(rectangle.services)
    source, destination, family = _ends(difference, aligned, rectangle, services)
    people = difference.guards.people
    sender, receiver = people.least(guard.source)[0], people.least(guard.destination)[0]
    at = moment_of(guard.hours)
    assert at is not None, "a change without a moment is none"
    groups, peers = (
        [aligned.subjects.groups_of(person.directories, side) for side in (BEFORE, AFTER)]
        for person in (sender, receiver)
    )
    service = _service(services, family)
    return Witness(
        source, destination, service, sender.user, groups[BEFORE], groups[AFTER], "mfa" in guard.facts,
        tuple(sorted(fact.removeprefix("posture ") for fact in guard.facts - {"mfa"})),
        receiver.user, peers[BEFORE], peers[AFTER], at, f"{source} -> {destination} {service}",
    )  # fmt: skip


def claims(witness: Witness, side: int) -> tuple[Claims, Claims]:
    """The sessions of its two ends as one of the policies reads them."""
    groups = (witness.groups_before, witness.groups_after)[side]
    peers = (witness.peer_groups_before, witness.peer_groups_after)[side]
    sender = Claims(witness.user, frozenset(groups), witness.mfa, frozenset(witness.postures))
    return sender, Claims(witness.peer, frozenset(peers))


def _ends(
    difference: Difference, aligned: Aligned, rectangle: Rectangle, services: ServiceSet
) -> tuple[str, str, int]:
    """Two addresses of one family that has the services; a gateway by name where no address is known."""
    found: list[tuple[int, str, str, int]] = []
    for family in (4, 6):
        if services.exist_in(family):
            here, there = (_address(difference, mask, family) for mask in rectangle[:2])
            if here and there:
                named = ("gateway" in here) + ("gateway" in there)
                last = _last(difference, rectangle.destination, family)
                found.append((named, here, last if here == there and last else there, family))
    _, here, there, family = min(found)
    return here, there, family


def _address(difference: Difference, mask: int, family: int) -> str:
    space = difference.space_of(mask)
    gateways = difference.names_of(mask)
    for name in gateways:
        space = space | (difference.own[name] if name in difference.own else PrefixSet())
    if ranges := space.ranges(family):
        return address_text(typical(ranges, family)[0], family)
    return f"gateway {gateways[0]}" if gateways else ""


def _last(difference: Difference, mask: int, family: int) -> str:
    ranges = difference.space_of(mask).ranges(family)
    return address_text(typical(ranges, family)[1], family) if ranges else ""


def _service(services: ServiceSet, family: int) -> str:
    held = services.in_family(family)
    pick = next((each for each in FAMILIAR if held.contains(*each)), None) or _first(held)
    return str(ServiceSet(((pick[0], ((pick[1], pick[1]),)),)))


def _first(services: ServiceSet) -> tuple[int, int]:
    """The lowest service; no port 0, which cannot be asked for, if there is another."""
    for protocol, values in services.parts:
        for first, last in values:
            if protocol not in PORT_NUMBERS or last > 0:
                return protocol, max(first, int(protocol in PORT_NUMBERS))
    return services.first()
