"""What makes a bridge and its ports those of a plan: VLANs, isolation, and no port it does not name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from shlex import quote

from pyroute2 import IPRoute

from segc.apply.seen import MASTER, PVID, SELF, UNTAGGED, Seen, Vlans
from segc.apply.step import Step, index_of, up
from segc.enforcement.layer2 import Bridge, BridgePort, LinkPlan


def bridge_steps(bridge: Bridge, seen: Seen, absent: list[str]) -> Iterator[Step]:
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
        yield from vlan_steps(name, seen.vlans.get(name, {}), _wanted(bridge.pvid, bridge.tagged), SELF)
    if not (found and found.up):
        yield up(name)


def _filter(name: str, default_pvid: int) -> Step:
    def take(links: IPRoute) -> None:
        # First the default VLAN: it would give every port VLAN 1 as soon as VLANs count.
        index = index_of(links, name)
        links.link("set", index=index, kind="bridge", br_vlan_default_pvid=0)
        links.link("set", index=index, kind="bridge", br_vlan_filtering=1)

    undo = f"ip link set {quote(name)} type bridge vlan_filtering 0 vlan_default_pvid {default_pvid}"
    return Step(f"filter VLANs on {name}", name, take, (undo,), disruptive=True)


def _no_default(name: str, default_pvid: int) -> Step:
    """It would put every port that joins later in that VLAN."""
    return Step(
        f"take the default VLAN {default_pvid} off {name}",
        name,
        lambda links: links.link("set", index=index_of(links, name), kind="bridge", br_vlan_default_pvid=0),
        (f"ip link set {quote(name)} type bridge vlan_default_pvid {default_pvid}",),
        disruptive=True,
    )


def _port_steps(port: BridgePort, bridge: str, seen: Seen) -> Iterator[Step]:
    name, found = port.name, seen.links[port.name]
    if found.master != bridge:
        yield Step(
            f"add {name} to {bridge}",
            name,
            lambda links: links.link("set", index=index_of(links, name), master=index_of(links, bridge)),
            _back(name, seen),
            disruptive=True,
        )
    isolated = found.isolated and found.master == bridge
    if isolated != port.isolated:
        yield Step(
            f"{'isolate' if port.isolated else 'join'} {name}",
            name,
            lambda links: links.brport("set", index=index_of(links, name), isolated=int(port.isolated)),
            (f"bridge link set dev {quote(name)} isolated {'on' if isolated else 'off'}",),
            late=not port.isolated,
            disruptive=port.isolated,
        )
    present = seen.vlans.get(name, {}) if found.master == bridge else {}
    yield from vlan_steps(name, present, _wanted(port.pvid, port.tagged), MASTER)
    if not found.up:
        yield up(name)


def vlan_steps(name: str, present: Vlans, wanted: Vlans, flags: int) -> Iterator[Step]:
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
        links.vlan_filter(verb, index=index_of(links, name), vlan_flags=flags, vlan_info=info)

    on = "self" if flags == SELF else "master"
    before = present.get(vlan)
    if before is None:
        undo = f"bridge vlan del dev {quote(name)} vid {vlan} {on}"
    else:
        modes = " pvid" * bool(before & PVID) + " untagged" * bool(before & UNTAGGED)
        undo = f"bridge vlan add dev {quote(name)} vid {vlan}{modes} {on}"
    words = f"take VLAN {vlan} off {name}" if verb == "del" else f"put VLAN {vlan} on {name}"
    return Step(words, name, take, (undo,), late, disruptive=before is not None)


def strangers(plan: LinkPlan, seen: Seen) -> Iterator[tuple[str, str]]:
    """Ports of the plan's bridges that it does not name, each with its bridge. One of which it names none is
    for others to fill, such as a hypervisor."""
    filled, named = {bridge.name for bridge in plan.bridges if bridge.ports}, ports_of(plan)
    for name, link in sorted(seen.links.items()):
        if link.master in filled and name not in named:
            yield name, link.master


def ports_of(plan: LinkPlan) -> set[str]:
    """Of all its bridges: one that is in the wrong one moves to its own, and is no stranger."""
    return {port.name for bridge in plan.bridges for port in bridge.ports}


def departures(former: Bridge, stay: Collection[str], seen: Seen) -> Iterator[Step]:
    """Its ports that are still there leave, but those that are ports in the new plan."""
    for port in former.ports:
        if port.name not in stay and port.name in seen.links and seen.links[port.name].master == former.name:
            yield departure(port.name, former.name, seen)


def withdrawn_vlans(former: Bridge, seen: Seen) -> Iterator[Step]:
    """Those that it had are taken off the bridge itself, which stays."""
    ours = _wanted(former.pvid, former.tagged)
    present = {vlan: mode for vlan, mode in seen.vlans.get(former.name, {}).items() if vlan in ours}
    yield from vlan_steps(former.name, present, {}, SELF)


def departure(name: str, bridge: str, seen: Seen) -> Step:
    """Its VLANs and flags go with it."""
    return Step(
        f"take {name} out of {bridge}",
        name,
        lambda links: links.link("set", index=index_of(links, name), master=0),
        _back(name, seen),
        late=True,
        disruptive=True,
    )


def _back(name: str, seen: Seen) -> tuple[str, ...]:
    """Shell lines that put a port where it is, with the VLANs and flags that leave with it."""
    link, vlans = seen.links[name], seen.vlans.get(name, {})
    place = f"master {quote(link.master)}" if link.master else "nomaster"
    flags = [f"bridge link set dev {quote(name)} isolated on"] if link.isolated else []
    former = (line for step in vlan_steps(name, vlans, {}, MASTER) for line in step.undo)
    return f"ip link set {quote(name)} {place}", *flags, *former


def _wanted(pvid: int | None, tagged: tuple[int, ...]) -> Vlans:
    return dict.fromkeys(tagged, 0) | ({pvid: PVID | UNTAGGED} if pvid is not None else {})
