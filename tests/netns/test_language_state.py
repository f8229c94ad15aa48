"""Connections: what belongs to an allowed one, and how one ends with the session that opened it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest

from segc.proof.findings import differences
from tests.netns import wire
from tests.netns.conversation import Conversation, open_tcp, serve_tcp, tcp_connect
from tests.netns.harness import LOCAL, Gateway
from tests.netns.namespace import Namespace, ip_batch, nft, require_throwaway, run, sysctl
from tests.netns.policy import wait_a_moment
from tests.netns.site import GATEWAY, ZONES, Site

pytestmark = pytest.mark.kernel
FAMILIES = pytest.mark.parametrize("family", [4, 6])
PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
SERVICES = "tcp/443, udp/53, ping"
PORTS = {"tcp": 443, "udp": 53, "icmp": 9}


def begin(site: Site, source: str, destination: str, family: int, protocol: str) -> Conversation:
    talk = site.talk(source, destination, family, protocol, PORTS[protocol])
    assert protocol != "tcp" or talk.open()
    assert flows(talk), f"{source} -> {destination} is not open"
    return talk


def flows(talk: Conversation) -> bool:
    """Whether packets pass in both directions; an error if they pass in one only."""
    there, back = talk.to_server(), talk.to_client()
    assert there == back, "one direction only"
    return there


@FAMILIES
@PROTOCOLS
def test_answers_pass_and_nothing_else_comes_back(family: int, protocol: str) -> None:
    with Site(f"allow a -> b : {SERVICES}") as site:
        talk = site.talk("a.5", "b.5", family, protocol, PORTS[protocol])
        assert not talk.to_client()
        assert protocol != "tcp" or talk.open()
        assert flows(talk)
        other = site.talk("b.5", "a.5", family, protocol, PORTS[protocol])
        assert not other.to_server()


@FAMILIES
@PROTOCOLS
def test_icmp_errors_pass_where_they_belong_to_a_flow(family: int, protocol: str) -> None:
    router = {4: "10.2.0.250", 6: "2001:db8:2::250"}[family]
    unreachable = {4: (3, 1), 6: (1, 3)}[family]
    expired = {4: (11, 0), 6: (3, 0)}[family]
    with Site(f"allow a -> b : {SERVICES}") as site:
        talk = begin(site, "a.5", "b.5", family, protocol)
        assert talk.error_to_client(router)
        assert talk.error_to_client(router, *unreachable)
        assert talk.error_to_client(router, *expired)
        assert talk.error_to_server({4: "10.1.0.250", 6: "2001:db8:1::250"}[family])
        site.gateway.flush_conntrack()
        assert not talk.error_to_client(router)
        assert not talk.error_to_client(router, *unreachable)


def test_no_redirect_passes_along_with_a_connection() -> None:
    with Site(f"allow a -> b : {SERVICES}") as site:
        talk = begin(site, "a.5", "b.5", 4, "tcp")
        to, router = wire.packed("10.1.0.5"), wire.packed("10.1.0.66")
        for forged in ("10.2.0.5", "10.3.0.66"):
            redirect = wire.icmp(wire.packed(forged), to, 5, 1, router, talk.last_at_server)
            assert not site.gateway.exchange("lan0.3", redirect)
        assert flows(talk)


@FAMILIES
@PROTOCOLS
def test_a_session_that_ends_ends_its_connections(family: int, protocol: str) -> None:
    with Site(f"""
        allow group staff in a -> b : {SERVICES} require mfa
        allow group staff in c -> b : any
        allow c -> b : {SERVICES} when daily 00:00-24:00
        allow a.one -> b : {SERVICES}
    """) as site:
        site.bind("a.5", "ana@x.example", mfa=True)
        site.bind("a.6", "ana@x.example", mfa=True)
        ends = begin(site, "a.5", "b.5", family, protocol)
        stays = begin(site, "a.6", "b.5", family, protocol)
        plain = begin(site, "a.11", "b.5", family, protocol)
        timed = begin(site, "c.5", "b.5", family, protocol)
        site.unbind("a.5")
        assert not flows(ends)
        assert all(map(flows, (stays, plain, timed)))
        site.bind("a.5", "ana@x.example", mfa=False)
        assert not flows(ends)
        site.bind("a.5", "ana@x.example", mfa=True)
        assert flows(ends)


def test_a_session_that_times_out_ends_its_connections() -> None:
    kinds = list(product((4, 6), PORTS))
    with Site(f"allow group staff -> b : {SERVICES}  allow c -> b : {SERVICES}") as site:
        started = time.monotonic()
        site.bind("a.5", "ana@x.example", timeout="2500ms")
        bound, free = ([begin(site, host, "b.5", *kind) for kind in kinds] for host in ("a.5", "c.5"))
        assert time.monotonic() - started < 2.4, "too slow a machine for this test"
        time.sleep(max(0.0, started + 2.5 - time.monotonic()))
        wait_a_moment()
        assert not any(map(flows, bound))
        assert all(map(flows, free))


@FAMILIES
def test_sessions_of_the_destination_and_of_those_shut_out(family: int) -> None:
    with Site("""
        allow b -> group staff in a : tcp/443
        allow a except group chiefs -> c : tcp/443
    """) as site:
        site.bind("a.5", "ana@x.example")
        to_group = begin(site, "b.5", "a.5", family, "tcp")
        not_chief = begin(site, "a.5", "c.5", family, "tcp")
        site.unbind("a.5")
        assert not flows(to_group)
        assert flows(not_chief)
        site.bind("a.5", "cy@x.example")
        wait_a_moment()
        assert flows(to_group)
        assert not flows(not_chief)


@FAMILIES
@PROTOCOLS
def test_a_deny_that_begins_ends_what_it_forbids(family: int, protocol: str) -> None:
    """Whatever lets the connection in, for as long as the deny holds, and nothing else of the same ends."""
    with Site(f"""
        allow a -> b : {SERVICES}, tcp/400-500
        allow group staff in c -> b : {SERVICES}
        deny group chiefs in (a, c), user "di@x.example" in c -> b : tcp/400-450, {SERVICES}
    """) as site:
        site.bind("c.5", "ana@x.example")
        lasting, others = (begin(site, host, "b.5", family, protocol) for host in ("a.5", "a.6"))
        bound, ranged = (
            begin(site, "c.5", "b.5", family, protocol),
            site.talk("a.5", "b.5", family, "tcp", 410),
        )
        beyond = site.talk("a.5", "b.5", family, "tcp", 460)
        assert all((ranged.open(), beyond.open(), flows(ranged), flows(beyond)))
        site.bind("a.5", "cy@x.example")
        site.bind("c.5", "cy@x.example")
        wait_a_moment()
        assert not any(map(flows, (lasting, bound, ranged)))
        assert all(map(flows, (others, beyond)))
        site.unbind("a.5")
        assert flows(lasting)
        site.unbind("c.5")
        assert not flows(bound)


@FAMILIES
def test_a_deny_that_begins_ends_connections_with_the_gateway_itself(family: int) -> None:
    with Site("""
        allow a -> gateway gw : udp/53
        allow gateway gw -> a : udp/514
        deny group chiefs in a -> gateway gw : udp
        deny gateway gw -> group chiefs in a : udp
    """) as site:
        host, own = (site.address(name, family) for name in ("a.5", "a.1"))
        talks = [(host, own, 53, "lan0.1"), (own, host, 514, None)]
        assert all(both_ways(site, *talk) for talk in talks)
        site.bind("a.5", "cy@x.example")
        wait_a_moment()
        assert not any(both_ways(site, *talk) for talk in talks)
        site.unbind("a.5")
        assert all(both_ways(site, *talk) for talk in talks)


def both_ways(
    site: Site, source: str, destination: str, port: int, entry: str | None, answer_first: bool = False
) -> bool:
    """Whether UDP passes between a host and the gateway; an error if in one direction only."""
    there = wire.udp(wire.packed(source), wire.packed(destination), 40000, port, b"there")
    back = wire.udp(wire.packed(destination), wire.packed(source), port, 40000, b"answer")
    ways = [(there, entry), (back, None if entry else "lan0.1")]
    passed = {
        (LOCAL if way else "lan0.1") in [each.interface for each in site.gateway.exchange(way, packet)]
        for packet, way in (reversed(ways) if answer_first else ways)
    }
    assert len(passed) == 1, "one direction only"
    return passed.pop()


@FAMILIES
def test_a_session_bounds_connections_with_the_gateway_itself(family: int) -> None:
    with Site("""
        allow group staff in a -> gateway gw : udp/53
        allow gateway gw -> group staff in a : udp/514
    """) as site:
        host, own = (site.address(name, family) for name in ("a.5", "a.1"))
        talks = [(host, own, 53, "lan0.1"), (own, host, 514, None)]
        site.bind("a.5", "ana@x.example")
        assert all(both_ways(site, *talk) for talk in talks)
        site.unbind("a.5")
        assert not any(both_ways(site, *talk) for talk in talks)
        site.bind("a.5", "ana@x.example")
        assert all(both_ways(site, *talk, answer_first=True) for talk in talks)


@FAMILIES
def test_a_real_client_is_told_that_its_session_has_ended(family: int) -> None:
    with Site("allow group staff in a -> b : tcp/443  allow a -> b : tcp/80") as site:
        client_address, server_address = site.address("a.5", family), site.address("b.5", family)
        server = site.gateway.attach("lan0.2", site.address("b.5", 4), site.address("b.5", 6))
        client = site.gateway.attach("lan0.1", site.address("a.5", 4), site.address("a.5", 6))
        with serve_tcp(server, 443), serve_tcp(server, 80):
            assert tcp_connect(client, client_address, server_address, 443, 3) == "unreachable"
            site.bind("a.5", "ana@x.example")
            with (
                open_tcp(client, client_address, server_address, 443) as bound,
                open_tcp(client, client_address, server_address, 80) as free,
            ):
                for connection in (bound, free):
                    connection.sendall(b"hello")
                    assert connection.recv(100) == b"hello"
                site.unbind("a.5")
                bound.sendall(b"still there?")
                with pytest.raises(ConnectionResetError):
                    bound.recv(100)
                free.sendall(b"and you?")
                assert free.recv(100) == b"and you?"


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_who_goes_on_sending_is_asked_again(family: int, protocol: str) -> None:
    """What the kernel has asked it takes for granted for half a second, and no packet makes that longer."""
    with Site("allow group staff in a -> b : tcp/443, udp/53") as site:
        site.bind("a.5", "ana@x.example")
        talk = begin(site, "a.5", "b.5", family, protocol)
        sets = {
            name: site.address("a.5", number)
            for number in (4, 6)
            for name in re.findall(rf"who{number}_\S+", site.compiled.ruleset())
        }
        site.gateway.load("".join(f"delete element inet segc {n} {{ {a} }}\n" for n, a in sets.items()))
        ended = time.monotonic()
        while time.monotonic() < ended + 0.5:
            talk.to_server()
            talk.to_client()
            time.sleep(0.02)
        time.sleep(0.05)
        assert not flows(talk)


@FAMILIES
def test_connections_that_find_no_room_are_asked_about_each_time(family: int) -> None:
    with Site("allow group staff in a -> b : tcp/443, udp/53") as site:
        site.gateway.load(site.compiled.ruleset().replace("size 131072", "size 1"))
        site.bind("a.5", "ana@x.example")
        talks = [begin(site, "a.5", "b.5", family, protocol) for protocol in ("tcp", "udp")]
        for _ in range(3):
            assert all(map(flows, talks))
        site.unbind("a.5")
        assert not any(map(flows, talks))


@FAMILIES
def test_a_connection_is_not_held_by_another_that_goes_on(family: int) -> None:
    """Of the same hosts, to another port or by another protocol."""
    with Site("""
        allow group chiefs in a -> b : udp/53
        allow group staff in a -> b : udp/99, tcp/53
    """) as site:
        site.bind("a.5", "cy@x.example")
        ends = site.talk("a.5", "b.5", family, "udp", 53)
        stay = [site.talk("a.5", "b.5", family, *service) for service in (("udp", 99), ("tcp", 53))]
        assert stay[1].open()
        assert all(map(flows, (ends, *stay)))
        site.unbind("a.5")
        site.bind("a.5", "ana@x.example")
        assert all(map(flows, stay))
        assert not flows(ends)


def test_what_was_asked_is_the_same_in_a_listing_that_is_loaded() -> None:
    """nft keeps the types of five parts of a key, and lists a set of more without the first."""
    with Site("allow group staff in a -> b : tcp/443, udp/53") as site:
        listing = ["nft", "-s", "list", "table", "inet", "segc"]
        names = re.findall(r"set (recent\S+) \{", site.compiled.ruleset())
        site.bind("a.5", "ana@x.example")
        begin(site, "a.5", "b.5", 4, "tcp")
        held = [name for name in names if "10.1.0.5 . 10.2.0.5 . 40000 . 443" in site.listed("set", name)]
        assert held == ["recent4_tcp"]
        wait_a_moment()
        listed = run(site.gateway.namespace, listing).stdout
        site.gateway.load(f"delete table inet segc\n{listed}")
        assert run(site.gateway.namespace, listing).stdout == listed


@FAMILIES
def test_ranges_are_held_too_whatever_the_zones_are_called(family: int) -> None:
    """Both directions of a range are looked up in chains of their own."""
    zones = ZONES.replace("zone c {", "zone reply_a {").replace("c.one", "reply_a.one")
    gateway = (GATEWAY % "").replace("a, b, c", "a, b, reply_a").replace("address c", "address reply_a")
    statements = "allow group staff in a, group staff in reply_a -> b : tcp/400-500, udp/50-60 log"
    with Site(statements, zones=zones, gateway_text=gateway) as site:
        for host in ("a.5", "c.5"):
            site.bind(host, "ana@x.example")
            talks = [begin(site, host, "b.5", family, protocol) for protocol in ("tcp", "udp")]
            site.unbind(host)
            assert not any(map(flows, talks))


@FAMILIES
def test_connections_that_need_no_session_go_on_wherever_ports_of_people_are(family: int) -> None:
    """A gateway that forgot its connections sees the middle of them."""
    with Site("""
        allow group staff in a -> b : tcp/100-200
        allow a -> b : tcp/150-250 log
        allow a -> b : tcp/190-300 when daily 00:00-24:00
        allow a except group chiefs -> b : tcp/310, tcp/320-330
        allow group staff in a except group chiefs -> b : tcp/340
    """) as site:
        assert not differences(site.compiled.policy, site.program.position.gateway, site.compiled.ruleset())
        site.bind("a.5", "ana@x.example")
        found = {}
        for port in (120, 160, 220, 280, 310, 325, 340):
            talk = site.talk("a.5", "b.5", family, "tcp", port)
            assert talk.open()
            site.gateway.flush_conntrack()
            found[port] = talk.to_server()
        assert found == {120: False, 160: True, 220: True, 280: True, 310: True, 325: True, 340: False}


HOSTS = {"lan0.1": ("10.1.0", "2001:db8:1::"), "lan0.2": ("10.2.0", "2001:db8:2::")}


@pytest.fixture
def neighbours() -> Iterator[tuple[Site, Namespace, Namespace, Namespace]]:
    """A gateway and two hosts that find each other by ARP and neighbour discovery, with DAD."""
    site = Site("allow a -> b : tcp/443")
    gateway, *hosts = (Namespace.create(name) for name in ("gateway", "a", "b"))
    gateway.call(partial(sysctl, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1))
    gateway.call(partial(nft, site.compiled.ruleset()))
    for host, (device, (v4, v6)) in zip(hosts, HOSTS.items(), strict=True):
        gateway.call(partial(ip_batch, [
            f"link add name {device} type veth peer name eth0 netns {host.path}",
            f"link set {device} up", f"addr add {v4}.1/24 dev {device}", f"addr add {v6}1/64 dev {device}",
        ]))  # fmt: skip
        host.call(partial(ip_batch, [
            "link set lo up", "link set eth0 up", f"addr add {v4}.5/24 dev eth0",
            f"addr add {v6}5/64 dev eth0",
            f"route add default via {v4}.1", f"route add ::/0 via {v6}1",
        ]))  # fmt: skip
    yield site, gateway, hosts[0], hosts[1]
    for namespace in (gateway, *hosts):
        namespace.close()


def test_neighbours_find_each_other(neighbours: tuple[Site, Namespace, Namespace, Namespace]) -> None:
    site, gateway, client, server = neighbours
    for _ in range(100):
        tentative = [run(each, ["ip", "-6", "addr", "show", "tentative"]).stdout for each in neighbours[1:]]
        if not any(tentative):
            break
        time.sleep(0.1)
    with serve_tcp(server, 443), serve_tcp(server, 444):
        for family in (4, 6):
            source, target = site.address("a.5", family), site.address("b.5", family)
            assert tcp_connect(client, source, target, 443, 3) == "connected"
            assert tcp_connect(client, source, target, 444, 3) == "unreachable"
    known = run(gateway, ["ip", "neigh"]).stdout
    assert all(f"{prefix}5 dev" in known for prefix in ("10.1.0.", "10.2.0.", "2001:db8:1::", "2001:db8:2::"))


def test_dhcp_that_the_gateway_serves_needs_no_flow() -> None:
    with Site(in_gateway="serve dhcp to a") as site, join_dhcpv6(site.gateway, "lan0.1", "lan0.2"):
        none, everybody = wire.packed("0.0.0.0"), wire.packed("255.255.255.255")
        new, servers = wire.packed("fe80::77"), wire.packed("ff02::1:2")
        asked = {
            "discover": wire.udp(none, everybody, 68, 67, b"discover"),
            "solicit": wire.udp(new, servers, 546, 547, b"solicit"),
        }
        others = {
            "port": wire.udp(none, everybody, 68, 69, b"tftp"),
            "source port": wire.udp(none, everybody, 1068, 67, b"odd"),
            "global": wire.udp(wire.packed("2600::1"), servers, 546, 547, b"spoofed"),
        }

        def delivered(interface: str, packet: bytes) -> bool:
            return LOCAL in [arrival.interface for arrival in site.gateway.exchange(interface, packet)]

        assert all(delivered("lan0.1", packet) for packet in asked.values())
        assert not any(delivered("lan0.2", packet) for packet in asked.values())
        assert not any(delivered("wan0", packet) for packet in asked.values())
        assert not any(delivered("lan0.1", packet) for packet in others.values())
        for zone, passes in (("a", True), ("b", False)):
            for family, ports in ((4, (67, 68)), (6, (547, 546))):
                own, host = site.address(f"{zone}.1", family), site.address(f"{zone}.77", family)
                if family == 6:
                    own = "fe80::1"
                site.gateway.flush_conntrack()
                offer = wire.udp(wire.packed(own), wire.packed(host), *ports, b"offer")
                seen = [e.interface for e in site.gateway.exchange(None, offer) if e.data.endswith(b"offer")]
                assert (site.device(host) in seen) == passes


def test_dhcp_that_the_gateway_asks_for_needs_no_flow() -> None:
    """`wan0` has `address dhcp`."""
    with Site() as site:
        server, leased = wire.packed("198.51.100.1"), wire.packed("100.64.0.2")
        request = wire.udp(leased, server, 68, 67, b"request")
        offer = wire.udp(server, leased, 67, 68, b"offer")
        assert LOCAL in [each.interface for each in site.gateway.exchange("wan0", offer)]
        site.gateway.flush_conntrack()
        assert [each.interface for each in site.gateway.exchange(None, request)] == ["wan0"]
        site.gateway.flush_conntrack()
        assert not site.gateway.exchange("wan0", wire.udp(server, leased, 68, 67, b"discover"))
        a, own = wire.packed("10.1.0.9"), wire.packed("10.1.0.1")
        assert LOCAL not in [
            each.interface for each in site.gateway.exchange("lan0.1", wire.udp(a, own, 67, 68, b""))
        ]


def join_dhcpv6(gateway: Gateway, *devices: str) -> socket.socket:
    """Be a DHCPv6 server on these devices, so far as the kernel is concerned."""

    def work() -> socket.socket:
        require_throwaway()
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        for device in devices:
            group = wire.packed("ff02::1:2") + socket.if_nametoindex(device).to_bytes(4, "little")
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        return made

    return gateway.namespace.call(work)
