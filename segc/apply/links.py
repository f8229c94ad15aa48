"""Make the links of a node what its plan says, through rtnetlink, in steps that can each be undone.

What is as it should be is not touched, so a second run changes nothing. Bridges and sub-interfaces that are
missing are made. The VLANs of a port named in the plan are made exactly the plan's: one that lingers there
would be a way into a zone. Ports, sub-interfaces and addresses go only if a former plan had them, but for
what somebody added by hand to what the plan has (`extras`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface
from shlex import quote
from typing import Any, NamedTuple

from pyroute2 import IPRoute, NetlinkError

from segc.apply.errors import ApplyError
from segc.apply.seen import MASTER, PVID, SELF, UNTAGGED, Seen, Vlans, observe
from segc.enforcement.layer2 import Bridge, BridgePort, Device, LinkPlan
from segc.space.words import system_reason


class LinkError(ApplyError):
    """A device is in the way: it has the name that the plan needs, and is something else."""

    def __init__(self, device: str, words: str) -> None:
        super().__init__(f"`{device}` {words}")
        self.device = device


class Step(NamedTuple):
    """One change of one device. `undo` are shell lines for ip(8) and bridge(8); each sets what was there
    before, so they do no harm where the step was never taken. `late` steps take something away: they come
    after the ruleset."""

    what: str
    device: str
    take: Callable[[IPRoute], None]
    undo: tuple[str, ...]
    late: bool = False


def take_step(step: Step, links: IPRoute) -> None:
    """Carry it out; ApplyError, which names it, where the kernel would not."""
    try:
        step.take(links)
    except NetlinkError as error:
        raise ApplyError(f"{step.what}: the kernel refused: {str(error.args[-1]).lower()}") from None
    except OSError as error:
        raise ApplyError(f"{step.what}: {system_reason(error)}") from None


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


def apply_links(plan: LinkPlan, links: IPRoute, former: LinkPlan | None = None) -> Changes:
    """Bring the network namespace of `links` to the plan, without a ruleset in between.

    Ports and interfaces that are not there are told as absent, with what hangs on them. Raises LinkError
    before anything is changed where a name is taken, and pyroute2's NetlinkError where the kernel refuses.
    """
    steps, absent = link_steps(plan, observe(links), former)
    for step in steps:
        step.take(links)
    return Changes([step.what for step in steps], absent)


def link_steps(plan: LinkPlan, seen: Seen, former: LinkPlan | None = None) -> tuple[list[Step], list[str]]:
    """What has to be done to get from what was seen to the plan, early steps first, and what is absent."""
    _refuse_impostors(plan, seen)
    absent: list[str] = []
    bridged = {bridge.name for bridge in plan.bridges}
    made = bridged | {device.name for device in plan.devices if device.vlan is not None}
    steps = [step for bridge in plan.bridges for step in _bridge_steps(bridge, seen, absent)]
    for device in plan.devices:
        parent_there = device.parent in made or (device.parent or "") in seen.links
        if device.name in seen.links or device.name in bridged or (device.vlan and parent_there):
            steps += _device_steps(device, seen, device.name in bridged)
        else:
            absent.append(device.name)
    if former is not None:
        steps += _former_steps(plan, former, seen)
    return sorted(steps, key=lambda step: step.late), absent


def _refuse_impostors(plan: LinkPlan, seen: Seen) -> None:
    for bridge in plan.bridges:
        if bridge.name in seen.links and seen.links[bridge.name].kind != "bridge":
            raise LinkError(bridge.name, "is there and is no bridge")
    for device in plan.devices:
        found = seen.links.get(device.name)
        if device.vlan is None or found is None:
            continue
        if (found.kind, found.parent, found.vlan) != ("vlan", device.parent, device.vlan):
            raise LinkError(device.name, f"is there and is not VLAN {device.vlan} of `{device.parent}`")


# -- bridges -----------------------------------------------------------------------------------------


def _bridge_steps(bridge: Bridge, seen: Seen, absent: list[str]) -> Iterator[Step]:
    name, found = bridge.name, seen.links.get(bridge.name)
    if found is None:
        yield Step(
            f"add bridge {name}",
            name,
            lambda links: links.link("add", ifname=name, kind="bridge", br_vlan_default_pvid=0),
            (f"ip link del {quote(name)}",),
        )
    if bridge.vlan_aware and not (found and found.filtering):
        yield _filter(name, found.default_pvid if found else 0)
    elif bridge.vlan_aware and found and found.default_pvid:
        yield _no_default(name, found.default_pvid)
    for port in bridge.ports:
        if port.name in seen.links:
            yield from _port_steps(port, name, seen)
        else:
            absent.append(port.name)
    if bridge.vlan_aware:
        yield from _vlan_steps(name, seen.vlans.get(name, {}), _wanted(bridge.pvid, bridge.tagged), SELF)
    if not (found and found.up):
        yield _up(name)


def _filter(name: str, default_pvid: int) -> Step:
    def take(links: IPRoute) -> None:
        # First the default VLAN: it would give every port VLAN 1 as soon as VLANs count.
        index = _index(links, name)
        links.link("set", index=index, kind="bridge", br_vlan_default_pvid=0)
        links.link("set", index=index, kind="bridge", br_vlan_filtering=1)

    undo = f"ip link set {quote(name)} type bridge vlan_filtering 0 vlan_default_pvid {default_pvid}"
    return Step(f"filter VLANs on {name}", name, take, (undo,))


def _no_default(name: str, default_pvid: int) -> Step:
    """It would put every port that joins later in that VLAN."""
    return Step(
        f"take the default VLAN {default_pvid} off {name}",
        name,
        lambda links: links.link("set", index=_index(links, name), kind="bridge", br_vlan_default_pvid=0),
        (f"ip link set {quote(name)} type bridge vlan_default_pvid {default_pvid}",),
    )


def _port_steps(port: BridgePort, bridge: str, seen: Seen) -> Iterator[Step]:
    name, found = port.name, seen.links[port.name]
    if found.master != bridge:
        former = f"master {quote(found.master)}" if found.master else "nomaster"
        yield Step(
            f"add {name} to {bridge}",
            name,
            lambda links: links.link("set", index=_index(links, name), master=_index(links, bridge)),
            (f"ip link set {quote(name)} {former}",),
        )
    isolated = found.isolated and found.master == bridge
    if isolated != port.isolated:
        yield Step(
            f"{'isolate' if port.isolated else 'join'} {name}",
            name,
            lambda links: links.brport("set", index=_index(links, name), isolated=int(port.isolated)),
            (f"bridge link set dev {quote(name)} isolated {'on' if isolated else 'off'}",),
            late=not port.isolated,
        )
    present = seen.vlans.get(name, {}) if found.master == bridge else {}
    yield from _vlan_steps(name, present, _wanted(port.pvid, port.tagged), MASTER)
    if not found.up:
        yield _up(name)


def _vlan_steps(name: str, present: Vlans, wanted: Vlans, flags: int) -> Iterator[Step]:
    """A port is never untagged in two VLANs: the old one goes just before the new one comes."""
    moved = any(mode & PVID and present.get(vlan) != mode for vlan, mode in wanted.items())
    for vlan in sorted(present.keys() - wanted.keys()):
        untagged = bool(present[vlan] & (PVID | UNTAGGED))
        yield _vlan("del", name, vlan, present, wanted, flags, late=not (moved and untagged))
    for vlan, mode in sorted(wanted.items()):
        if present.get(vlan) != mode:
            yield _vlan("add", name, vlan, present, wanted, flags, late=False)


def _vlan(verb: str, name: str, vlan: int, present: Vlans, wanted: Vlans, flags: int, late: bool) -> Step:
    def take(links: IPRoute) -> None:
        info = {"vid": vlan} if verb == "del" else {"vid": vlan, "flags": wanted[vlan]}
        links.vlan_filter(verb, index=_index(links, name), vlan_flags=flags, vlan_info=info)

    on = "self" if flags == SELF else "master"
    before = present.get(vlan)
    if before is None:
        undo = f"bridge vlan del dev {quote(name)} vid {vlan} {on}"
    else:
        modes = " pvid" * bool(before & PVID) + " untagged" * bool(before & UNTAGGED)
        undo = f"bridge vlan add dev {quote(name)} vid {vlan}{modes} {on}"
    words = f"take VLAN {vlan} off {name}" if verb == "del" else f"put VLAN {vlan} on {name}"
    return Step(words, name, take, (undo,), late)


# -- devices -----------------------------------------------------------------------------------------


def _device_steps(device: Device, seen: Seen, bridge: bool) -> Iterator[Step]:
    name, found = device.name, seen.links.get(device.name)
    if found is None and not bridge:
        yield _sub_interface(device)
    if not bridge and not (found and found.up):
        yield _up(name)
    present = seen.addresses.get(name, frozenset())
    for address in device.addresses:
        if address not in present:
            yield Step(
                f"add {address} to {name}",
                name,
                lambda links, address=address: _address(links, "add", name, address),  # type: ignore[misc]
                (f"ip address del {quote(address)} dev {quote(name)}",),
            )


def _sub_interface(device: Device) -> Step:
    def take(links: IPRoute) -> None:
        parent = _index(links, device.parent or "")
        links.link("add", ifname=device.name, kind="vlan", link=parent, vlan_id=device.vlan)

    return Step(f"add {device.name}", device.name, take, (f"ip link del {quote(device.name)}",))


def _up(name: str) -> Step:
    return Step(
        f"bring {name} up",
        name,
        lambda links: links.link("set", index=_index(links, name), state="up"),
        (f"ip link set {quote(name)} down",),
    )


def _address(links: IPRoute, verb: str, name: str, address: str) -> None:
    host, _, length = address.partition("/")
    links.addr(verb, index=_index(links, name), address=host, prefixlen=int(length))


def extras(plan: LinkPlan, seen: Seen) -> Iterator[Step]:
    """Steps that take away what somebody added to a bridge or a device of the plan."""
    for port, bridge in strangers(plan, seen):
        yield _departure(port, bridge, seen)
    yield from _extra_addresses(plan, seen)


def strangers(plan: LinkPlan, seen: Seen) -> Iterator[tuple[str, str]]:
    """Ports of the plan's bridges that it does not name, each with its bridge. One of which it names none is
    for others to fill, such as a hypervisor."""
    named = {bridge.name: {port.name for port in bridge.ports} for bridge in plan.bridges if bridge.ports}
    for name, link in sorted(seen.links.items()):
        if link.master in named and name not in named[link.master]:
            yield name, link.master


def _departure(name: str, bridge: str, seen: Seen) -> Step:
    """Its VLANs and flags go with it."""
    former = (line for step in _vlan_steps(name, seen.vlans.get(name, {}), {}, MASTER) for line in step.undo)
    flags = [f"bridge link set dev {quote(name)} isolated on"] if seen.links[name].isolated else []
    return Step(
        f"take {name} out of {bridge}",
        name,
        lambda links: links.link("set", index=_index(links, name), master=0),
        (f"ip link set {quote(name)} master {quote(bridge)}", *flags, *former),
        late=True,
    )


def _extra_addresses(plan: LinkPlan, seen: Seen) -> Iterator[Step]:
    """Steps that take away addresses which somebody gave to a device of the plan. Those that the kernel makes
    itself (RFC 4291 2.5.6) and those of devices that ask by DHCP are nobody's doing."""
    for device in plan.devices:
        if device.dhcp:
            continue
        for address in sorted(seen.addresses.get(device.name, ())):
            if address not in device.addresses and not ip_interface(address).is_link_local:
                yield _withdrawal(device.name, address)


