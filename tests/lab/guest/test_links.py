"""Links that the build host's kernel may lack: WireGuard, VRF, dummy; and flowtables over veth."""

import base64
import os

from pyroute2 import NetNS, WireGuard

from tests.lab.guest.net import Namespace, cable, namespaces

SERVER = "busybox nc -ll -p 9000 -e cat </dev/null >/dev/null 2>&1"
CLIENT = "busybox nc 10.0.2.2 9000"


def test_wireguard_carries_packets_between_peers_that_know_each_other() -> None:
    with namespaces("left", "right") as (left, right):
        cable(left, "eth0", right, "eth0")
        keys = {}
        for end, last in ((left, 1), (right, 2)):
            end.host("eth0", f"192.0.2.{last}/24")
            end.run("ip link add wg0 type wireguard")
            end.host("wg0", f"10.9.0.{last}/24")
            keys[end.name] = new_key(end)
        assert left.cut_off_from("10.9.0.2")
        add_peer(left, keys["right"], "192.0.2.2", "10.9.0.2/32")
        add_peer(right, keys["left"], "192.0.2.1", "10.9.0.1/32")
        assert left.reaches("10.9.0.2")


def new_key(end: Namespace) -> str:
    """Give the namespace's wg0 a private key; the kernel computes the public one, base64."""
    with WireGuard(netns=end.name) as wireguard:
        private = base64.b64encode(os.urandom(32)).decode()
        wireguard.set("wg0", private_key=private, listen_port=51820)
        key: bytes = wireguard.info("wg0")[0].get("WGDEVICE_A_PUBLIC_KEY")
        return key.decode()


def add_peer(end: Namespace, key: str, endpoint: str, allowed: str) -> None:
    peer = {"public_key": key, "endpoint_addr": endpoint, "endpoint_port": 51820, "allowed_ips": [allowed]}
    with WireGuard(netns=end.name) as wireguard:
        wireguard.set("wg0", peer=peer)


def test_vrfs_hold_the_same_addresses_apart() -> None:
    with namespaces("router", "red", "blue") as (router, red, blue):
        for table, host in ((101, red), (102, blue)):
            cable(router, f"to-{host.name}", host, "eth0")
            router.run(
                f"""ip link add vrf-{host.name} type vrf table {table}
                ip link set vrf-{host.name} up
                ip link set to-{host.name} master vrf-{host.name}"""
            )
            router.host(f"to-{host.name}", "10.0.0.1/24")
            host.host("eth0", "10.0.0.2/24")
        red.run("ip link add other type dummy")
        red.host("other", "10.1.0.1/32")
        for host in (red, blue):
            router.run(f"ip route add 10.1.0.1 via 10.0.0.2 vrf vrf-{host.name}")
            assert router.reaches("10.0.0.2", f"vrf-{host.name}")
        assert router.reaches("10.1.0.1", "vrf-red")
        assert router.cut_off_from("10.1.0.1", "vrf-blue")


def test_a_flowtable_takes_over_established_flows() -> None:
    with namespaces("gateway", "one", "two") as (gateway, one, two):
        for number, host in ((1, one), (2, two)):
            cable(gateway, f"to-{host.name}", host, "eth0")
            gateway.host(f"to-{host.name}", f"10.0.{number}.1/24")
            host.host("eth0", f"10.0.{number}.2/24", gateways=(f"10.0.{number}.1",))
        gateway.nft(
            """table inet filter {
                flowtable fast { hook ingress priority filter; devices = { "to-one", "to-two" }; }
                chain forward {
                    type filter hook forward priority filter; policy accept;
                    meta l4proto tcp ct state established flow add @fast
                }
            }"""
        )
        two.run(f"{SERVER} & sleep 1")
        one.run(f"(echo one; sleep 1; echo two; sleep 60) 2>/dev/null | {CLIENT} >/dev/null 2>&1 & sleep 4")
        assert "[OFFLOAD]" in gateway.run("cat /proc/net/nf_conntrack")


def test_pyroute2_builds_what_ip_shows() -> None:
    with namespaces("switch") as (switch,), NetNS(switch.name) as links:
        links.link("add", ifname="br0", kind="bridge", br_vlan_filtering=1, br_vlan_default_pvid=0)
        links.link("add", ifname="port", kind="dummy")
        bridge, port = (links.link_lookup(ifname=name)[0] for name in ("br0", "port"))
        links.link("set", index=port, master=bridge, state="up")
        links.vlan_filter("add", index=port, vlan_info={"vid": 10, "flags": 6})
        links.vlan_filter("add", index=port, vlan_info={"vid": "20-22"})
        links.link("add", ifname="br0.10", kind="vlan", link=bridge, vlan_id=10)
        shown = switch.run("bridge -compressvlans vlan show dev port")
        assert "10 PVID Egress Untagged" in shown
        assert "20-22" in shown
        assert "vlan protocol 802.1Q id 10" in switch.run("ip -details link show br0.10")
