"""Sessions with real packets: what a claim opens, and that it ends in both directions, whatever happens."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segc.apply.conntrack import connections
from segc.apply.tally import transactions
from segc.backends.nftables.cells import LABEL
from segc.sessions.client import UnansweredError, ask
from segc.sessions.leftover import LINGER
from tests.netns.agents import AgentHost
from tests.netns.conversation import Conversation, open_tcp, serve_tcp
from tests.netns.namespace import nft
from tests.netns.policy import wait_a_moment
from tests.netns.wire import TCP

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
    assert staff.ask("unbind", user="ana@x.example") == {"ok": True, "ended": 1, "kinds": ["manual"]}
    wait_a_moment()
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
    wait_a_moment()
    assert not flows(talk)
    begin(staff, 4, "a.6")
    assert staff.audit[-1]["event.action"] == "move"


# -- policies that change ------------------------------------------------------------------------------

PAIR = """
allow group staff in a -> b : tcp/443
allow group chiefs in a -> b : tcp/22
"""


def test_an_apply_keeps_sessions_with_their_remaining_time(staff: AgentHost) -> None:
    until = staff.claimed("a.5", "ana@x.example", ttl=3600)["until"]
    talk = begin(staff, 4)
    staff.apply(f"{STAFF}\nallow b -> c : tcp/25")
    staff.settled()
    (kept,) = staff.ask("sessions")["sessions"]
    assert kept["until"] == pytest.approx(until, abs=0.1)
    assert flows(talk)
    staff.nft("delete", "table", "inet", "segc")
    staff.apply(STAFF)
    staff.wait(lambda: staff.bound() == {"10.1.0.5", "2001:db8:1::5"}, SECOND)
    assert remaining(staff, "10.1.0.5") == pytest.approx(until - time.time(), abs=2)
    assert flows(talk)


@pytest.mark.parametrize("wanted", ["team", "posture", "both"])
def test_an_apply_that_calls_people_otherwise_ends_nothing_of_theirs(staff: AgentHost, wanted: str) -> None:
    """Their new set is not empty even for the moment until the agent fills it."""
    until = staff.claimed("a.5", "ana@x.example", ttl=3600, postures=["managed"])["until"]
    talk, flow = begin(staff, 4), STAFF
    staff.kill_agent(signal.SIGKILL)
    if wanted != "posture":
        staff.zones = staff.zones.replace("group staff ", "group team ")
        flow = flow.replace("group staff", "group team")
    staff.apply(flow if wanted == "team" else f"{flow} require posture managed")
    assert staff.bound() == {"10.1.0.5", "2001:db8:1::5"}
    assert remaining(staff, "10.1.0.5") == pytest.approx(until - time.time(), abs=2)
    assert flows(talk)
    staff.start_agent()
    assert flows(talk)
    staff.apply(f"{flow} require mfa")
    assert not staff.bound()
    assert not flows(talk)


@pytest.mark.parametrize("how", ["told to", "in time", "whole"])
def test_an_undoing_that_calls_people_otherwise_ends_nothing_of_theirs(staff: AgentHost, how: str) -> None:
    """The set that comes back is not empty even for the moment until the agent fills it."""
    staff.claimed("a.5", "ana@x.example", ttl=3600)
    staff.claimed("a.6", "ana@x.example", id="gone", ttl=3600)
    talk, former = begin(staff, 4), staff.zones
    staff.zones = former.replace("group staff ", "group team ")
    staff.apply(STAFF.replace("group staff", "group team"), "--confirm", "1h")
    assert flows(talk)
    staff.settled()
    staff.ask("unbind", source="manual", id="gone")
    staff.kill_agent(signal.SIGKILL)
    if how == "whole":
        names = [name for name in staff.members() if name.startswith("who4_")]
        asked = [f"add rule inet segc by_hand ip saddr @{name} drop" for name in names]
        staff.nft("; ".join(["add chain inet segc by_hand", *asked]))
    if how == "told to":
        assert staff.segc("rollback").returncode == 0
    else:
        script, token = (
            staff.state.generations / "2/revert/revert.sh",
            staff.state.read("window.json")["token"],
        )
        assert subprocess.run(["sh", str(script), token]).returncode == 0
    assert staff.standing() == (1, 1, None)
    assert "by_hand" not in staff.nft("list", "table", "inet", "segc")
    assert staff.bound() == {"10.1.0.5", "2001:db8:1::5"}
    assert flows(talk)


def test_an_apply_tells_the_agent_from_others(staff: AgentHost) -> None:
    """What the agent does is no reason to list and compare the whole table; what anybody else does is."""

    def as_left() -> bool:
        seen = staff.inside(lambda: transactions(staff.state))
        return staff.state.read("kernel.json").get("transactions") == seen

    staff.claimed("a.5", "ana@x.example")
    staff.apply(f"{STAFF}\nallow b -> c : tcp/25")
    staff.settled()
    staff.wait(as_left, SECOND)  # the agent tells of a transaction just behind it
    staff.claimed("a.6", "bo@x.example")
    staff.ask("unbind", address=staff.address("a.6", 4))
    staff.wait(as_left, SECOND)
    staff.kill_agent(signal.SIGKILL)
    staff.start_agent()
    staff.claimed("a.6", "bo@x.example")
    staff.wait(as_left, SECOND)
    staff.nft("add", "chain", "inet", "segc", "by_hand")
    assert not as_left()
    staff.claimed("a.7", "bo@x.example")
    assert not as_left()


def remaining(host: AgentHost, address: str) -> float:
    """Seconds that the kernel will hold the element for."""
    listed = host.nft("-j", "list", "table", "inet", "segc")
    found = re.search(rf'"val": "{address}"[^}}]*?"expires": (\d+)', listed)
    assert found, listed
    return int(found[1])


def test_a_table_that_somebody_flushes_is_filled_again(staff: AgentHost) -> None:
    staff.claimed("a.5", "ana@x.example")
    ruleset = staff.nft("-s", "list", "table", "inet", "segc")
    staff.inside(lambda: nft(f"delete table inet segc\n{ruleset}"))
    assert staff.wait(lambda: staff.bound() == {"10.1.0.5", "2001:db8:1::5"}) < SECOND


def test_elements_that_somebody_changes_by_hand_are_put_right(staff: AgentHost) -> None:
    staff.claimed("a.5", "ana@x.example")
    wanted = staff.members()
    (name,) = (name for name, members in wanted.items() if staff.address("a.5", 4) in members)
    for by_hand in (
        ("flush", "set", "inet", "segc", name),
        ("add", "element", "inet", "segc", name, "{ 10.1.0.99 timeout 1h }"),
    ):
        staff.nft(*by_hand)
        assert staff.members() != wanted
        staff.wait(lambda: staff.members() == wanted)
    (found,) = staff.ask("sessions")["sessions"]
    assert found["user"] == "ana@x.example"


def test_flows_and_groups_that_change_add_and_end_what_sessions_open(host: AgentHost) -> None:
    host.apply(PAIR)
    host.start_agent()
    host.claimed("a.5", "cy@x.example")
    host.claimed("a.6", "ana@x.example")
    assert len(host.members("who4_g_chiefs")) == 1
    chief, staff = (begin_on(host, port) for port in (22, 443))
    others = host.talk("a.6", "b.5", 4, "tcp", 443)
    assert others.open()
    host.zones = host.zones.replace(
        'group chiefs { user "cy@x.example" }', 'group chiefs { user "ana@x.example" }'
    )
    host.apply(PAIR)
    host.wait(lambda: host.members("who4_g_chiefs").popitem()[1] == ["10.1.0.6"], SECOND)
    assert not flows(chief)
    assert not flows(staff), "cy was of the staff as a chief only"
    assert flows(others)
    host.apply("allow group chiefs in a -> b : tcp/22")
    host.wait(lambda: len(host.members()) == 2, SECOND)
    assert not flows(others)


def begin_on(host: AgentHost, port: int) -> Conversation:
    talk = host.talk("a.5", "b.5", 4, "tcp", port)
    assert talk.open()
    return talk


def test_who_is_revoked_is_out_and_stays_out(staff: AgentHost) -> None:
    staff.claimed("a.5", "ana@x.example")
    talk = begin(staff, 4)
    assert staff.ask("revoke", users=["ana@x.example"])["ok"]
    assert not staff.talk("a.5", "b.5", 4, "udp", 53).to_server()
    wait_a_moment()
    assert not flows(talk)
    assert "was revoked" in staff.claim("a.5", "ana@x.example")["error"]
    staff.kill_agent(signal.SIGKILL)
    staff.start_agent()
    assert "was revoked" in staff.claim("a.5", "ana@x.example")["error"]
    staff.claimed("a.5", "bo@x.example")
    assert staff.ask("admit", users=["ana@x.example"])["ok"]
    staff.claimed("a.6", "ana@x.example")


def test_who_is_revoked_from_one_group_stays_in_the_others(host: AgentHost) -> None:
    host.apply(PAIR)
    host.start_agent()
    host.claimed("a.5", "cy@x.example")
    chief, staff = begin_on(host, 22), begin_on(host, 443)
    host.ask("revoke", users=["cy@x.example"], groups=["chiefs"])
    wait_a_moment()
    assert not flows(chief)
    assert flows(staff)


# -- an agent that dies --------------------------------------------------------------------------------

DYING = """
import os, signal, sys
from pathlib import Path
import segc.sessions.run
from segc.cli import main
from segc.sessions.agent import Agent

