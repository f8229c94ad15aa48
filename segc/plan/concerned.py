"""Which zones and tags a change beside the sets of packets concerns: those of all that rests on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segc.plan.model import Alteration
from segc.plan.words import Names
from segc.policy.model import Flow, Policy
from segc.space.prefixes import PrefixSet, union

Ends = tuple[PrefixSet, PrefixSet]


def zones_of(names: Iterable[Names], space: PrefixSet) -> tuple[str, ...]:
    """The zones that a set touches, by either policy's names."""
    return tuple(sorted({zone.name for each in names for zone in each.zones(space)}))


def tags_of(names: Iterable[Names], space: PrefixSet) -> tuple[str, ...]:
    """Of both policies: else whoever opens a regulated zone need only take its tag off as well."""
    return tuple(sorted(frozenset[str]().union(*(each.tags(space) for each in names))))


def placed(found: Iterable[Alteration], before: Policy, after: Policy) -> tuple[Alteration, ...]:
    """The alterations with their zones and tags."""
    found = tuple(found)
    policies = (before, after)
    names = [Names(policy, policy.groups) for policy in policies] if found else []
    return tuple(_placed(each, policies, names) for each in found)


def _placed(each: Alteration, policies: tuple[Policy, Policy], names: list[Names]) -> Alteration:
    ends = [pair for policy in policies for pair in _ends(each, policy)]
    source, destination = (union(pair[side] for pair in ends) for side in (0, 1))
    return each._replace(
        from_zones=zones_of(names, source),
        to_zones=zones_of(names, destination),
        from_tags=tags_of(names, source),
        to_tags=tags_of(names, destination),
    )


def _ends(each: Alteration, policy: Policy) -> Iterator[Ends]:
    """Source and destination of whatever rests on it."""
    if each.kind in ("dot1x", "refuse"):
        zone = policy.zones.get(each.name)
        if zone is not None:
            yield zone.space, zone.space
            flows = (flow for flow in policy.flows if flow.source.space.overlaps(zone.space))
            yield from ((zone.space, flow.destination.space) for flow in flows)
    elif each.kind == "publish":
        yield from _published(each.name, policy)
    elif each.kind == "masquerade":
        yield from _hidden(each.name, policy)
    else:
        flows = (flow for flow in policy.flows if not flow.staged and _rests(flow, each))
        yield from ((flow.source.space, flow.destination.space) for flow in flows)


def _rests(flow: Flow, each: Alteration) -> bool:
    if each.kind == "limit":
        return flow.id == each.name
    if each.kind == "posture":
        return each.name in flow.conditions.postures
    return not (flow.source.anybody and flow.destination.anybody)


def _published(name: str, policy: Policy) -> Iterator[Ends]:
    for gateway in policy.gateways.values():
        for publish in gateway.publishes:
            if publish.where(gateway.name) == name:
                interface = gateway.interface(publish.interface)
                assert interface.zone is not None, "the resolver refuses it otherwise"
                yield policy.zones[interface.zone].space, publish.target


def _hidden(name: str, policy: Policy) -> Iterator[Ends]:
    """What leaves by an interface, as far as its own zones are meant."""
    for gateway in policy.gateways.values():
        zones = {
            a.zone for a in gateway.attachments if gateway.interface(a.interface).where(gateway.name) == name
        }
        there = union(policy.zones[zone].space for zone in zones)
        for flow in policy.flows:
            if flow.destination.space.overlaps(there):
                yield flow.source.space, flow.destination.space & there
