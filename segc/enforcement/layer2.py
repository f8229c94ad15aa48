"""What gateways and switches must do with frames, free of any target's syntax.

IEEE 802.1Q: a port sends the frames of its port VLAN (PVID) untagged and those of other VLANs tagged, and
takes in no others. Trunks carry tagged frames only: an untagged one belongs to no zone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field

from segc.frozen import frozen
from segc.policy.model import Attachment, Gateway, Interface, InterfaceAddress, Policy, Port, Switch
from segc.policy.topology import apart, untagged
from segc.source import Span

PARKING = 999  # the custom of switch administrators for a VLAN that leads nowhere
HIGHEST_SPARE = 3999  # clear of what vendors keep to themselves: 1002 to 1005, and 4000 and up
LOWEST_SPARE = 2


@frozen
class BridgePort:
    """A port of a VLAN-aware bridge; isolated ports do not forward to each other."""

    name: str
    pvid: int | None
    tagged: tuple[int, ...]
    isolated: bool


@frozen
class Bridge:
    """A bridge; `pvid` and `tagged` are what reaches the gateway itself: `br0` and `br0.<vlan>`."""

    name: str
    pvid: int | None
    tagged: tuple[int, ...]
    ports: tuple[BridgePort, ...]

    @property
    def vlan_aware(self) -> bool:
        return bool(self.ports or self.tagged or self.pvid)


@frozen
class Device:
    """A layer-3 device; a sub-interface has `parent` and `vlan`. Addresses have their prefix length."""

    name: str
    zone: str | None
    parent: str | None
    vlan: int | None
    dhcp: bool
    addresses: tuple[str, ...]

    @property
    def bare(self) -> bool:
        """Whether it only carries others and has no part in any zone, not even by a link-local address."""
        return self.zone is None and not self.dhcp and not self.addresses


@frozen
class LinkPlan:
    """The devices of one gateway, parents before their sub-interfaces, each kind in order of names."""

    node: str
    bridges: tuple[Bridge, ...]
    devices: tuple[Device, ...]


@frozen
class SwitchVlan:
    """A zone's VLAN. `secondary` is a number that no zone uses, for platforms that isolate by private VLANs
    (RFC 5517); it has no meaning outside the switch, and is set where isolated ports need it.
    """

    number: int
    zone: str
    about: str
    secondary: int | None
    span: Span = field(compare=False, repr=False)


@frozen
class SwitchPort:
    """A port with its untagged VLAN, or its tagged ones, or those that 802.1X may put it into (`asked`)."""

    name: str
    access: SwitchVlan | None
    trunk: tuple[SwitchVlan, ...]
    asked: tuple[SwitchVlan, ...]
    isolated: bool
    open_to: SwitchVlan | None  # a VLAN in which it should be isolated, and is not as it may be in others
    dot1x: bool
    span: Span = field(compare=False, repr=False)


@frozen
class SwitchPlan:
    """VLANs by number and ports by name. `parking` is a VLAN without ports, for platforms where a trunk
    must have an untagged VLAN; None where all numbers are taken.
    """

    node: str
    platform: str
    vlans: tuple[SwitchVlan, ...]
    ports: tuple[SwitchPort, ...]
    parking: int | None
    span: Span = field(compare=False, repr=False)


def link_plan(policy: Policy, gateway: Gateway) -> LinkPlan:
    """The links of a gateway; of an implicit one, none."""
    closed = apart(policy)
    bridges = (_bridge(policy, each, closed) for each in gateway.interfaces if each.bridge)
    return LinkPlan(gateway.name, tuple(bridges), tuple(_devices(gateway)))


def _bridge(policy: Policy, interface: Interface, closed: Collection[str]) -> Bridge:
    ports = [_bridge_port(policy, port, closed) for port in interface.ports]
    pvid = policy.zones[interface.zone].vlan if interface.zone else None
    carried = {vlan for port in ports for vlan in (port.pvid, *port.tagged) if vlan is not None}
    tagged = carried | set(_numbers(policy, interface.trunk))
    ports.sort(key=lambda port: natural(port.name))
    return Bridge(interface.name, pvid, tuple(sorted(tagged - {pvid})), tuple(ports))


def _bridge_port(policy: Policy, port: Port, closed: Collection[str]) -> BridgePort:
    pvid = policy.zones[port.access].vlan if port.access else None
    return BridgePort(port.name, pvid, _numbers(policy, port.trunk), _isolated(port, closed))


def _isolated(port: Port, closed: Collection[str]) -> bool:
    return port.isolated or port.access in closed


def _numbers(policy: Policy, zones: Iterable[str]) -> tuple[int, ...]:
    vlans = (policy.zones[zone].vlan for zone in zones)
    return tuple(sorted(vlan for vlan in vlans if vlan is not None))


def _devices(gateway: Gateway) -> Iterator[Device]:
    """A zone on several devices has its gateway address on the first of them by name."""
    homes: dict[str, str] = {}
    tagged: dict[str, list[Attachment]] = {}
    for attachment in sorted(gateway.attachments):
        homes.setdefault(attachment.zone, attachment.device)
        if attachment.vlan is not None:
            tagged.setdefault(attachment.interface, []).append(attachment)
    given = {homes[zone]: addresses for zone, addresses in gateway.addresses.items() if zone in homes}
    for interface in gateway.interfaces:
        own = (*interface.addresses, *given.get(interface.name, ()))
        yield Device(interface.name, interface.zone, None, None, interface.dhcp, _sorted(own))
        for sub in sorted(tagged.get(interface.name, ()), key=lambda sub: sub.vlan or 0):
            addresses = _sorted(given.get(sub.device, ()))
            yield Device(sub.device, sub.zone, sub.interface, sub.vlan, False, addresses)


def _sorted(addresses: Iterable[InterfaceAddress]) -> tuple[str, ...]:
    unique = sorted(
        set(addresses), key=lambda address: (address.version, int(address.ip), address.network.prefixlen)
    )
    return tuple(str(address) for address in unique)


def switch_plan(policy: Policy, switch: Switch) -> SwitchPlan:
    """The VLANs and ports of a switch."""
    closed = apart(policy)
    isolated = {port.name for port in switch.ports if _isolated_on_switch(policy, port, closed)}
    private = {port.access for port in switch.ports if port.access and port.name in isolated}
    vlans = _switch_vlans(policy, switch, private)
    placed = [_switch_port(policy, port, vlans, port.name in isolated, closed) for port in switch.ports]
    return SwitchPlan(
        switch.name,
        switch.platform,
        _by_number(vlans.values()),
        tuple(sorted(placed, key=lambda port: natural(port.name))),
        _spare(PARKING, _taken(policy)),
        switch.span,
    )


def _isolated_on_switch(policy: Policy, port: Port, closed: Collection[str]) -> bool:
    zones = untagged(policy, port)
    return port.isolated or (bool(zones) and all(zone in closed for zone in zones))


def _switch_port(
    policy: Policy, port: Port, vlans: Mapping[str, SwitchVlan], isolated: bool, closed: Collection[str]
) -> SwitchPort:
    asked = _by_number(vlans[zone] for zone in untagged(policy, port) if port.dot1x)
    return SwitchPort(
        name=port.name,
        access=vlans[port.access] if port.access else None,
        trunk=_by_number(vlans[zone] for zone in port.trunk),
        asked=asked,
        isolated=isolated,
        open_to=None if isolated else next((vlan for vlan in asked if vlan.zone in closed), None),
        dot1x=port.dot1x,
        span=port.span,
    )


def _by_number(vlans: Iterable[SwitchVlan]) -> tuple[SwitchVlan, ...]:
    return tuple(sorted(vlans, key=lambda vlan: vlan.number))


def _switch_vlans(policy: Policy, switch: Switch, private: Collection[str]) -> dict[str, SwitchVlan]:
    taken = _taken(policy)
    taken.add(_spare(PARKING, taken) or PARKING)
    names = {zone for port in switch.ports for zone in (*untagged(policy, port), *port.trunk)}
    found = {}
    for zone in sorted((policy.zones[name] for name in names), key=lambda zone: zone.vlan or 0):
        assert zone.vlan is not None, "the resolver lets no zone without a VLAN onto a port"
        secondary = _spare(zone.vlan + 2000, taken) if zone.name in private else None
        taken.update(number for number in (secondary,) if number is not None)
        found[zone.name] = SwitchVlan(zone.vlan, zone.name, zone.about, secondary, zone.span)
    return found


def _taken(policy: Policy) -> set[int]:
    return {zone.vlan for zone in policy.zones.values() if zone.vlan is not None}


def _spare(wanted: int, taken: Collection[int]) -> int | None:
    """A VLAN number that is not taken: `wanted` if it can be, so that numbers stay when zones are added."""
    if LOWEST_SPARE <= wanted <= HIGHEST_SPARE and wanted not in taken:
        return wanted
    below = (number for number in range(HIGHEST_SPARE, 1005, -1) if number not in taken)
    return next(below, None)


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """Orders `1/0/2` before `1/0/10`."""
    return tuple((text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name))