def die(step):
    armed = Path(os.environ["ARMED"])
    if armed.exists() and armed.read_text() == step:
        os.kill(os.getpid(), signal.SIGKILL)

segc.sessions.run.Agent = lambda *given: Agent(*given, before=die)
main()
"""
HANDED = {"10.1.0.6", "2001:db8:1::6"}


def dies_as_bo_comes(host: AgentHost, armed: Path, step: str) -> None:
    """To a.5, where somebody else was; and another agent takes over."""
    armed.write_text(step)
    with pytest.raises(UnansweredError):
        host.claim("a.5", "bo@x.example")
    assert host.agent
    host.agent.wait()
    armed.unlink()
    host.start_agent()


@pytest.mark.parametrize("step", ["journal", "kernel", "answer"])
@pytest.mark.parametrize("what", ["bind", "unbind", "take over"])
def test_killed_at_any_moment_it_forgets_nothing_and_adds_nothing(
    host: AgentHost, monkeypatch: pytest.MonkeyPatch, what: str, step: str
) -> None:
    armed = host.folder / "armed"
    monkeypatch.setenv("ARMED", str(armed))
    host.apply_here(host.wanted(STAFF))
    host.now(STAFF)
    host.start_agent(argv=[sys.executable, "-c", DYING])
    host.claimed("a.5", "ana@x.example", source="vpn", kind="openvpn", id="1")
    host.claimed("a.6", "bo@x.example", source="vpn", kind="openvpn", id="2")
    armed.write_text(step)
    ended = {"do": "unbind", "source": "vpn", "id": "2"}
    begun: dict[str, Any] = {
        "do": "bind",
        "user": "cy@x.example",
        "source": "vpn",
        "kind": "openvpn",
        "id": "3",
    }
    begun["addresses"] = ["10.1.0.7", "2001:db8:1::7"] if what == "bind" else sorted(HANDED)
    with pytest.raises(UnansweredError):
        ask(host.socket, ended if what == "unbind" else begun)
    assert host.agent
    assert host.agent.wait() == -signal.SIGKILL
    verified = {"10.1.0.5", "2001:db8:1::5"} | HANDED | {"10.1.0.7", "2001:db8:1::7"}
    assert host.bound() <= verified, "more than was ever verified"
    armed.unlink()
    host.start_agent()
    found = {each["id"]: each["user"] for each in host.ask("sessions")["sessions"]}
    assert found.pop("1") == "ana@x.example", "what was acknowledged is lost"
    written = step != "journal"
    assert (
        found
        == {
            "bind": {"2": "bo@x.example"} | ({"3": "cy@x.example"} if written else {}),
            "unbind": {} if written else {"2": "bo@x.example"},
            "take over": {"3": "cy@x.example"} if written else {"2": "bo@x.example"},
        }[what]
    )
    standing = {address for each in host.ask("sessions")["sessions"] for address in each["addresses"]}
    assert host.bound() == standing


@pytest.mark.parametrize("step", ["kernel", "answer"])
@pytest.mark.parametrize("ended", ["by it", "before"])
def test_killed_while_an_address_changes_hands_it_takes_no_connection_along(
    host: AgentHost, monkeypatch: pytest.MonkeyPatch, step: str, ended: str
) -> None:
    armed = host.folder / "armed"
    monkeypatch.setenv("ARMED", str(armed))
    host.apply(STAFF)
    host.start_agent(argv=[sys.executable, "-c", DYING])
    host.claimed("a.6", "cy@x.example")
    host.claimed("a.5", "ana@x.example")
    talk, others = begin(host, 4), begin(host, 4, "a.6")
    if ended == "before":
        assert host.ask("unbind", user="ana@x.example")["ended"] == 1
    dies_as_bo_comes(host, armed, step)
    assert {each["user"] for each in host.ask("sessions")["sessions"]} == {"bo@x.example", "cy@x.example"}
    wait_a_moment()
    assert not talk.to_client()
    assert flows(others)
    again = begin(host, 4)
    host.kill_agent(signal.SIGKILL)
    host.start_agent()
    assert flows(again), "what was settled is left alone"


def test_a_restart_ends_connections_of_those_who_are_gone(host: AgentHost) -> None:
    host.apply(STAFF)
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=1)
    talk = begin(host, 4)
    host.kill_agent(signal.SIGKILL)
    time.sleep(1.1)
    host.start_agent()
    assert not host.ask("sessions")["sessions"]
    assert host.audit[-1]["event.action"] == "unbind"
    host.wait(lambda: not host.inside(lambda: [c for c in connections() if c.has_label(LABEL)]), LINGER + 5)
    host.claimed("a.5", "bo@x.example")
    assert not flows(talk)


@pytest.mark.parametrize(("family", "how"), [(4, signal.SIGTERM), (6, signal.SIGKILL)])
def test_a_restart_ends_no_connection_that_needs_no_session(
    host: AgentHost, family: int, how: signal.Signals
) -> None:
    """Also where the first packet after it is an answer, which begins nothing anew."""
    hours = "allow a -> b : tcp/8443, udp/53 when daily 00:00-24:00"
    host.apply(f"allow group staff in a -> b : tcp/443\n{hours}\nallow a -> b : tcp/22")
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=1)
    host.claimed("a.6", "bo@x.example")
    talks = [
        host.talk(name, "b.5", family, protocol, port)
        for name in ("a.6", "a.7")
        for protocol, port in (("tcp", 8443), ("tcp", 22), ("udp", 53))
    ]
    assert all(each.open() for each in talks if each.protocol == TCP)
    assert all(flows(each) for each in talks)
    host.kill_agent(how)
    time.sleep(1.1)
    host.start_agent()
    wait_a_moment()
    assert [each.to_client() for each in talks] == [True] * len(talks)
    host.claimed("a.5", "cy@x.example")
    wait_a_moment()
    assert [each.to_client() for each in talks] == [True] * len(talks)
    assert all(flows(each) for each in talks)


@pytest.mark.parametrize(("family", "protocol"), [(4, "tcp"), (6, "udp")])
@pytest.mark.parametrize("gone", ["just before", "while it is dead", "with its journal"])
def test_after_a_restart_nobody_goes_on_where_the_former_person_was(
    host: AgentHost, family: int, protocol: str, gone: str
) -> None:
    host.apply(STAFF)
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=2 if gone == "while it is dead" else 3600)
    talk = begin(host, family, protocol=protocol)
    if gone == "just before":
        assert host.ask("unbind", user="ana@x.example")["ended"] == 1
    host.kill_agent(signal.SIGKILL)
    if gone == "while it is dead":
        time.sleep(2)
    elif gone == "with its journal":
        (host.state.root / "sessions/journal.1").write_bytes(b"00000000 []\n" * 2)
    host.start_agent()
    wait_a_moment()
    assert not host.ask("sessions")["sessions"]
    assert not flows(talk)
    host.claimed("a.5", "bo@x.example")
    assert not talk.to_client()
    assert protocol != "tcp" or not talk.to_server()
    begin(host, family, protocol="icmp")


@pytest.mark.parametrize("step", ["kernel", "answer"])
def test_nor_where_the_next_agent_dies_as_somebody_comes(
    host: AgentHost, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its journal says who came, and nothing of who was there before it started."""
    armed = host.folder / "armed"
    monkeypatch.setenv("ARMED", str(armed))
    host.apply(STAFF)
    host.start_agent()
    host.claimed("a.5", "ana@x.example")
    talk = begin(host, 4)
    host.kill_agent(signal.SIGKILL)
    (host.state.root / "sessions/journal.1").write_bytes(b"00000000 []\n" * 2)
    host.start_agent(argv=[sys.executable, "-c", DYING])
    dies_as_bo_comes(host, armed, step)
    assert [each["user"] for each in host.ask("sessions")["sessions"]] == ["bo@x.example"]
    assert not talk.to_client()
    begin(host, 4)


