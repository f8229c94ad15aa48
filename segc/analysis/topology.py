"""Gateways and switches against each other: does the VLAN that one expects come out of the other?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Gateway, Policy, Port, Switch
from segc.policy.topology import apart, untagged
from segc.source import Span


def check_topology(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG207` where a VLAN is cut off, and devices or nodes that are two things at once."""
    gateways = [gateway for gateway in policy.gateways.values() if not gateway.implicit]
    yield from _shared_names(policy)
    for gateway in gateways:
        yield from _devices(gateway)
        yield from _expected(policy, gateway)
        yield from _untagged_beside_tagged(policy, gateway)
        yield from _behind_no_port(gateway)
    if gateways:
        closed = apart(policy)
        for switch in policy.switches.values():
            yield from _uplinks(policy, switch, gateways)
            yield from _shut_in(policy, switch, closed)


def _shared_names(policy: Policy) -> Iterator[Diagnostic]:
    """Nodes whose folders would be one, on a file system that takes `GW` and `gw` for the same, too."""
    seen: dict[str, Gateway | Switch] = {}
    nodes: list[Gateway | Switch] = [*policy.gateways.values(), *policy.switches.values()]
    for node in sorted(nodes, key=lambda node: node.span or ()):
        first = seen.setdefault(node.name.casefold(), node)
        if first is not node and node.span is not None:
            yield _one_folder(first, node, node.span)


def _one_folder(first: Gateway | Switch, node: Gateway | Switch, span: Span) -> Diagnostic:
    kind, other = (("gateway" if isinstance(each, Gateway) else "switch") for each in (node, first))
    same = f"called `{node.name}`" if first.name == node.name else "alike but for the case of letters"
    return finding(
        "SEG102",
        f"a {other} and {'another' if kind == other else 'a'} {kind} are {same}",
        span,
        f"this {kind}",
        also=(Label(first.span, f"and this {other}"),) if first.span else (),
        notes=() if first.span else ("a policy without gateways has one of this name",),
        help="rename one of them: what is compiled for a node goes into a folder of its name",
    )


def _devices(gateway: Gateway) -> Iterator[Diagnostic]:
    """A device is an interface, a sub-interface, or a port of one bridge."""
    seen = {interface.name: interface.span for interface in gateway.interfaces}
    for attachment in gateway.attachments:
        first = seen.setdefault(attachment.device, seen[attachment.interface])
        if attachment.vlan is not None and first is not seen[attachment.interface]:
            yield _twice(attachment.device, seen[attachment.interface], first)
    for interface in gateway.interfaces:
        for port in interface.ports:
            first = seen.setdefault(port.name, port.span)
            if first is not port.span:
                yield _twice(port.name, port.span, first)


def _twice(device: str, span: Span, first: Span) -> Diagnostic:
    return finding(
        "SEG210",
        f"`{device}` cannot be two devices of one gateway",
        span,
        "again here",
        also=(Label(first, "first here"),),
        help="keep one of them, or rename it",
    )


def _expected(policy: Policy, gateway: Gateway) -> Iterator[Diagnostic]:
    """Zones on a trunk of the gateway that no trunk of a switch brings.

    A trunk that has nothing in common with any switch leads to one that the policy does not describe.
    """
    trunks = {zone for switch in policy.switches.values() for zone in _trunked(switch)}
    switched = (port for switch in policy.switches.values() for port in switch.ports)
    used = trunks.union(*(untagged(policy, port) for port in switched))
    for interface in gateway.interfaces:
        carriers = [(interface.trunk, interface.span), *((port.trunk, port.span) for port in interface.ports)]
        for zones, span in carriers:
            missing = [zone for zone in zones if zone not in trunks]
            if missing and not used.isdisjoint(zones):
                names = ", ".join(f"`{zone}`" for zone in missing)
                yield finding(
                    "SEG207",
                    f"gateway `{gateway.name}` expects {names}, which no trunk of a switch carries",
                    span,
                    ", ".join(f"VLAN {policy.zones[zone].vlan}" for zone in missing),
                    help="add it to the switch's trunk that leads to the gateway, or take it off here",
                )


