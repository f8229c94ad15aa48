"""Zones and flows against gateways: is there a place where each is enforced, and a next hop for its hosts?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Attachment, Flow, Gateway, Interface, Policy, Zone
from segc.policy.topology import Position, ZoneIndex, apart, position, untagged
from segc.source import Span


def check_placement(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG209`, `SEG213`, `SEG215`, `SEG216`, `SEG223`, `SEG319`; nothing where no gateway is described."""
    gateways = [gateway for gateway in policy.gateways.values() if not gateway.implicit]
    yield from _mixed_segments(policy, gateways)
    if not gateways:
        return
    positions = [position(policy, gateway) for gateway in gateways]
    yield from map(_nowhere_at_work, (each for each in gateways if not each.attachments))
    yield from _unreached(policy, positions)
    yield from _unenforced(policy, positions)
    for gateway in gateways:
        yield from _without_address(policy, gateway)
        yield from _on_the_first(gateway)
    yield from _shared_addresses(gateways)


def _nowhere_at_work(gateway: Gateway) -> Diagnostic:
    return finding(
        "SEG319",
        f"the gateway `{gateway.name}` has an interface in no zone, so it lets nothing in, out or through",
        gateway.span,
        "every address is that of a stranger there",
        help="attach it to its zones, as in `interface lan0 { zone hr }`, or delete it",
    )


def _unreached(policy: Policy, positions: Iterable[Position]) -> Iterator[Diagnostic]:
    reached = {zone for seen in positions for zone in seen.devices}
    for zone in policy.zones.values():
        if zone.name not in reached and (zone.space or zone.vlan is not None):
            yield finding(
                "SEG209",
                f"no gateway has an interface in zone `{zone.name}`",
                zone.span,
                "and none reaches it by way of another gateway",
                help="attach it to a gateway with `zone` or `trunk` on an interface",
            )


def _unenforced(policy: Policy, positions: Sequence[Position]) -> Iterator[Diagnostic]:
    """Flows of which some zone's part is enforced nowhere. Zones that nobody reaches are told once each."""
    if any(_sees_all_apart(policy, seen) for seen in positions):
        return
    reached = {zone for seen in positions for zone in seen.devices}
    index = ZoneIndex(zone for zone in policy.zones.values() if zone.name in reached)
    known: dict[tuple[int, int], tuple[str, str] | None] = {}
    for flow in policy.flows:
        ends = id(flow.source), id(flow.destination)
        if ends not in known:
            known[ends] = _gap(index.zones(flow.source.space), index.zones(flow.destination.space), positions)
        gap = known[ends]
        if gap is not None:
            yield _nowhere(flow, *(policy.zones[name] for name in gap))


def _sees_all_apart(policy: Policy, seen: Position) -> bool:
    """Whether this one gateway stands between any two zones."""
    alone = Counter(devices for devices in seen.devices.values() if len(devices) == 1)
    return len(seen.devices) == len(policy.zones) and all(count == 1 for count in alone.values())


def _gap(
    sources: list[str], destinations: list[str], positions: Sequence[Position]
) -> tuple[str, str] | None:
    """A zone of one end that meets no zone of the other end at any gateway, with such a zone."""
    for source in sources:
        others = [zone for zone in destinations if zone != source]
        if others and source not in destinations and not _any_between([source], others, positions):
            return source, others[0]
    for destination in destinations:
        others = [zone for zone in sources if zone != destination]
        if others and destination not in sources and not _any_between(others, [destination], positions):
            return others[0], destination
    return None


def _any_between(sources: Iterable[str], destinations: Sequence[str], positions: Sequence[Position]) -> bool:
    return any(seen.stands_between(a, b) for a in sources for b in destinations for seen in positions)


def _nowhere(flow: Flow, source: Zone, destination: Zone) -> Diagnostic:
    return finding(
        "SEG213",
        f"no gateway stands between `{source.name}` and `{destination.name}`",
        flow.span,
        "enforced nowhere",
        also=(Label(source.span, "from this zone"), Label(destination.span, "to this one")),
        help="attach both zones to one gateway, or join their gateways by a zone that both are attached to",
    )


def _without_address(policy: Policy, gateway: Gateway) -> Iterator[Diagnostic]:
    """Where a gateway has addresses in zones, those of its zones or interfaces in which it has none."""
    if not gateway.own:
        return
    interfaces = {interface.name: interface for interface in gateway.interfaces}
    for zone, attachments in _by_zone(gateway).items():
        homes = [interfaces[each.interface] for each in attachments]
        lacking = _lacking(policy.zones[zone], gateway, homes)
        if lacking:
            yield finding(
                "SEG215",
                f"gateway `{gateway.name}` has no {lacking} address in zone `{zone}`",
                _place(zone, homes[0]),
                "attached here",
                also=(Label(policy.zones[zone].span, f"has {lacking} subnets"),),
                help=f"add `address {zone} ADDRESS/LENGTH`, the next hop of its hosts",
            )
        elif zone not in gateway.addresses and not policy.zones[zone].external:
            yield from _bare(policy.zones[zone], gateway, homes)