@FAMILIES
def test_nor_where_whoever_spoke_to_them_is_still_there(host: AgentHost, family: int) -> None:
    host.apply("allow group chiefs in b -> group staff in a : udp/53")
    host.start_agent()
    host.claimed("b.5", "cy@x.example", id="chief")
    host.claimed("a.5", "ana@x.example", ttl=2)
    talk = host.talk("b.5", "a.5", family, "udp", 53)
    assert flows(talk)
    host.kill_agent(signal.SIGKILL)
    time.sleep(2)
    host.start_agent()
    wait_a_moment()
    host.claimed("a.5", "bo@x.example")
    assert not talk.to_client()
    assert flows(talk), "cy begins anew"


# -- idle ----------------------------------------------------------------------------------------------


def test_who_sends_nothing_is_out_and_who_sends_stays(host: AgentHost) -> None:
    host.apply(f"session staff {{ idle 2s }}\n{STAFF}")
    host.start_agent()
    assert host.claimed("a.5", "ana@x.example")["idle"] == 2
    host.claimed("a.6", "bo@x.example")
    busy = begin(host, 4)

    def sends() -> bool:
        assert flows(busy)
        return [each["user"] for each in host.ask("sessions")["sessions"]] == ["ana@x.example"]

    assert 1.5 < host.wait(sends) < 3.5
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert sends()
    assert "nothing was heard" in host.audit[-1]["event.reason"]