def _untagged_beside_tagged(policy: Policy, gateway: Gateway) -> Iterator[Diagnostic]:
    """Zones that a gateway expects untagged on the cable to a trunk, which drops what is untagged."""
    trunks = {zone for switch in policy.switches.values() for zone in _trunked(switch)}
    for interface in gateway.interfaces:
        if interface.zone and not interface.bridge and not trunks.isdisjoint(interface.trunk):
            yield finding(
                "SEG207",
                f"gateway `{gateway.name}` expects `{interface.zone}` untagged on `{interface.name}`, "
                "where a trunk of a switch carries tagged frames only",
                interface.span,
                f"tagged here are {', '.join(f'`{zone}`' for zone in interface.trunk)}",
                help=f"write `trunk {', '.join(sorted({interface.zone, *interface.trunk}))}` at both ends, "
                "or bring it in by an interface of its own",
            )


def _behind_no_port(gateway: Gateway) -> Iterator[Diagnostic]:
    """Zones on a bridge that none of its ports leads to. One without ports is for others to fill."""
    for interface in gateway.interfaces:
        carried = {zone for port in interface.ports for zone in (port.access, *port.trunk)}
        for zone in (interface.zone, *interface.trunk) if interface.ports else ():
            if zone and zone not in carried:
                yield finding(
                    "SEG207",
                    f"no port of bridge `{interface.name}` of gateway `{gateway.name}` carries zone `{zone}`",
                    interface.span,
                    "a zone that ends in the gateway",
                    help=f"give it a port, as in `port p1 zone {zone}`, or take it off the bridge",
                )


def _trunked(switch: Switch) -> set[str]:
    return {zone for port in switch.ports for zone in port.trunk}


def _uplinks(policy: Policy, switch: Switch, gateways: Iterable[Gateway]) -> Iterator[Diagnostic]:
    """Zones with access ports whose frames no trunk takes on, though a gateway waits for them elsewhere."""
    others = [other for other in policy.switches.values() if other is not switch]
    shared = {zone for gateway in gateways for zone in _tagged(gateway)}
    shared |= {zone for other in others for zone in _trunked(other)}
    carried = _trunked(switch) & shared
    plugged = {zone for gateway in gateways for zone in _untagged(gateway)}
    attached = {zone for gateway in gateways for zone in gateway.zones}
    ports = {zone: port for port in reversed(switch.ports) for zone in untagged(policy, port)}
    for zone, port in sorted(ports.items()):
        if zone in attached and zone not in carried | plugged:
            yield finding(
                "SEG207",
                f"switch `{switch.name}` has ports in zone `{zone}`, and no trunk that takes it to a gateway",
                port.span,
                f"VLAN {policy.zones[zone].vlan} ends here",
                help=f"add `{zone}` to the trunk towards the gateway, at both of its ends",
            )


def _shut_in(policy: Policy, switch: Switch, closed: Collection[str]) -> Iterator[Diagnostic]:
    """Isolated ports whose zone has no other trunk on the switch than isolated ones."""
    uplinks: dict[str, list[Port]] = {}
    for port in switch.ports:
        for zone in port.trunk:
            uplinks.setdefault(zone, []).append(port)
    told = set()
    for port in switch.ports:
        for zone in untagged(policy, port):
            shut = (port.isolated or zone in closed) and all(each.isolated for each in uplinks.get(zone, ()))
            if shut and zone in uplinks and zone not in told:
                told.add(zone)
                yield finding(
                    "SEG207",
                    f"switch `{switch.name}` keeps zone `{zone}` from its trunk: both are isolated",
                    uplinks[zone][0].span,
                    f"isolated, and no other trunk here carries `{zone}`",
                    also=(Label(port.span, "isolated from it"),),
                    help="delete `isolated` behind the trunk that leads to the gateway",
                )


def _tagged(gateway: Gateway) -> set[str]:
    found = {zone for interface in gateway.interfaces for zone in interface.trunk}
    return found | {zone for i in gateway.interfaces for port in i.ports for zone in port.trunk}


def _untagged(gateway: Gateway) -> set[str | None]:
    """Zones that a cable from an access port of a switch may bring."""
    found = {interface.zone for interface in gateway.interfaces}
    return found | {port.access for i in gateway.interfaces for port in i.ports}
