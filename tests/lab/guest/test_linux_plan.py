"""The links of the samples' gateways become real VLANs and a VLAN-aware bridge; pings tell who is where."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pyroute2 import IPRoute, NetNS

from segc.apply.links import LinkError, apply_links, read_plan
from segc.backends.linux import links_json
from segc.backends.networkd import network_files
from segc.backends.switch import bridge_plan
from segc.enforcement.layer2 import LinkPlan, SwitchPort, link_plan, switch_plan
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.workspace import load
from tests.lab.guest.net import Namespace, cable, namespaces, sh

SAMPLES = Path(__file__).parents[3] / "samples"


def sample(name: str) -> Policy:
    policy, findings = resolve([file for _, file in load([str(SAMPLES / name)]).files])
    assert not findings
    return policy


def carry_out(plan: LinkPlan, node: Namespace) -> list[str]:
    """What had to be done; the plan goes by way of its JSON, as `links.json` would."""
    with NetNS(node.name) as links:
        changes = apply_links(read_plan(links_json(plan)), links)
    assert not changes.absent
    return changes.made


@contextmanager
def hosts(**ports: tuple[Namespace, str]) -> Iterator[dict[str, Namespace]]:
    """Machines by name, the `eth0` of each in the given port of a node."""
    with namespaces(*ports) as spaces:
        for space in spaces:
            node, port = ports[space.name]
            cable(node, port, space, "eth0")
        yield {space.name: space for space in spaces}


def tagged(machine: Namespace, vlan: int, *addresses: str, gateways: tuple[str, ...] = ()) -> None:
    machine.run(f"ip link set eth0 up; ip link add link eth0 name eth0.{vlan} type vlan id {vlan}")
    machine.host(f"eth0.{vlan}", *addresses, gateways=gateways)


OFFICE_PORTS = {"hr1": 1, "hr2": 2, "fin": 7, "prn1": 16, "prn2": 17, "ap": 21}
ADMITTED = {1: "hr", 2: "hr", 7: "finance"}  # the zones that 802.1X has put those ports into that ask


def admitted(port: SwitchPort, number: int) -> SwitchPort:
    """The port as a bridge has it that does not ask."""
    if not port.dot1x:
        return replace(port, name=f"port{number}")
    (vlan,) = (each for each in port.asked if each.zone == ADMITTED[number])
    return replace(port, name=f"port{number}", access=vlan, asked=(), dot1x=False)


@pytest.fixture(scope="module")
def office() -> Iterator[dict[str, Namespace]]:
    """The office's gateway and its switch, that one as a Linux bridge with the ports that are plugged."""
    policy = sample("office")
    switch = switch_plan(policy, policy.switches["sw1"])
    number = {port.name: int(port.name.rpartition("/")[2]) for port in switch.ports}
    used = {*OFFICE_PORTS.values(), 24}
    ports = [admitted(port, number[port.name]) for port in switch.ports if number[port.name] in used]
    with ExitStack() as stack:
        gw, sw = stack.enter_context(namespaces("gw1", "sw1"))
        cable(gw, "lan0", sw, "port24")
        gw.run("ip link add wan0 type dummy; ip link add tun0 type dummy")
        sockets = {name: (sw, f"port{port}") for name, port in OFFICE_PORTS.items()}
        site = stack.enter_context(hosts(**sockets)) | {"gw": gw, "sw": sw}
        plans = {"gw": link_plan(policy, policy.gateways["gw1"])}
        plans["sw"] = bridge_plan(replace(switch, ports=tuple(ports)))
        for name, plan in plans.items():
            assert carry_out(plan, site[name])
            assert carry_out(plan, site[name]) == []
        for name, vlan, last in (
            ("hr1", 10, 5),
            ("hr2", 10, 6),
            ("fin", 20, 5),
            ("prn1", 60, 5),
            ("prn2", 60, 6),
        ):
            nets = f"10.10.{vlan}", f"2001:db8:{vlan}:"
            site[name].host(
                "eth0",
                f"{nets[0]}.{last}/24",
                f"{nets[1]}:{last}/64",
                gateways=(f"{nets[0]}.1", f"{nets[1]}:1"),
            )
        tagged(site["ap"], 80, "10.10.80.5/23", "2001:db8:80::5/64")
        tagged(site["ap"], 10, "10.10.10.7/24")
        yield site


def test_hosts_of_a_vlan_reach_each_other_and_the_gateway(office: dict[str, Namespace]) -> None:
    assert office["hr1"].reaches("10.10.10.6")
    assert office["hr1"].reaches("10.10.10.1")
    assert office["hr1"].reaches("2001:db8:10::1")