@pytest.mark.parametrize("how", ["its source sees it still", "the sets are filled anew"])
def test_packets_that_were_counted_once_are_no_sign_of_life_again(host: AgentHost, how: str) -> None:
    """A bound of the whole session leaves elements as they are at a renewal, and filling sets counts anew."""
    host.apply(f"session staff {{ max 1h idle 3s }}\n{STAFF}")
    host.start_agent()
    host.claimed("a.5", "ana@x.example", source="vpn", kind="openvpn", id="7", ttl=7200)
    begin(host, 4)
    started, renewed = time.monotonic(), 0.0

    def over() -> bool:
        nonlocal renewed
        if time.monotonic() - renewed > 0.8:
            renewed = time.monotonic()
            if how == "its source sees it still":
                host.ask("renew", source="vpn", id="7", active=False)
            else:
                host.ask("reload")
        return not host.ask("sessions")["sessions"]

    host.wait(over, 10)
    assert time.monotonic() - started < 5


def test_filling_sets_anew_forgets_no_packet_that_came_before(host: AgentHost) -> None:
    host.apply(f"session staff {{ max 1h idle 3s }}\n{STAFF}")
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=7200)
    busy, deadline = begin(host, 4), time.monotonic() + 8
    while time.monotonic() < deadline:
        assert flows(busy)
        host.ask("reload")
        assert host.ask("sessions")["sessions"]
        time.sleep(0.3)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_forgets_nobody_who_was_at_work(host: AgentHost, how: signal.Signals) -> None:
    host.apply(f"session staff {{ max 1h idle 3s }}\n{STAFF}")
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=7200)
    busy, deadline = begin(host, 4), time.monotonic() + 4
    while time.monotonic() < deadline:
        assert flows(busy)
        time.sleep(0.2)
    host.kill_agent(how)
    host.start_agent()
    assert host.ask("sessions")["sessions"]
    assert flows(busy)
    host.wait(lambda: not host.ask("sessions")["sessions"], 10)


