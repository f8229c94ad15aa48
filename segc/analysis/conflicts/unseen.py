"""Verdicts between hosts of one VLAN that nothing on the way can give (`SEG310`).

Frames within a VLAN pass switches and bridges, never a gateway's ruleset. A deny among its hosts holds only
where no port forwards to another: where every port of the zone that the policy describes is isolated. There
an allow among them opens nothing. A zone without a VLAN may be tunnels that all end at the gateway; that it
is a link shows where hosts have MAC addresses or lease their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache, partial

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.dead import Losses
from segc.analysis.conflicts.survey import Clause, Region
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import End, Flow, Policy, Port, Zone
from segc.policy.topology import apart, untagged


def check_unseen(policy: Policy, context: Context, losses: Losses) -> Iterator[Diagnostic]:
    """Nothing where no gateway is described: what lies between hosts is then not known.

    `policy` has all flows, the context those that meet others.
    """
    if all(gateway.implicit for gateway in policy.gateways.values()):
        return
    closed = apart(policy)
    ports = _ports(policy)
    attached = {zone for gateway in policy.gateways.values() for zone in gateway.zones}
    links = _links(policy)
    for name, link in links.items():
        zone = policy.zones[name]
        if zone.isolated and name in attached and not ports.get(name):
            yield _nobody(zone, link)
    mute = {
        name: ports[name]
        for name, zone in policy.zones.items()
        if zone.isolated and _all_isolated(ports.get(name, []))
    }
    yield from _across(policy, links.keys() & {*closed, *mute})
    yield from _undelivered(policy, mute)
    shared = {
        context.survey.zones[zone.name]: zone
        for zone in map(policy.zones.__getitem__, links)
        if zone.name in context.survey.zones
        and not zone.isolated
        and not _all_isolated(ports.get(zone.name, []))
    }
    for flow in context.enforced("deny"):
        if flow not in losses.never:
            yield from _within(flow, shared, links, context)


def _links(policy: Policy) -> dict[str, str]:
    """The zones whose hosts reach each other past any gateway, each with what shows it."""
    leased = {zone for gateway in policy.gateways.values() for zone in gateway.dhcp_zones}
    found = {}
    for zone in policy.zones.values():
        if zone.external:
            continue
        if zone.vlan is not None:
            found[zone.name] = f"VLAN {zone.vlan}"
        elif zone.name in leased:
            found[zone.name] = "the link on which they lease addresses"
        elif any(host.mac for host in zone.hosts):
            found[zone.name] = "the link on which they have MAC addresses"
    return found


def _ports(policy: Policy) -> dict[str, list[Port]]:
    """The ports of switches and bridges by the zones that they carry."""
    found: dict[str, list[Port]] = {}
    nodes = [switch.ports for switch in policy.switches.values()]
    nodes += [i.ports for gateway in policy.gateways.values() for i in gateway.interfaces]
    for port in (port for ports in nodes for port in ports):
        for zone in (*untagged(policy, port), *port.trunk):
            found.setdefault(zone, []).append(port)
    return found


def _all_isolated(ports: list[Port]) -> bool:
    access = [port for port in ports if not port.trunk]
    return bool(access) and all(port.isolated for port in access)


def _nobody(zone: Zone, link: str) -> Diagnostic:
    return finding(
        "SEG310",
        f"nothing that the policy describes keeps hosts of zone `{zone.name}` apart",
        zone.span,
        f"`intra deny`, but no switch or bridge is described that carries {link}",
        help="describe the switch that its hosts are plugged into, or set up isolated ports on it yourself",
    )


def _undelivered(policy: Policy, mute: Mapping[str, Sequence[Port]]) -> Iterator[Diagnostic]:
    """Enforced allows that name hosts of one zone at both ends, of whose ports none forwards to another."""
    named = cache(partial(_named, policy))
    for flow in policy.flows if mute else ():
        if flow.action == "deny" or flow.staged:
            continue
        for name in sorted(mute.keys() & named(flow.source) & named(flow.destination)):
            yield finding(
                "SEG310",
                f"hosts of zone `{name}` cannot use this among themselves: all their ports are isolated",
                flow.span,
                "no frame gets from one to another",
                also=(Label(next(port for port in mute[name] if port.isolated).span, "isolated"),),
                help="take `isolated` from the port of the host that all talk to, or give it its own zone",
            )


def _named(policy: Policy, end: End) -> frozenset[str]:
    """The zones of which an end holds hosts, and not just because it holds hosts of every zone."""
    space = end.space
    return frozenset(name for name in end.zones if space.overlaps(policy.zones[name].space))


def _across(policy: Policy, closed: Set[str]) -> Iterator[Diagnostic]:
    """Hosts at several switches or bridges. Each keeps its own ports apart; between two of them that takes
    an isolated trunk where they meet, or an interface of a gateway for each.
    """
    homes = Counter(a.zone for gateway in policy.gateways.values() for a in gateway.attachments)
    nodes = [(switch.name, switch.ports) for switch in policy.switches.values()]
    nodes += [(g.name, i.ports) for g in policy.gateways.values() for i in g.interfaces if i.ports]
    shut = Counter(
        zone for _, ports in nodes for port in ports if port.isolated for zone in set(port.trunk) & closed
    )
    at: dict[str, list[tuple[str, Port]]] = {}
    for node, ports in nodes:
        first = {zone: port for port in reversed(ports) for zone in untagged(policy, port)}
        for zone in first.keys() & closed:
            at.setdefault(zone, []).append((node, first[zone]))
    for name, found in at.items():
        if len(found) > max(homes[name], shut[name] + 1):
            yield _together(policy.zones[name], *found[:2])


def _together(zone: Zone, one: tuple[str, Port], other: tuple[str, Port]) -> Diagnostic:
    return finding(
        "SEG310",
        f"nothing described keeps hosts of zone `{zone.name}` at `{one[0]}` and at `{other[0]}` apart",
        other[1].span,
        f"kept apart from other ports of `{other[0]}` only",
        also=(Label(zone.span, "`intra deny`"), Label(one[1].span, f"hosts at `{one[0]}`")),
        help="write `isolated` behind the trunks that lead down to each where they meet, "
        "or give the hosts at each a zone of their own",
    )


def _within(
    flow: Flow, shared: dict[int, Zone], links: dict[str, str], context: Context
) -> Iterator[Diagnostic]:
    """The zones inside which an enforced deny forbids what could pass."""
    survey = context.survey
    told: dict[Zone, tuple[Region, Gap]] = {}
    for clause in survey.by_flow[flow]:
        source, destination = survey.masks[clause.source], survey.masks[clause.destination]
        for number, zone in shared.items():
            inside = survey.masks[number]
            if source & inside and destination & inside and zone not in told:
                found = _forbidden(clause, inside, context)
                if found is not None:
                    told[zone] = found
    if told:
        yield _paper(flow, told, links, context)


def _forbidden(clause: Clause, inside: int, context: Context) -> tuple[Region, Gap] | None:
    """What of a deny lies between hosts of one zone, with a packet; None where there is no such traffic."""
    survey, region = context.survey, context.survey.region(clause)
    part = region._replace(source=region.source & inside, destination=region.destination & inside)
    lone = part.source == part.destination and survey.space_of(part.source).size < 2
    if lone or not survey.real(part):
        return None
    gap, _ = context.denies.of_region(part, lambda each: False)
    return None if gap is None else (part, gap)


def _paper(
    flow: Flow, told: dict[Zone, tuple[Region, Gap]], links: dict[str, str], context: Context
) -> Diagnostic:
    wording = context.wording
    part, gap = next(iter(told.values()))
    names = sorted(zone.name for zone in told)
    where = f"zone `{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return finding(
        "SEG310",
        f"no gateway sees what this deny forbids between hosts of {where}",
        flow.span,
        f"denies {wording.region(part)}",
        also=wording.labels(told, lambda zone: f"{links[zone.name]} joins them"),
        notes=(f"for instance: {wording.witness(gap).text} is denied on paper, and passes no gateway",),
        help="give these hosts a zone of their own, isolate the ports, or take the zone out with `except`",
    )