def test_the_gateway_joins_vlans(office: dict[str, Namespace]) -> None:
    assert office["hr1"].reaches("10.10.20.5")
    assert office["fin"].reaches("2001:db8:10::5")


def test_a_port_is_in_its_vlan_only(office: dict[str, Namespace]) -> None:
    office["fin"].run("ip address add 10.10.10.9/24 dev eth0")
    assert not office["fin"].reaches("10.10.10.5", "10.10.10.9")


def test_isolated_ports_reach_only_the_gateway(office: dict[str, Namespace]) -> None:
    assert office["prn1"].reaches("10.10.60.1")
    assert office["prn2"].reaches("2001:db8:60::1")
    assert not office["prn1"].reaches("10.10.60.6")
    assert not office["prn2"].reaches("2001:db8:60::5")


def test_a_trunk_takes_tagged_frames_of_its_vlans_only(office: dict[str, Namespace]) -> None:
    assert office["ap"].reaches("10.10.80.1")
    assert office["ap"].reaches("2001:db8:80::1")
    assert not office["ap"].reaches("10.10.10.1", "eth0.10")
    office["ap"].run("ip address add 10.10.99.50/24 dev eth0")
    assert not office["ap"].reaches("10.10.99.1", "eth0")


def test_only_what_differs_is_touched(office: dict[str, Namespace]) -> None:
    policy = sample("office")
    office["gw"].run(
        "ip address del 10.10.20.1/24 dev lan0.20; ip link del lan0.30; ip link set lan0.10 down"
    )
    office["gw"].run("ip address add 192.0.2.1/32 dev lan0.20")
    made = carry_out(link_plan(policy, policy.gateways["gw1"]), office["gw"])
    assert made == [
        *("bring lan0.10 up", "add 2001:db8:10::1/64 to lan0.10", "add 10.10.20.1/24 to lan0.20"),
        *("add lan0.30", "bring lan0.30 up"),
        *("add 10.10.30.1/24 to lan0.30", "add 2001:db8:30::1/64 to lan0.30"),
    ]
    assert "192.0.2.1" in office["gw"].run("ip address show dev lan0.20")


@pytest.fixture(scope="module")
def clinic() -> Iterator[dict[str, Namespace]]:
    """The clinic's gateway bridges: scanners on isolated ports, tagged machines in place of its switches."""
    with ExitStack() as stack:
        (gw,) = stack.enter_context(namespaces("gw"))
        gw.run("ip link add wan0 type dummy; ip link add wg0 type dummy")
        gw.run("for port in p5 p6 p7; do ip link add $port type dummy; done")
        sockets = {"rack": (gw, "p1"), "ward": (gw, "p2"), "ct": (gw, "p3"), "mri": (gw, "p4")}
        site = stack.enter_context(hosts(**sockets)) | {"gw": gw}
        plan = clinic_plan()
        assert carry_out(plan, gw)
        assert carry_out(plan, gw) == []
        site["ct"].host("eth0", "10.20.41.10/25", gateways=("10.20.41.1",))
        site["mri"].host("eth0", "10.20.41.11/25", gateways=("10.20.41.1",))
        tagged(site["ward"], 20, "10.20.20.5/24", "2001:db8:2020::5/64", gateways=("10.20.20.1",))
        tagged(site["ward"], 30, "10.20.30.9/24")
        tagged(site["rack"], 20, "10.20.20.6/24", "2001:db8:2020::6/64")
        tagged(site["rack"], 30, "10.20.30.10/24")
        yield site


def clinic_plan() -> LinkPlan:
    policy = sample("clinic")
    return link_plan(policy, policy.gateways["gw"])


def test_the_bridge_forwards_a_vlan_between_its_trunks(clinic: dict[str, Namespace]) -> None:
    assert clinic["ward"].reaches("10.20.20.6")
    assert clinic["ward"].reaches("2001:db8:2020::6")


def test_the_bridge_has_the_gateway_in_each_vlan(clinic: dict[str, Namespace]) -> None:
    assert clinic["ct"].reaches("10.20.41.1")
    assert clinic["rack"].reaches("10.20.30.1")
    assert clinic["ct"].reaches("10.20.20.5")


def test_isolated_ports_of_the_bridge_are_apart(clinic: dict[str, Namespace]) -> None:
    assert not clinic["ct"].reaches("10.20.41.11")
    clinic["gw"].run("bridge link set dev p4 isolated off")
    assert clinic["ct"].reaches("10.20.41.11")
    assert carry_out(clinic_plan(), clinic["gw"]) == ["isolate p4"]
    assert not clinic["ct"].reaches("10.20.41.11")