def test_who_is_at_work_when_an_idle_limit_comes_stays(host: AgentHost) -> None:
    """Nobody asked before whether they were."""
    host.apply(STAFF)
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=7200)
    busy = begin(host, 4)
    time.sleep(5)
    host.apply(f"session staff {{ idle 5s }}\n{STAFF}")
    host.settled()
    assert flows(busy)
    time.sleep(0.5)
    host.kill_agent(signal.SIGKILL)
    host.start_agent()
    assert host.ask("sessions")["sessions"]
    host.wait(lambda: not host.ask("sessions")["sessions"], 10)
    assert "nothing was heard" in host.audit[-1]["event.reason"]


def test_nor_is_put_out_who_was_at_work_when_it_came_while_the_agent_was_stopped(host: AgentHost) -> None:
    """As with an upgrade or a reboot: nobody asked for packets until then."""
    host.apply(STAFF)
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=7200)
    time.sleep(3)
    host.kill_agent(signal.SIGTERM)
    host.apply(f"session staff {{ max 1h idle 3s }}\n{STAFF}")
    host.start_agent()
    assert host.ask("sessions")["sessions"]
    host.wait(lambda: not host.ask("sessions")["sessions"])


def test_a_renewal_forgets_no_packet_that_came_before(host: AgentHost) -> None:
    """Who is at work stays, also where the source speaks of them between their packets and the next look."""
    host.apply(f"session staff {{ max 1h idle 3s }}\n{STAFF}")
    host.start_agent()
    host.claimed("a.5", "ana@x.example", source="vpn", kind="openvpn", id="7", ttl=7200)
    busy, deadline = begin(host, 4), time.monotonic() + 6
    while time.monotonic() < deadline:
        assert flows(busy)
        assert host.ask("renew", source="vpn", id="7", active=False).get("session"), "at work"
        time.sleep(0.4)
