"""Return traffic, related errors, and flows that are cut, packet by packet and between real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns.conversation import Conversation, End, open_tcp, serve_tcp, tcp_connect
from tests.netns.harness import Gateway, InterfaceSpec, run
from tests.netns.wire import ACK, SYN

INTERFACES = {
    "lan0": InterfaceSpec(["10.10.10.1/24", "2001:db8:10::1/64"]),
    "dmz0": InterfaceSpec(["10.10.20.1/24", "2001:db8:20::1/64"]),
    "wan0": InterfaceSpec(["192.0.2.2/30", "2001:db8:ffff::2/64"], default=True),
}
CLIENTS = {4: "10.10.10.7", 6: "2001:db8:10::7"}
SERVERS = {4: "10.10.20.9", 6: "2001:db8:20::9"}
WORLD = {4: "198.51.100.1", 6: "2600::1"}
OUTER = {4: "192.0.2.2", 6: "2001:db8:ffff::2"}
FAMILIES = pytest.mark.parametrize("family", [4, 6])

RULES = """table inet t {
 set s_sessions { type ipv4_addr; }
 set s_sessions6 { type ipv6_addr; }
 chain c_forward {
  type filter hook forward priority 0; policy drop;
  %s
  iifname "lan0" accept
  ct status dnat accept
 }
}
"""
STATEFUL = RULES % "ct state established,related accept"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(INTERFACES) as made:
        yield made


def talk(gateway: Gateway, family: int, protocol: str = "tcp") -> Conversation:
    if protocol == "icmp" and family == 6:
        protocol = "icmpv6"
    client, server = End("lan0", CLIENTS[family], 40000), End("dmz0", SERVERS[family], 443)
    return Conversation(gateway, client, server, protocol)


@FAMILIES
def test_tcp_both_ways_and_its_end(gateway: Gateway, family: int) -> None:
    gateway.load(STATEFUL)
    tcp = talk(gateway, family)
    assert not tcp.send_to_client(SYN | ACK)
    assert tcp.open()
    assert tcp.to_server(b"GET /")
    assert tcp.to_client(b"200 OK")
    assert tcp.to_server()
    assert tcp.finish()


@FAMILIES
def test_without_the_established_rule_nothing_returns(gateway: Gateway, family: int) -> None:
    gateway.load(RULES % "")
    tcp = talk(gateway, family)
    assert tcp.send_to_server(SYN)
    assert not tcp.send_to_client(SYN | ACK)
    assert not tcp.open()


@FAMILIES
@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_answers_pass_only_after_the_question(gateway: Gateway, family: int, protocol: str) -> None:
    gateway.load(STATEFUL)
    flow = talk(gateway, family, protocol)
    assert not flow.to_client()
    assert flow.to_server()
    assert flow.to_client()


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_icmp_errors_pass_where_they_are_related(gateway: Gateway, family: int, protocol: str) -> None:
    gateway.load(STATEFUL)
    flow = talk(gateway, family, protocol)
    assert flow.open() if protocol == "tcp" else flow.to_server() and flow.to_client()
    assert flow.error_to_client(SERVERS[family].replace("9", "254"))
    assert flow.error_to_server(CLIENTS[family])
    gateway.flush_conntrack()
    assert not flow.error_to_client(SERVERS[family])


@FAMILIES
def test_an_ended_session_cuts_the_flow_both_ways(gateway: Gateway, family: int) -> None:
    word, sessions = {4: ("ip", "s_sessions"), 6: ("ip6", "s_sessions6")}[family]
    guarded = f"ct original {word} saddr @{sessions} ct state established accept\nct state established drop"
    gateway.load(RULES % guarded)
    gateway.load(f"add element inet t {sessions} {{ {CLIENTS[family]} }}\n")
    tcp = talk(gateway, family)
    assert tcp.open()
    assert tcp.to_client()
    gateway.load(f"delete element inet t {sessions} {{ {CLIENTS[family]} }}\n")
    assert not tcp.to_client()
    assert not tcp.to_server()
    assert not tcp.reset()
    gateway.load(f"add element inet t {sessions} {{ {CLIENTS[family]} }}\n")
    assert tcp.to_client()
    assert tcp.to_server()


def translating(family: int) -> str:
    word, target = {4: ("ip", SERVERS[4]), 6: ("ip6", f"[{SERVERS[6]}]")}[family]
    return (
        STATEFUL
        + f"""table inet nat {{
 chain c_post {{
  type nat hook postrouting priority 100; policy accept;
  oifname "wan0" masquerade
 }}
 chain c_pre {{
  type nat hook prerouting priority -100; policy accept;
  iifname "wan0" tcp dport 443 dnat {word} to {target}:8443
 }}
}}
"""
    )


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_masqueraded_conversation(gateway: Gateway, family: int, protocol: str) -> None:
    gateway.load(translating(family))
    name = "icmpv6" if protocol == "icmp" and family == 6 else protocol
    client, server = End("lan0", CLIENTS[family], 40000), End("wan0", WORLD[family], 80)
    flow = Conversation(gateway, client, server, name)
    assert flow.open() if protocol == "tcp" else flow.to_server()
    assert flow.server_sees[0] == OUTER[family]
    assert flow.to_client()
    assert flow.to_server()
    assert flow.error_to_client(WORLD[family])


@FAMILIES
def test_published_conversation(gateway: Gateway, family: int) -> None:
    gateway.load(translating(family))
    client, public = End("wan0", WORLD[family], 40000), End("dmz0", OUTER[family], 443)
    tcp = Conversation(gateway, client, public)
    assert tcp.open()
    assert tcp.to_client()
    assert tcp.server_sees == (WORLD[family], SERVERS[family], 40000, 8443)
    assert tcp.error_to_server(WORLD[family])


@FAMILIES
def test_real_connections_between_real_hosts(gateway: Gateway, family: int) -> None:
    lan = gateway.attach("lan0", *CLIENTS.values())
    dmz = gateway.attach("dmz0", *SERVERS.values())
    gateway.load(RULES % "ct state established accept\ntcp dport 81 drop\ntcp dport 82 reject with tcp reset")
    ends = CLIENTS[family], SERVERS[family]
    with serve_tcp(dmz, 80), serve_tcp(dmz, 81):
        assert tcp_connect(lan, *ends, 80) == "connected"
        assert tcp_connect(lan, *ends, 81, 0.3) == "timed out"
        assert tcp_connect(lan, *ends, 82) == "refused"
        assert tcp_connect(dmz, SERVERS[family], CLIENTS[family], 80, 0.3) == "timed out"
        with open_tcp(lan, *ends, 80) as connection:
            connection.sendall(b"hello")
            assert connection.recv(5) == b"hello"
            peer = run(dmz, ["ss", "-Htn", "state", "established"]).stdout
            assert CLIENTS[family] in peer