def test_a_vlan_that_lingers_on_a_port_is_taken_off(clinic: dict[str, Namespace]) -> None:
    assert not clinic["ward"].reaches("10.20.30.1", "eth0.30")
    clinic["gw"].run(
        "bridge vlan add dev p2 vid 30; bridge vlan add dev p3 vid 42; bridge vlan del dev p1 vid 30"
    )
    assert clinic["ward"].reaches("10.20.30.1", "eth0.30")
    assert carry_out(clinic_plan(), clinic["gw"]) == [
        *("put VLAN 30 on p1", "take VLAN 30 off p2", "take VLAN 42 off p3")
    ]
    assert not clinic["ward"].reaches("10.20.30.1", "eth0.30")


def test_a_plain_bridge_becomes_vlan_aware_without_vlan_1() -> None:
    with namespaces("old") as (old,):
        old.run("ip link add br0 type bridge; ip link set br0 up")
        for name in ("p1", "p2", "p3", "p4", "p5", "p6", "p7", "wan0", "wg0"):
            old.run(f"ip link add {name} type dummy")
        old.run("ip link set p3 master br0; ip link set p3 up")
        carry_out(clinic_plan(), old)
        shown = old.run("bridge -compressvlans vlan show dev p3").split()
        assert shown[-5:] == ["p3", "41", "PVID", "Egress", "Untagged"]
        assert carry_out(clinic_plan(), old) == []


def test_what_is_in_the_way_is_named_and_left_alone() -> None:
    with namespaces("taken") as (taken,), NetNS("taken") as links:
        taken.run("ip link add br0 type dummy; ip link add wan0 type dummy")
        before = taken.run("ip link")
        with pytest.raises(LinkError, match="`br0` is there and is no bridge"):
            apply_links(clinic_plan(), links)
        assert taken.run("ip link") == before


def test_what_is_not_there_is_told() -> None:
    with namespaces("bare") as (bare,), NetNS("bare") as links:
        changes = apply_links(clinic_plan(), links)
        assert changes.absent == ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "wan0", "wg0"]
        assert "br0.41" in bare.run("ip -brief link")


@pytest.mark.systemd
@pytest.mark.parametrize("name", ["clinic", "office"])
def test_networkd_makes_of_its_files_what_the_plan_says(name: str) -> None:
    """Once networkd has settled there is nothing left to do for the plan."""
    plan = office_plan() if name == "office" else clinic_plan()
    made = {device.name for device in plan.devices if device.vlan} | {bridge.name for bridge in plan.bridges}
    base = {device.name for device in plan.devices} | {p.name for b in plan.bridges for p in b.ports}
    with networkd_files(plan), IPRoute() as links:
        for device in sorted(base - made):
            sh(f"ip link add {device} type dummy")
        sh("systemctl restart systemd-networkd")
        end = time.monotonic() + 60
        while not settled(plan, links) and time.monotonic() < end:
            time.sleep(0.5)
        changes = apply_links(plan, links)
        sh("systemctl stop systemd-networkd.socket systemd-networkd")
        for device in sorted(base - made | {bridge.name for bridge in plan.bridges}):
            sh(f"ip link del {device}")
    assert (changes.made, changes.absent) == ([], [])


@contextmanager
def networkd_files(plan: LinkPlan) -> Iterator[None]:
    """The plan's files and no others where networkd looks; other tests of this boot have theirs."""
    folder = Path("/run/systemd/network")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file, text in network_files(plan):
        # A dummy device has nobody to ask for an address.
        (folder / file).write_text(text.replace("DHCP=yes", "DHCP=no"))
    yield
    shutil.rmtree(folder)


def office_plan() -> LinkPlan:
    policy = sample("office")
    return link_plan(policy, policy.gateways["gw1"])


def settled(plan: LinkPlan, links: IPRoute) -> bool:
    """Whether networkd has got to the last address of every device."""
    wanted = {address for device in plan.devices for address in device.addresses}
    shown = {f"{m.get('IFA_LOCAL') or m.get('IFA_ADDRESS')}/{m['prefixlen']}" for m in links.get_addr()}
    ports = {port.name for bridge in plan.bridges for port in bridge.ports}
    enslaved = {link.get("IFLA_IFNAME") for link in links.get_links() if link.get("IFLA_MASTER")}
    return wanted <= shown and ports <= enslaved
