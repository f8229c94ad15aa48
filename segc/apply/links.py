"""Make the links of a node what its plan says, through rtnetlink.

What is as it should be is not touched, so a second run changes nothing. Bridges and sub-interfaces that are
missing are made, but no device and no address is ever removed. The VLANs of a port named in the plan are made
exactly the plan's: one that lingers there would be a way into a zone.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyroute2 import IPRoute, NetlinkError

from segc.enforcement.layer2 import Bridge, BridgePort, Device, LinkPlan

PVID, UNTAGGED = 2, 4  # BRIDGE_VLAN_INFO_*, linux/if_bridge.h
MASTER, SELF = 1, 2  # BRIDGE_FLAGS_*
Vlans = dict[int, int]  # number to flags


class LinkError(Exception):
    """A device is in the way: it has the name that the plan needs, and is something else."""


@dataclass(slots=True)
class Changes:
    """What was done, in words, and the devices that were not there to be set up."""

    made: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def read_plan(text: str) -> LinkPlan:
    """The plan of a `links.json`; ValueError where it is of another version."""
    data = json.loads(text)
    if data["version"] != 1:
        raise ValueError(f"links.json has version {data['version']}, and this segc reads version 1")
    bridges = tuple(
        Bridge(each["name"], each["pvid"], tuple(each["tagged"]), tuple(map(_port, each["ports"])))
        for each in data["bridges"]
    )
    devices = tuple(Device(**each | {"addresses": tuple(each["addresses"])}) for each in data["devices"])
    return LinkPlan(data["node"], bridges, devices)


def _port(data: Mapping[str, Any]) -> BridgePort:
    return BridgePort(data["name"], data["pvid"], tuple(data["tagged"]), data["isolated"])


def apply_links(plan: LinkPlan, links: IPRoute) -> Changes:
    """Bring the network namespace of `links` to the plan.

    Ports and interfaces that are not there are told as absent, with what hangs on them. Raises LinkError
    before anything is changed where a name is taken, and pyroute2's NetlinkError where the kernel refuses.
    """
    run = _Run(links)
    run.refuse_impostors(plan)
    for bridge in plan.bridges:
        run.bridge(bridge)
    for device in plan.devices:
        run.device(device)
    return run.changes


@dataclass(slots=True)
class _Run:
    links: IPRoute
    changes: Changes = field(default_factory=Changes)

    def refuse_impostors(self, plan: LinkPlan) -> None:
        for bridge in plan.bridges:
            found = self.find(bridge.name)
            if found and _kind(found) != "bridge":
                raise LinkError(f"`{bridge.name}` is there and is no bridge")
        for device in plan.devices:
            found = self.find(device.name) if device.vlan is not None else None
            if found and not self.is_sub_interface(found, device):
                raise LinkError(
                    f"`{device.name}` is there and is not VLAN {device.vlan} of `{device.parent}`"
                )

    def is_sub_interface(self, link: Any, device: Device) -> bool:
        parent = self.find(device.parent or "")
        return bool(
            parent
            and _kind(link) == "vlan"
            and link.get("IFLA_LINK") == parent["index"]
            and _info(link).get("IFLA_VLAN_ID") == device.vlan
        )

    def find(self, name: str) -> Any:
        try:
            return next(iter(self.links.link("get", ifname=name)))
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return None
            raise

    def did(self, what: str) -> None:
        self.changes.made.append(what)

    def bridge(self, bridge: Bridge) -> None:
        if self.find(bridge.name) is None:
            self.links.link("add", ifname=bridge.name, kind="bridge", br_vlan_default_pvid=0)
            self.did(f"add bridge {bridge.name}")
        link = self.find(bridge.name)
        if bridge.vlan_aware and not _info(link).get("IFLA_BR_VLAN_FILTERING"):
            # First the default VLAN: it would give every port VLAN 1 as soon as VLANs count.
            self.links.link("set", index=link["index"], kind="bridge", br_vlan_default_pvid=0)
            self.links.link("set", index=link["index"], kind="bridge", br_vlan_filtering=1)
            self.did(f"filter VLANs on {bridge.name}")
        for port in bridge.ports:
            self.port(port, bridge.name, link["index"])
        if bridge.vlan_aware:
            self.vlans(bridge.name, link["index"], _wanted(bridge.pvid, bridge.tagged), SELF)
        self.up(bridge.name)

    def port(self, port: BridgePort, bridge: str, master: int) -> None:
        link = self.find(port.name)
        if link is None:
            self.changes.absent.append(port.name)
            return
        if link.get("IFLA_MASTER") != master:
            self.links.link("set", index=link["index"], master=master)
            self.did(f"add {port.name} to {bridge}")
        isolated = bool(_port_info(self.find(port.name)).get("IFLA_BRPORT_ISOLATED"))
        if isolated != port.isolated:
            self.links.brport("set", index=link["index"], isolated=int(port.isolated))
            self.did(f"{'isolate' if port.isolated else 'join'} {port.name}")
        self.vlans(port.name, link["index"], _wanted(port.pvid, port.tagged), MASTER)
        self.up(port.name)

    def vlans(self, name: str, index: int, wanted: Vlans, flags: int) -> None:
        """Take away first, so that at no time there is more than before or after."""
        present = self.present_vlans(index)
        for vlan in sorted(present.keys() - wanted.keys()):
            self.links.vlan_filter("del", index=index, vlan_flags=flags, vlan_info={"vid": vlan})
            self.did(f"take VLAN {vlan} off {name}")
        for vlan, mode in sorted(wanted.items()):
            if present.get(vlan) != mode:
                info = {"vid": vlan, "flags": mode}
                self.links.vlan_filter("add", index=index, vlan_flags=flags, vlan_info=info)
                self.did(f"put VLAN {vlan} on {name}")

    def present_vlans(self, index: int) -> Vlans:
        found: Vlans = {}
        for message in self.links.get_vlans(index=index):
            spec = message.get("IFLA_AF_SPEC")
            for name, info in spec["attrs"] if spec else ():
                if name == "IFLA_BRIDGE_VLAN_INFO":
                    found[info["vid"]] = info["flags"] & (PVID | UNTAGGED)
        return found

    def device(self, device: Device) -> None:
        if device.vlan is not None and self.find(device.name) is None:
            parent = self.find(device.parent or "")
            if parent is not None:
                self.links.link(
                    "add", ifname=device.name, kind="vlan", link=parent["index"], vlan_id=device.vlan
                )
                self.did(f"add {device.name}")
        link = self.find(device.name)
        if link is None:
            self.changes.absent.append(device.name)
            return
        self.up(device.name)
        present = set(self.addresses(link["index"]))
        for address in device.addresses:
            if address not in present:
                host, _, length = address.partition("/")
                self.links.addr("add", index=link["index"], address=host, prefixlen=int(length))
                self.did(f"add {address} to {device.name}")

    def addresses(self, index: int) -> Iterator[str]:
        for message in self.links.get_addr(index=index):
            local = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
            yield f"{local}/{message['prefixlen']}"

    def up(self, name: str) -> None:
        link = self.find(name)
        if not link["flags"] & 1:  # IFF_UP
            self.links.link("set", index=link["index"], state="up")
            self.did(f"bring {name} up")


def _wanted(pvid: int | None, tagged: tuple[int, ...]) -> Vlans:
    return dict.fromkeys(tagged, 0) | ({pvid: PVID | UNTAGGED} if pvid is not None else {})


def _kind(link: Any) -> str | None:
    info = link.get("IFLA_LINKINFO")
    return info.get("IFLA_INFO_KIND") if info else None


def _info(link: Any) -> Any:
    info = link.get("IFLA_LINKINFO")
    return (info.get("IFLA_INFO_DATA") if info else None) or {}


def _port_info(link: Any) -> Any:
    info = link.get("IFLA_LINKINFO")
    return (info.get("IFLA_INFO_SLAVE_DATA") if info else None) or {}
