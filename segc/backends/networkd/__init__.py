"""Files for systemd-networkd, `<gateway>/networkd/NN-segc-….netdev` and `.network`.

Only keys that systemd 252 knows: newer releases know them all. Forwarding is left to `sysctl.conf`, for
networkd's own key has another name since systemd 256.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.linux import described, odd_names
from segc.enforcement.layer2 import Bridge, BridgePort, Device, LinkPlan, link_plan

HEADER = "# Written by segc. Edit the policy, not this file.\n"
Section = tuple[str, list[tuple[str, str]]]


def emit(target: Target) -> Output:
    artifacts: list[Artifact] = []
    for gateway in described(target.policy):
        if not any(odd_names(gateway)):
            for name, text in network_files(link_plan(target.policy, gateway)):
                artifacts.append(Artifact(gateway.name, f"networkd/{name}", text))
    return Output(tuple(artifacts))


def network_files(plan: LinkPlan) -> Iterator[tuple[str, str]]:
    """File names with their text; netdevs before the networks that match them."""
    bridges = {bridge.name: bridge for bridge in plan.bridges}
    for bridge in plan.bridges:
        yield f"10-segc-{bridge.name}.netdev", ini(_bridge_netdev(bridge))
    for device in plan.devices:
        if device.vlan is not None:
            yield f"20-segc-{device.name}.netdev", ini(_vlan_netdev(device))
    for bridge in plan.bridges:
        for port in bridge.ports:
            yield f"30-segc-{port.name}.network", ini(_port_network(port, bridge))
    children: dict[str | None, list[str]] = {}
    for device in plan.devices:
        children.setdefault(device.parent, []).append(device.name)
    for device in plan.devices:
        sections = _device_network(device, children.get(device.name, []), bridges.get(device.name))
        yield f"40-segc-{device.name}.network", ini(sections)


def ini(sections: list[Section]) -> str:
    blocks = (
        f"\n[{name}]\n" + "".join(f"{key}={value}\n" for key, value in entries) for name, entries in sections
    )
    return HEADER + "".join(blocks)


def _bridge_netdev(bridge: Bridge) -> list[Section]:
    sections: list[Section] = [("NetDev", [("Name", bridge.name), ("Kind", "bridge")])]
    if bridge.vlan_aware:
        sections.append(("Bridge", [("VLANFiltering", "yes"), ("DefaultPVID", "none")]))
    return sections


def _vlan_netdev(device: Device) -> list[Section]:
    return [("NetDev", [("Name", device.name), ("Kind", "vlan")]), ("VLAN", [("Id", str(device.vlan))])]


def _port_network(port: BridgePort, bridge: Bridge) -> list[Section]:
    return [
        ("Match", [("Name", port.name)]),
        ("Network", [("Bridge", bridge.name), ("LinkLocalAddressing", "no")]),
        ("Bridge", [("Isolated", _yes(port.isolated))]),
        *_bridge_vlans(port.pvid, port.tagged),
    ]


def _bridge_vlans(pvid: int | None, tagged: tuple[int, ...]) -> list[Section]:
    untagged: list[Section] = [("BridgeVLAN", [("PVID", str(pvid)), ("EgressUntagged", str(pvid))])]
    return untagged * (pvid is not None) + [("BridgeVLAN", [("VLAN", str(vlan))]) for vlan in tagged]


def _device_network(device: Device, children: list[str], bridge: Bridge | None) -> list[Section]:
    network = [("VLAN", child) for child in children]
    sections: list[Section] = [("Match", [("Name", device.name)])]
    if device.bare:
        sections.append(("Link", [("RequiredForOnline", "no")]))
        network += [("LinkLocalAddressing", "no")]
    network += [("DHCP", _yes(device.dhcp)), ("IPv6AcceptRA", _yes(device.dhcp))]
    network += [("Address", address) for address in device.addresses]
    if device.addresses or children:
        network.append(("ConfigureWithoutCarrier", "yes"))
    if device.parent is None and bridge is None and device.addresses:
        # It may be a tunnel, whose daemon has routes of its own on it.
        network.append(("KeepConfiguration", "static"))
    sections.append(("Network", network))
    return sections + (_bridge_vlans(bridge.pvid, bridge.tagged) if bridge else [])


def _yes(value: bool) -> str:
    return "yes" if value else "no"