def _bare(zone: Zone, gateway: Gateway, homes: Sequence[Interface]) -> Iterator[Diagnostic]:
    """The interfaces of a zone that have no address, where others there have their own."""
    given = [home for home in homes if home.zone == zone.name and (home.addresses or home.dhcp)]
    for home in homes if given else ():
        if home not in given:
            yield finding(
                "SEG215",
                f"gateway `{gateway.name}` has no address on `{home.name}` in zone `{zone.name}`",
                _place(zone.name, home),
                "attached here",
                also=(Label(_place(zone.name, given[0]), "has its own"),),
                help="give this interface its own `address` too, the next hop of the hosts behind it"
                if home.zone == zone.name
                else f"make them ports of one bridge, or take `{zone.name}` off all but one",
            )


def _lacking(zone: Zone, gateway: Gateway, homes: Sequence[Interface]) -> str:
    if zone.external or any(home.dhcp and home.zone == zone.name for home in homes):
        return ""
    given = [
        *gateway.addresses.get(zone.name, ()),
        *(address for home in homes for address in home.addresses),
    ]
    families = {address.version for address in given if address.ip in zone.space}
    return " or ".join(f"IPv{v}" for v in (4, 6) if zone.space.ranges(v) and v not in families)


def _on_the_first(gateway: Gateway) -> Iterator[Diagnostic]:
    """Zones on several devices: which of them an address belongs to is not for their names to say."""
    interfaces = {interface.name: interface for interface in gateway.interfaces}
    by_zone = _by_zone(gateway)
    for zone in gateway.addresses:
        homes = sorted(by_zone.get(zone, ()))
        if len(homes) < 2:
            continue
        first, *others = homes
        listed = ", ".join(f"`{each.device}`" for each in others)
        tagged = any(each.vlan is not None for each in homes)
        yield finding(
            "SEG223",
            f"`address {zone}` of gateway `{gateway.name}` is for `{first.device}` alone, not for {listed}",
            _place(zone, interfaces[others[0].interface]),
            f"zone `{zone}` sits here as well",
            also=(Label(_place(zone, interfaces[first.interface]), "first by name, so it has all of it"),),
            help=f"make them ports of one bridge, or take `{zone}` off all but one"
            if tagged
            else f"write each where it belongs: `interface {others[0].device} {{ zone {zone}  address … }}`",
        )


def _by_zone(gateway: Gateway) -> dict[str, list[Attachment]]:
    found: dict[str, list[Attachment]] = {}
    for each in gateway.attachments:
        found.setdefault(each.zone, []).append(each)
    return found


def _place(zone: str, interface: Interface) -> Span:
    if zone == interface.zone or zone in interface.trunk:
        return interface.span
    return next(port.span for port in interface.ports if zone == port.access or zone in port.trunk)


def _shared_addresses(gateways: Sequence[Gateway]) -> Iterator[Diagnostic]:
    for number, gateway in enumerate(gateways):
        for other in gateways[:number]:
            common = gateway.own & other.own
            if common and gateway.span is not None and other.span is not None:
                yield finding(
                    "SEG216",
                    f"the gateways `{other.name}` and `{gateway.name}` have an address in common",
                    gateway.span,
                    f"has {common}",
                    also=(Label(other.span, "so has this one"),),
                    help="give each its own address",
                )


def _mixed_segments(policy: Policy, gateways: Iterable[Gateway]) -> Iterator[Diagnostic]:
    """Zones with `intra deny` where some hosts may talk: all traffic passes between their ports."""
    mixed = {zone.name for zone in policy.zones.values() if zone.isolated} - apart(policy)
    nodes = [(switch.name, switch.ports) for switch in policy.switches.values()]
    nodes += [(gateway.name, interface.ports) for gateway in gateways for interface in gateway.interfaces]
    for node, ports in nodes:
        for zone in sorted({zone for port in ports for zone in untagged(policy, port)} & mixed):
            shared = [port for port in ports if zone in untagged(policy, port) and not port.isolated]
            if len(shared) > 1:
                yield finding(
                    "SEG213",
                    f"nothing on `{node}` stands between hosts of zone `{zone}`, where only some may talk",
                    policy.zones[zone].span,
                    "`intra deny`, but a flow allows some of it",
                    also=(Label(shared[0].span, "the ports of one VLAN"),),
                    help="give hosts that talk a zone of their own, or write `isolated` behind the ports",
                )
