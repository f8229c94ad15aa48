"""Sessions with real packets: what a claim opens, and that it ends in both directions, whatever happens."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.agents import AgentHost
from tests.netns.conversation import Conversation, open_tcp, serve_tcp

pytestmark = pytest.mark.kernel
FAMILIES = pytest.mark.parametrize("family", [4, 6])
STAFF = "allow group staff in a -> b : tcp/443, udp/53, ping"
SECOND = 1.0


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AgentHost]:
    with AgentHost(folder=tmp_path) as host:
        yield host


@pytest.fixture
def staff(host: AgentHost) -> AgentHost:
    host.apply(STAFF)
    host.start_agent()
    return host


def begin(host: AgentHost, family: int, source: str = "a.5", protocol: str = "tcp") -> Conversation:
    talk = host.talk(source, "b.5", family, protocol, {"tcp": 443, "udp": 53, "icmp": 9}[protocol])
    assert protocol != "tcp" or talk.open()
    assert flows(talk)
    return talk


def flows(talk: Conversation) -> bool:
    there, back = talk.to_server(), talk.to_client()
    assert there == back, "one direction only"
    return there


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_a_person_reaches_from_bind_to_unbind(staff: AgentHost, family: int, protocol: str) -> None:
    new = staff.talk("a.5", "b.5", family, protocol, {"tcp": 443, "udp": 53, "icmp": 9}[protocol])
    assert not (new.open() if protocol == "tcp" else new.to_server())
    staff.claimed("a.5", "ana@x.example")
    talk = begin(staff, family, protocol=protocol)
    assert staff.ask("unbind", user="ana@x.example") == {"ok": True, "ended": 1}
    assert not flows(talk)
    staff.claimed("a.5", "stranger@x.example")
    assert not flows(talk)


@FAMILIES
@pytest.mark.parametrize("end", ["unbind", "expiry", "expiry of a dead agent", "unbind of its source"])
def test_an_open_tcp_stream_dies_within_a_second(staff: AgentHost, family: int, end: str) -> None:
    server = staff.gateway.attach("b0", staff.address("b.5", 4), staff.address("b.5", 6))
    client = staff.gateway.attach("a0", staff.address("a.5", 4), staff.address("a.5", 6))
    ttl = 3 if end.startswith("expiry") else 600
    bound = time.monotonic()
    staff.claimed("a.5", "ana@x.example", source="vpn", kind="openvpn", id="7", ttl=ttl)
    if end == "expiry of a dead agent":
        staff.kill_agent(signal.SIGKILL)
    with (
        serve_tcp(server, 443),
        open_tcp(client, staff.address("a.5", family), staff.address("b.5", family), 443) as stream,
    ):
        stream.settimeout(SECOND)
        assert echoes(stream)
        if end.startswith("expiry"):
            while time.monotonic() < bound + ttl - 0.2:
                assert echoes(stream), "it died too early"
                time.sleep(0.05)
            started = bound + ttl
        else:
            started = time.monotonic()
            what = {"user": "ana@x.example"} if end == "unbind" else {"source": "vpn", "id": "7"}
            assert staff.ask("unbind", **what)["ended"] == 1
        assert is_reset(stream, started + SECOND)


def is_reset(stream: socket.socket, deadline: float) -> bool:
    """Whether it comes to its end before that."""
    while time.monotonic() < deadline:
        try:
            echoes(stream)
        except ConnectionResetError:
            return True
        time.sleep(0.01)
    return False


def echoes(stream: socket.socket) -> bool:
    stream.sendall(b"x")
    return stream.recv(1) == b"x"


@pytest.mark.parametrize("source", [{}, {"source": "nac", "kind": "radius", "id": "9"}])
@pytest.mark.parametrize(("family", "protocol"), [(4, "tcp"), (6, "tcp"), (4, "udp")])
def test_an_address_that_changes_hands_takes_no_connection_along(
    staff: AgentHost, family: int, protocol: str, source: dict[str, str]
) -> None:
    staff.claimed("a.5", "ana@x.example")
    staff.claimed("a.6", "cy@x.example")
    talk, others = begin(staff, family, protocol=protocol), begin(staff, family, "a.6", protocol)
    staff.claimed("a.5", "bo@x.example", **source)
    assert not talk.to_client()
    if protocol == "tcp":
        assert not talk.to_server()
    assert flows(others)
    ended, began = staff.audit[-2:]
    assert (ended["event.action"], ended["user.name"]) == ("unbind", "ana@x.example")
    assert (began["event.action"], began["user.name"]) == ("bind", "bo@x.example")
    assert "`bo@x.example`" in ended["event.reason"]
    begin(staff, family, protocol="icmp")


def test_one_source_id_on_a_new_address_moves(staff: AgentHost) -> None:
    first = staff.claimed("a.5", "ana@x.example", source="vpn", kind="openvpn", id="7")
    talk = begin(staff, 4)
    second = staff.claimed("a.6", "ana@x.example", source="vpn", kind="openvpn", id="7")
    assert second["since"] == pytest.approx(first["since"], abs=0.01)
    assert staff.bound() == {"10.1.0.6", "2001:db8:1::6"}
    assert not flows(talk)
    begin(staff, 4, "a.6")
    assert staff.audit[-1]["event.action"] == "move"