def _withdrawal(name: str, address: str) -> Step:
    return Step(
        f"take {address} off {name}",
        name,
        lambda links: _address(links, "del", name, address),
        (f"ip address add {quote(address)} dev {quote(name)}",),
        late=True,
    )


# -- what a former plan had and this one has not ------------------------------------------------------


def _former_steps(plan: LinkPlan, former: LinkPlan, seen: Seen) -> Iterator[Step]:
    ports = {port.name for bridge in plan.bridges for port in bridge.ports}
    strange = dict(strangers(plan, seen))
    for home, name in ((bridge.name, port.name) for bridge in former.bridges for port in bridge.ports):
        if strange.get(name) == home:
            yield _departure(name, home, seen)
        elif name not in ports:
            yield from _vlan_steps(name, seen.vlans.get(name, {}), {}, MASTER)
    wanted = {device.name: device for device in plan.devices}
    for device in former.devices:
        present = [each for each in device.addresses if each in seen.addresses.get(device.name, ())]
        if device.vlan is not None and device.name not in wanted and device.name in seen.links:
            yield _removal(device, present)
            continue
        kept = wanted[device.name].addresses if device.name in wanted else ()
        for address in present:
            if address not in kept:
                yield _withdrawal(device.name, address)


def _removal(device: Device, addresses: list[str]) -> Step:
    name = device.name
    return Step(
        f"remove {name}",
        name,
        lambda links: links.link("del", index=_index(links, name)),
        (
            f"ip link add link {quote(device.parent or '')} name {quote(name)} type vlan id {device.vlan}",
            f"ip link set {quote(name)} up",
            *(f"ip address add {quote(each)} dev {quote(name)}" for each in addresses),
        ),
        late=True,
    )


def _wanted(pvid: int | None, tagged: tuple[int, ...]) -> Vlans:
    return dict.fromkeys(tagged, 0) | ({pvid: PVID | UNTAGGED} if pvid is not None else {})


def _index(links: IPRoute, name: str) -> int:
    found: int = next(iter(links.link("get", ifname=name)))["index"]
    return found
