"""802.1Q sub-interfaces and a VLAN-aware bridge: who reaches whom, told by pings."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.guest.net import Namespace, cable, namespaces


def test_sub_interfaces_keep_vlans_apart() -> None:
    with namespaces("left", "right") as (left, right):
        cable(left, "trunk", right, "trunk")
        for end, last in ((left, 1), (right, 2)):
            end.run(
                """ip link set trunk up
                ip link add link trunk name trunk.10 type vlan id 10
                ip link add link trunk name trunk.4094 type vlan id 4094"""
            )
            end.host("trunk.10", f"10.0.10.{last}/24")
            end.host("trunk.4094", f"fd00:40::{last}/64")
        assert left.reaches("10.0.10.2")
        assert left.reaches("fd00:40::2")
        right.run(
            """ip link delete trunk.10
            ip link add link trunk name trunk.11 type vlan id 11"""
        )
        right.host("trunk.11", "10.0.10.2/24")
        assert left.cut_off_from("10.0.10.2")
        left.run("ip link delete trunk.10; ip link add link trunk name trunk.11 type vlan id 11")
        left.host("trunk.11", "10.0.10.1/24")
        assert left.reaches("10.0.10.2")


@dataclass(frozen=True, slots=True)
class Site:
    """Hosts on a switch's access ports, `a` and `b` in VLAN 10, `c` in 20, and a gateway on its trunk."""

    switch: Namespace
    gateway: Namespace
    a: Namespace
    b: Namespace
    c: Namespace


@pytest.fixture
def site() -> Iterator[Site]:
    with namespaces("switch", "gateway", "a", "b", "c") as spaces:
        site = Site(*spaces)
        site.switch.run(
            "ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0\nip link set br0 up"
        )
        for host, vlan, last in ((site.a, 10, 2), (site.b, 10, 3), (site.c, 20, 2)):
            attach(site.switch, f"port-{host.name}", host, "eth0")
            site.switch.run(f"bridge vlan add dev port-{host.name} vid {vlan} pvid untagged")
            addresses = f"10.0.{vlan}.{last}/24", f"fd00:{vlan}::{last}/64"
            host.host("eth0", *addresses, gateways=(f"10.0.{vlan}.1", f"fd00:{vlan}::1"))
        attach(site.switch, "port-trunk", site.gateway, "trunk")
        site.gateway.run("ip link set trunk up")
        for vlan in (10, 20):
            site.switch.run(f"bridge vlan add dev port-trunk vid {vlan}")
            site.gateway.run(f"ip link add link trunk name vlan{vlan} type vlan id {vlan}")
            site.gateway.host(f"vlan{vlan}", f"10.0.{vlan}.1/24", f"fd00:{vlan}::1/64")
        for host, vlan in ((site.a, 10), (site.b, 10), (site.c, 20)):
            assert host.reaches(f"10.0.{vlan}.1")
            assert host.reaches(f"fd00:{vlan}::1")
        yield site


def attach(switch: Namespace, port: str, host: Namespace, interface: str) -> None:
    cable(switch, port, host, interface)
    switch.run(f"ip link set {port} master br0 up")


def test_one_vlan_is_one_segment(site: Site) -> None:
    assert site.a.reaches("10.0.10.3")
    assert site.a.reaches("fd00:10::3")


def test_the_gateway_routes_between_vlans(site: Site) -> None:
    assert site.a.reaches("10.0.20.2")
    assert site.a.reaches("fd00:20::2")


def test_only_the_gateway_joins_vlans(site: Site) -> None:
    site.gateway.run("ip link set trunk down")
    site.c.run("ip address add 10.0.10.9/24 dev eth0")
    assert site.a.reaches("10.0.10.3")
    assert site.a.cut_off_from("10.0.10.9")


def test_a_vlan_missing_on_the_trunk_is_cut_off(site: Site) -> None:
    site.switch.run("bridge vlan delete dev port-trunk vid 20")
    assert site.a.reaches("10.0.10.1")
    assert site.c.cut_off_from("10.0.20.1")


def test_isolated_ports_reach_only_the_gateway(site: Site) -> None:
    site.switch.run("bridge link set dev port-a isolated on\nbridge link set dev port-b isolated on")
    assert site.a.cut_off_from("10.0.10.3")
    assert site.a.cut_off_from("fd00:10::3")
    assert site.a.reaches("10.0.10.1")
    assert site.b.reaches("10.0.20.2")


def test_the_gateway_filters_between_vlans_by_interface(site: Site) -> None:
    site.gateway.nft(
        """table inet filter {
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                iifname . oifname . meta l4proto { "vlan10" . "vlan20" . icmp } accept
            }
        }"""
    )
    assert site.a.reaches("10.0.20.2")
    assert site.c.cut_off_from("10.0.10.2")
    assert site.a.cut_off_from("fd00:20::2")


def test_the_bridge_family_filters_inside_a_vlan(site: Site) -> None:
    site.switch.nft(
        """table bridge filter {
            chain forward {
                type filter hook forward priority filter; policy accept;
                meta ibrname "br0" meta ibrpvid 10 ether type { ip, ip6 } oifname "port-b" counter drop
            }
        }"""
    )
    assert site.a.cut_off_from("10.0.10.3")
    assert site.a.cut_off_from("fd00:10::3")
    assert site.a.reaches("10.0.10.1")
