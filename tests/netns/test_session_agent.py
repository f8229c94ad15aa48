"""The agent under strain: forged and broken calls, full disks, clocks that jump, reboots."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from segc.apply.host import RefusedByKernelError
from segc.sessions import journal
from segc.sessions.activity import WRITES
from segc.sessions.agent import LOOKS, Agent
from segc.sessions.asked import Peer
from segc.sessions.audit import Audit
from segc.sessions.clock import Moment
from segc.sessions.journal import Journal
from segc.sessions.kernel import GET_SET, Kernel
from segc.sessions.leftover import LINGER
from segc.sessions.requests import LONGEST, answer
from segc.sessions.server import CLIENTS, FOR_ROOT, OF_ONE, READERS
from segc.sessions.upkeep import Upkeep
from segc.space.addresses import Address
from tests.netns.agents import AgentHost
from tests.netns.namespace import run

pytestmark = pytest.mark.kernel
STAFF = "allow group staff in a -> b : tcp/443\nallow group chiefs in a -> b : tcp/22 require posture managed"
VPN = {"source": "vpn", "kind": "openvpn"}
ROOT, SERVER = Peer(0, "root"), Peer(108, "freerad")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AgentHost]:
    with AgentHost(folder=tmp_path) as host:
        host.apply_here(host.wanted(STAFF))
        yield host


@pytest.fixture
def running(host: AgentHost) -> AgentHost:
    host.start_agent()
    return host


# -- calls ---------------------------------------------------------------------------------------------


def raw(host: AgentHost, data: bytes, timeout: float = 5) -> list[dict[str, Any]]:
    """What comes back until the agent hangs up, or we do."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(str(host.socket))
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with client.makefile("rb") as lines:
            return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"null", b"[1]", b'"bind"', b"\xff\xfe", b"[" * 100_000, b'{"do":"bind"}', b'{"do":["bind"]}',
     b'{"do":"unbind"}', b'{"do":"unbind","user":7}', b'{"do":"facts","device":"x","facts":[1]}',
     b'{"do":"renew","source":"vpn","id":"none"}', b'{"do":"revoke","users":"ana"}', b'{"do":"__class__"}',
     b'{"do":"bind","user":"\\u0000","addresses":["10.1.0.5"]}', b'{"do":"bind","at":1e999}'],
)  # fmt: skip
def test_broken_calls_are_answered_with_words(running: AgentHost, line: bytes) -> None:
    (found,) = raw(running, line + b"\n")
    assert found["ok"] is False
    assert "Error" not in found["error"]
    assert "Traceback" not in found["error"]
    assert running.claim("a.5", "ana@x.example")["ok"]


def test_a_line_without_an_end_is_cut_off(running: AgentHost) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(running.socket))
        assert poured(client, 100 << 20) < 4 * LONGEST
    words = memory(running).read_text().split()
    assert int(words[words.index("VmHWM:") + 1]) < 200 * 1024
    assert running.claim("a.5", "ana@x.example")["ok"]


def memory(host: AgentHost) -> Path:
    assert host.agent
    return Path(f"/proc/{host.agent.pid}/status")


def poured(client: socket.socket, size: int) -> int:
    """How many of so many bytes it takes before it hangs up."""
    sent = 0
    try:
        while sent < size:
            sent += client.send(b"x" * (1 << 20))
    except OSError:
        pass
    return sent


def test_what_a_client_sends_ahead_waits_in_the_kernel(running: AgentHost) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(running.socket))
        client.settimeout(0.5)
        threading.Thread(target=taken, args=(client,), daemon=True).start()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with suppress(TimeoutError):
                client.send(b"\n" * (1 << 20))
    words = memory(running).read_text().split()
    assert int(words[words.index("VmHWM:") + 1]) < 150 * 1024
    assert running.claim("a.5", "ana@x.example")["ok"]


def taken(client: socket.socket) -> None:
    """Take whatever it is sent, until somebody hangs up."""
    with suppress(OSError):
        while True:
            with suppress(TimeoutError):
                if not client.recv(1 << 16):
                    return


@pytest.mark.parametrize("said", [b'{"do":', b"GET /metrics HTTP/1.0\n\n"])
def test_half_a_request_keeps_nobody_at_work(host: AgentHost, said: bytes) -> None:
    run(host.gateway.namespace, ["ip", "link", "set", "lo", "up"])
    host.start_agent("--metrics", "127.0.0.1:9437")
    if said.startswith(b"GET"):
        client = host.inside(lambda: socket.create_connection(("127.0.0.1", 9437)))
    else:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(host.socket))
    with client:
        client.sendall(said)
        if said.startswith(b"GET"):
            client.shutdown(socket.SHUT_WR)
        before = worked(host)
        time.sleep(2)
        assert worked(host) - before < 0.2


def worked(host: AgentHost) -> float:
    """Seconds of processor time that the agent has had."""
    assert host.agent
    fields = Path(f"/proc/{host.agent.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_readers_of_figures_take_no_place_from_sources(host: AgentHost) -> None:
    run(host.gateway.namespace, ["ip", "link", "set", "lo", "up"])
    host.start_agent("--metrics", "127.0.0.1:9437")
    with ExitStack() as held:
        idle = [
            held.enter_context(host.inside(lambda: socket.create_connection(("127.0.0.1", 9437))))
            for _ in range(READERS + 8)
        ]
        assert host.claim("a.5", "ana@x.example")["ok"]
        host.wait(lambda: len(select.select(idle, [], [], 0)[0]) == 8)  # who were sent away


def test_nobody_waits_for_a_client_that_takes_no_answers(running: AgentHost) -> None:
    for number in range(200):
        running.claimed(f"a.{number + 5}", "ana@x.example")
    with ExitStack() as stack:
        for _ in range(5):
            lazy = stack.enter_context(socket.socket(socket.AF_UNIX))
            lazy.connect(str(running.socket))
            lazy.sendall(b'{"do":"sessions"}\n' * 50)
            half = stack.enter_context(socket.socket(socket.AF_UNIX))
            half.connect(str(running.socket))
            half.sendall(b'{"do":"bi')
        started = time.monotonic()
        assert running.claim("a.5", "bo@x.example")["ok"]
        assert time.monotonic() - started < 1


def test_a_full_backlog_is_worked_off(running: AgentHost) -> None:
    """A thousand clients at once: each is served, or told to come again."""
    assert running.agent
    answers: list[dict[str, Any]] = []

    def call(number: int) -> None:
        try:
            answers.append(
                running.claim(f"a.{number % 200 + 5}", "ana@x.example", **VPN, id=str(number % 200))
            )
        except Exception as error:
            answers.append({"ok": False, "error": str(error)})

    os.kill(running.agent.pid, signal.SIGSTOP)
    threads = [threading.Thread(target=call, args=(number,)) for number in range(700)]
    for thread in threads:
        thread.start()
    os.kill(running.agent.pid, signal.SIGCONT)
    for thread in threads:
        thread.join()
    refused = {each["error"] for each in answers if not each["ok"]}
    assert sum(each["ok"] for each in answers) >= 500
    assert refused <= {"too many ask at once: try again"}
    bound = len(running.ask("sessions")["sessions"])
    assert bound == len({a for a in running.bound() if "." in a}) <= 200


def test_idle_connections_do_not_shut_root_out(running: AgentHost) -> None:
    with ExitStack() as held:
        for _ in range(CLIENTS):
            idle = held.enter_context(socket.socket(socket.AF_UNIX))
            idle.connect(str(running.socket))
        assert running.ask("sessions")["ok"]


TRUSTING = """
import os, socket, struct
from segc.cli import main
from segc.sessions import server
from segc.sessions.asked import Peer

def trusted(connection):
    _, uid, _ = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid, str(uid))

server._trusted_peer = trusted  # as if everybody were of the group
main()
"""
HOLDING = """
import contextlib, os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(int(sys.argv[2]))
held = []
for _ in range(int(sys.argv[3])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
with contextlib.suppress(OSError):  # who was sent away
    held[-1].send(b'{"do":"status"}\\n')
print(held[-1].makefile().readline(), flush=True)
sys.stdin.read()
"""


def test_nobody_holds_the_places_of_others(host: AgentHost) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, ExitStack() as held:
        path = Path(folder) / "agent.sock"
        host.start_agent("--socket", str(path), argv=[sys.executable, "-c", TRUSTING])
        path.parent.chmod(0o755)
        path.chmod(0o666)

        def answered(user: int, connections: int) -> dict[str, Any]:
            argv = ["python3", "-c", HOLDING, str(path), str(user), str(connections)]
            pipe = subprocess.PIPE
            process = held.enter_context(subprocess.Popen(argv, stdin=pipe, stdout=pipe, cwd="/"))
            assert process.stdout
            found: dict[str, Any] = json.loads(process.stdout.readline())
            return found

        assert answered(65533, OF_ONE)["ok"]
        assert answered(65533, 1)["error"] == "too many ask at once: try again"
        assert answered(65532, OF_ONE)["ok"]
        assert answered(0, CLIENTS - 2 * OF_ONE + FOR_ROOT)["ok"]
        assert not answered(65532, 1)["ok"]


def test_only_root_and_the_group_may_ask(host: AgentHost) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "agent.sock"
        host.start_agent("--socket", str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        path.parent.chmod(0o755)
        path.chmod(0o666)  # as if somebody had opened it
        code = (
            "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); print(c.makefile().readline())"
        )
        done = subprocess.run(["python3", "-c", code, str(path)], capture_output=True, text=True, cwd="/")
        assert "only root and members of the group segc" in done.stdout, done.stderr


# -- order ---------------------------------------------------------------------------------------------


def test_what_comes_twice_or_late_changes_nothing(running: AgentHost) -> None:
    now = time.time()
    first = {**VPN, "id": "7", "at": now - 50}
    assert running.claimed("a.5", "ana@x.example", **first)
    assert running.claim("a.5", "ana@x.example", **first) == {"ok": True, "stale": True}
    assert running.claim("a.6", "bo@x.example", **{**first, "at": now - 60}) == {"ok": True, "stale": True}
    assert running.ask("unbind", source="vpn", id="7", at=now - 55)["ended"] == 0
    assert running.ask("renew", source="vpn", id="7", at=now - 50) == {"ok": True, "stale": True}
    assert running.ask("unbind", source="vpn", id="7", at=now - 40)["ended"] == 1
    assert running.claim("a.5", "ana@x.example", **{**first, "at": now - 45}) == {"ok": True, "stale": True}
    assert running.ask("unbind", source="vpn", id="8", at=now - 40)["ended"] == 0
    assert running.claim("a.5", "ana@x.example", **{**first, "id": "8", "at": now - 45})["stale"]
    running.kill_agent(signal.SIGKILL)
    running.start_agent()
    assert running.claim("a.5", "ana@x.example", **{**first, "id": "8", "at": now - 45})["stale"]
    assert not running.bound()
    assert running.claimed("a.5", "ana@x.example", **{**first, "at": now - 30})
    assert running.ask("unbind", source="vpn", all=True, at=now - 20)["ended"] == 1
    assert running.claim("a.5", "ana@x.example", **{**first, "id": "9", "at": now - 25})["stale"]
    assert running.claimed("a.5", "ana@x.example", **{**first, "id": "9", "at": now - 10})


def test_what_is_part_of_something_ends_with_it_and_begins_no_more_late(running: AgentHost) -> None:
    now = float(int(time.time()))

    def start(name: str, id_: str, at: float) -> dict[str, Any]:
        return running.claim(name, "ana@x.example", source="wifi", kind="radius", id=id_, at=at)

    for name, id_ in (("a.5", "10.1.0.2/s1"), ("a.6", "10.1.0.20/s1"), ("a.7", "10.1.0.2/x/s2")):
        assert start(name, id_, now - 60)["session"]
    assert running.ask("unbind", source="wifi", within="10.1.0.2/", at=now - 20)["ended"] == 2
    assert running.ask("unbind", source="wifi", within="10.1.0.2/", at=now - 40)["ended"] == 0
    for _ in ("", "after a restart"):
        assert start("a.5", "10.1.0.2/s1", now - 21)["stale"]
        assert start("a.8", "10.1.0.2/unheard/of", now - 21)["stale"]
        running.kill_agent(signal.SIGKILL)
        running.start_agent()
    assert start("a.6", "10.1.0.20/s2", now - 50)["session"]
    assert start("a.8", "10.1.0.2/s3", now - 20)["session"], "of the same second"
    assert running.ask("unbind", source="wifi", within="10.1.0.2")["error"] == "`within` must end with `/`"


def test_the_stronger_proof_keeps_an_address(running: AgentHost) -> None:
    running.claimed("a.5", "ana@x.example", **VPN, id="1", mfa=True)
    weak = running.claim("a.5", "bo@x.example", source="leases", kind="dhcp", id="2")
    assert "proved by certificate+mfa: mac does not outweigh that" in weak["error"]
    assert running.audit[-1]["event.outcome"] == "failure"
    assert running.audit[-1]["user.name"] == "bo@x.example"
    running.claimed("a.5", "bo@x.example", **VPN, id="3", mfa=True)
    assert [each["user"] for each in running.ask("sessions")["sessions"]] == ["bo@x.example"]


NAC = {"source": "nac", "kind": "radius"}


@pytest.mark.parametrize("order", ["in order", "late"])
def test_who_came_first_has_no_address_of_who_came_later(running: AgentHost, order: str) -> None:
    """An access server repeats what was not answered, in any order."""
    now = time.time()
    bo = {**NAC, "id": "1", "at": now - 60}
    ana = {**NAC, "id": "2", "at": now - 30, "addresses": [running.address("a.5", 4)]}

    def first() -> None:
        assert running.claim("a.5", "bo@x.example", **bo)["ok"]

    def second() -> None:
        assert running.ask("bind", user="ana@x.example", **ana)["session"]

    for each in (first, second) if order == "in order" else (second, first):
        each()
    for _ in ("", "after a restart"):
        found = {each["user"]: each["addresses"] for each in running.ask("sessions")["sessions"]}
        assert found == {
            "ana@x.example": [running.address("a.5", 4)],
            "bo@x.example": [running.address("a.5", 6)],
        }
        running.kill_agent(signal.SIGKILL)
        running.start_agent()
    late = {**bo, "id": "3", "addresses": [running.address("a.5", 4)]}
    assert running.ask("bind", user="cy@x.example", **late) == {"ok": True, "stale": True}
    assert running.ask("bind", user="cy@x.example", **{**late, "at": now - 30})["session"], "of one second"


def test_who_was_seen_at_an_address_since_keeps_it(running: AgentHost) -> None:
    """Ana came there by a renewal, after bo had left: that he had come, too, is heard last."""
    now = time.time()
    running.claimed("a.6", "ana@x.example", **NAC, id="1", at=now - 60)
    there = [running.address("a.5", family) for family in (4, 6)]
    assert running.ask("renew", source="nac", id="1", addresses=there, at=now - 20)["session"]
    late = running.claim("a.5", "bo@x.example", **NAC, id="2", at=now - 40)
    assert late == {"ok": True, "stale": True}
    assert [each["user"] for each in running.ask("sessions")["sessions"]] == ["ana@x.example"]


def test_a_stronger_proof_that_comes_late_still_outweighs(running: AgentHost) -> None:
    now = time.time()
    running.claimed("a.5", "ana@x.example", **NAC, id="1", at=now - 30)
    running.claimed("a.5", "bo@x.example", **VPN, id="2", at=now - 60)
    assert [each["user"] for each in running.ask("sessions")["sessions"]] == ["bo@x.example"]


def test_who_is_revoked_sits_in_nobody_elses_session(running: AgentHost) -> None:
    """That ana's address is mallory's now is so, whatever mallory may do."""
    running.ask("revoke", users=["mallory@x.example"])
    running.claimed("a.5", "ana@x.example", **NAC, id="1")
    running.claimed("a.6", "ana@x.example", **VPN, id="2")
    assert "revoked" in running.claim("a.6", "mallory@x.example", **NAC, id="3")["error"]
    assert len(running.ask("sessions")["sessions"]) == 2, "a password outweighs no certificate"
    assert "revoked" in running.claim("a.5", "mallory@x.example", **NAC, id="4")["error"]
    (left,) = running.ask("sessions")["sessions"]
    assert left["id"] == "2"
    assert running.bound() == {running.address("a.6", family) for family in (4, 6)}
    assert "`mallory@x.example`" in running.audit[-2]["event.reason"]


def test_facts_about_a_device_open_and_close(running: AgentHost) -> None:
    running.claimed("a.5", "cy@x.example", **VPN, id="1", device="laptop")
    chiefs = "who4_g_chiefs"

    def in_chiefs() -> bool:
        return any(running.members(chiefs).values())

    assert not in_chiefs()
    now = time.time()
    assert running.ask("facts", device="laptop", facts={"disk_encrypted": True}, at=now - 10) == {"ok": True}
    assert in_chiefs()
    late = running.ask("facts", device="laptop", facts={"disk_encrypted": False}, at=now - 20)
    assert late == {"ok": True, "stale": True}
    assert in_chiefs()
    running.ask("facts", device="laptop", facts={"disk_encrypted": False}, at=now - 5)
    assert not in_chiefs()
    running.ask("facts", device="laptop", facts={"disk_encrypted": True}, ttl=2)
    assert in_chiefs()
    assert running.wait(lambda: not in_chiefs()) < 3, "stale facts fail"
    assert len(running.ask("sessions")["sessions"]) == 1


def test_of_several_names_of_what_is_to_end_all_must_hold(running: AgentHost) -> None:
    for number, user in (("5", "ana@x.example"), ("6", "bo@x.example")):
        running.ask("bind", user=user, addresses=[running.address(f"a.{number}", 4)], id=number, **VPN)
    assert running.ask("unbind", source="vpn", all=True, user="cy@x.example")["ended"] == 0
    assert running.ask("unbind", source="vpn", id="5", user="bo@x.example")["ended"] == 0
    assert running.ask("unbind", source="vpn", all=True, user="bo@x.example")["ended"] == 1
    assert [each["user"] for each in running.ask("sessions")["sessions"]] == ["ana@x.example"]


def test_a_server_speaks_for_sources_and_never_by_hand(host: AgentHost) -> None:
    sources = "source vpn openvpn { zone a }\nsource fleet posture { posture managed }"
    host.apply_here(host.wanted(f"{STAFF}\n{sources}"))
    here = Here(host)
    place = {"addresses": [host.address("a.5", 4)], "device": "laptop"}
    by_hand, facts = {"source": "manual", "id": "1"}, {"disk_encrypted": True}
    assert here.ask("bind", user="cy@x.example", **by_hand, **place)["ok"]
    for refused in (
        here.ask("bind", SERVER, user="cy@x.example", source="manual", id="2", **place),
        here.ask("renew", SERVER, **by_hand, addresses=[host.address("b.5", 4)]),
        here.ask("facts", SERVER, device="laptop", source="manual", facts=facts),
    ):
        assert "only root may bind or vouch by hand" in refused.get("error", ""), refused
    assert host.bound() == {host.address("a.5", 4)}
    assert not any(sets for name, sets in host.members().items() if "chiefs" in name)
    assert here.ask("facts", SERVER, device="laptop", source="fleet", facts=facts)["ok"]
    assert any(sets for name, sets in host.members().items() if "chiefs" in name)
    assert here.ask("revoke", SERVER, users=["cy@x.example"])["ok"]
    assert "only root may admit" in here.ask("admit", SERVER, users=["cy@x.example"])["error"]
    assert here.ask("bind", user="cy@x.example", **by_hand, **place)["ok"] is False
    here.stop()


def test_what_a_server_said_by_hand_counts_only_while_the_policy_names_no_source(host: AgentHost) -> None:
    here = Here(host)
    said = {"source": "manual", "kind": "manual", "device": "laptop"}
    for peer, name in ((SERVER, "a.5"), (ROOT, "a.6")):
        claim = {**said, "id": name, "addresses": [host.address(name, 4)]}
        assert here.ask("bind", peer, user="cy@x.example", **claim, ttl=3600)["ok"]
    taken = {**said, "id": "a.7", "addresses": [host.address("a.7", 4)]}
    assert here.ask("bind", user="cy@x.example", **taken, at=time.time() - 5)["ok"]
    assert here.ask("renew", SERVER, source="manual", id="a.7", ttl=3600)["ok"]
    here.ask("facts", SERVER, device="laptop", source="manual", facts={"disk_encrypted": True})
    assert any(sets for name, sets in host.members().items() if "chiefs" in name)
    here.stop()
    host.apply_here(
        host.wanted(f"{STAFF}\nsource vpn openvpn {{ zone a }}\nsource fleet posture {{ posture managed }}")
    )
    here = Here(host)  # with what the journal has
    assert [each["id"] for each in here.ask("sessions")["sessions"]] == ["a.6"]
    assert host.bound() == {host.address("a.6", 4)}
    assert not any(sets for name, sets in host.members().items() if "chiefs" in name)
    here.stop()


VPN_1 = {"segc.source": "vpn", "segc.session": "1"}
REFUSALS: list[tuple[str, Peer, dict[str, Any], dict[str, Any]]] = [
    ("renew", SERVER, {"source": "vpn", "id": "2"}, {"segc.source": "vpn", "segc.session": "2"}),
    ("renew", SERVER, {"source": "vpn", "id": "1", "addresses": ["10.2.0.5"]},
     {**VPN_1, "user.name": "cy@x.example", "source.ip": ["10.2.0.5"], "device.id": "laptop"}),
    ("renew", SERVER, {"source": "vpn", "id": "1", "ttl": 0}, {**VPN_1, "user.name": "cy@x.example"}),
    ("bind", SERVER, {"source": "vpn", "kind": "openvpn", "id": "1", "user": "bo@x.example",
              "addresses": ["10.2.0.5"]},
     {**VPN_1, "user.name": "bo@x.example", "source.ip": ["10.2.0.5"], "segc.assurance": "certificate"}),
    ("bind", SERVER, {"source": "vpn", "user": "Bo@x.example", "addresses": ["x" * 9999],
              "mac": "02-00-00-00-00-1e"},
     {"segc.source": "vpn", "user.name": "bo@x.example", "source.mac": "02-00-00-00-00-1E"}),
    ("facts", SERVER, {"source": "manual", "device": "laptop", "facts": {}},
     {"device.id": "laptop", "segc.source": "manual"}),
    ("facts", SERVER, {"device": "laptop", "facts": 7}, {"device.id": "laptop"}),
    ("admit", SERVER, {"users": ["cy@x.example"] * 300}, {"user.name": ["cy@x.example"] * 100}),
    ("revoke", SERVER, {"users": ["cy@x.example"], "groups": 7}, {"user.name": ["cy@x.example"]}),
    ("revoke", SERVER, {"users": {}}, {}),
    ("unbind", SERVER, {"device": "laptop", "at": -1}, {"device.id": "laptop"}),
    ("facts", SERVER, {"device": "laptop", "facts": {}, "tll": 5}, {"device.id": "laptop"}),
    ("renew", SERVER, {"source": "vpn", "id": "1", "tll": 5}, VPN_1),
    ("renew", SERVER, {"source": "vpn", "id": "1", "active": "no"}, VPN_1),
]  # fmt: skip


@pytest.mark.parametrize(("do", "peer", "said", "told"), REFUSALS)
def test_what_is_refused_is_in_the_audit_log(
    host: AgentHost, do: str, peer: Peer, said: dict[str, Any], told: dict[str, Any]
) -> None:
    host.apply_here(host.wanted(f"{STAFF}\nsource vpn openvpn {{ zone a }}"))
    here = Here(host)
    here.agent.teller.audit = Audit(str(host.folder / "audit.json"))
    assert here.claim("a.5", "cy@x.example", id="1", device="laptop")["ok"]
    answer = here.ask(do, peer, **said)
    assert answer["ok"] is False
    here.stop()
    found = host.audit[-1]
    assert (found["event.action"], found["event.outcome"], found["segc.by"]) == (do, "failure", "freerad")
    assert found["event.reason"] == answer["error"][:500]
    assert told.items() <= found.items()
    assert len([each for each in host.audit if each["event.outcome"] == "failure"]) == 1


def test_an_address_that_is_given_to_another_by_hand_ends_no_session_elsewhere(here: Here) -> None:
    """Without an id, the first address is its name, which the other claim has as well."""

    def bind(user: str, *addresses: str) -> dict[str, Any]:
        return here.ask("bind", user=f"{user}@x.example", addresses=list(addresses))

    def held() -> dict[str, str]:
        found = here.ask("sessions")["sessions"]
        return {address: each["user"][:2] for each in found for address in each["addresses"]}

    assert bind("ana", "10.1.0.5", "10.1.0.6", "10.1.0.7")["ok"]
    assert bind("bo", "10.1.0.5", "10.1.0.8")["ok"]
    assert held() == {"10.1.0.5": "bo", "10.1.0.8": "bo", "10.1.0.6": "an", "10.1.0.7": "an"}
    assert bind("cy", "10.1.0.5")["ok"]
    assert held() == {"10.1.0.5": "cy", "10.1.0.8": "bo", "10.1.0.6": "an", "10.1.0.7": "an"}
    assert bind("ana", "10.1.0.6", "10.1.0.7")["ok"]
    assert bind("ana", "10.1.0.5")["ok"]
    assert held() == {"10.1.0.5": "an", "10.1.0.8": "bo", "10.1.0.6": "an", "10.1.0.7": "an"}


def test_who_is_named_twice_is_revoked_and_admitted_once(here: Here) -> None:
    assert here.claim("a.5", "ana@x.example", id="1")["ok"]
    twice = ["ana@x.example", "Ana@X.example"]
    assert here.ask("revoke", users=twice) == {"ok": True, "changed": 1}
    assert here.ask("admit", users=twice) == {"ok": True, "changed": 0}
    assert here.claim("a.5", "ana@x.example", id="1")["ok"]


def test_what_could_open_more_than_was_meant_is_no_slip_to_pass_over(here: Here) -> None:
    """A misspelt `ttl` would be an hour, and groups that `admit` does not know would be all of them."""
    ana = {"users": ["ana@x.example"]}
    assert here.ask("revoke", **ana, groups=["staff"], why="left") == {"ok": True, "changed": 0}
    for do, said, error in (
        ("admit", {**ana, "groups": ["staff"]}, "`groups` says nothing in `admit`"),
        (
            "facts",
            {"device": "laptop", "facts": {}, "tll": 2},
            "`tll` says nothing in `facts`: did you mean `ttl`?",
        ),
        ("renew", {"source": "vpn", "id": "1", "active": "no"}, "`active` must be true or false"),
    ):
        assert here.ask(do, **said) == {"ok": False, "error": error}
    assert here.ask("unbind", user="ana@x.example", why="left")["ok"]


# -- disks, clocks, reboots ----------------------------------------------------------------------------


class Here:
    """The agent in this process, with a clock that can be set."""

    def __init__(self, host: AgentHost, folder: Path | None = None) -> None:
        self.host, self.wall, self.boot = host, 0.0, 0.0
        self.folder = folder or host.state.root / "sessions"
        self.start()

    def clock(self) -> Moment:
        boot = time.clock_gettime(time.CLOCK_BOOTTIME) + self.boot
        return Moment(time.time() + self.boot + self.wall, boot)

    def start(self) -> None:
        self.journal = Journal(self.folder)
        kernel = self.host.inside(Kernel)
        self.agent = Agent(self.journal, kernel, Audit(), self.clock, "gw")
        self.upkeep = Upkeep(self.agent, self.host.state)
        self.host.inside(lambda: self.work(self.upkeep.start))

    def stop(self) -> None:
        self.upkeep.finish()
        self.journal.close()
        self.agent.kernel.close()

    def work(self, what: Callable[[], None]) -> None:
        """With what is done beside, which ends with the thread that began it."""
        what()
        self.upkeep.finish()

    def tick(self) -> None:
        self.host.inside(lambda: self.work(self.upkeep.tick))

    def ask(self, do: str, peer: Peer = ROOT, **more: Any) -> dict[str, Any]:
        line = json.dumps({"do": do, **more}).encode()
        return self.host.inside(lambda: answer(line, self.upkeep, peer))

    def claim(self, name: str, user: str, **more: Any) -> dict[str, Any]:
        return self.ask("bind", user=user, addresses=[self.host.address(name, 4)], **VPN, **more)

    def users(self) -> list[str]:
        return sorted(each.claim.user for each in self.agent.registry)


@pytest.fixture
def here(host: AgentHost) -> Iterator[Here]:
    found = Here(host)
    yield found
    found.stop()


@pytest.mark.parametrize("wall", [-1e6, -100, 100, 1e6])
def test_a_clock_that_is_set_neither_ends_nor_prolongs(here: Here, wall: float) -> None:
    here.claim("a.5", "ana@x.example", id="1", ttl=60)
    here.claim("a.6", "bo@x.example", id="2", ttl=600)
    here.wall = wall
    here.tick()
    assert here.users() == ["ana@x.example", "bo@x.example"]
    here.boot = 61
    here.tick()
    assert here.users() == ["bo@x.example"]
    assert here.host.bound() == {"10.1.0.6"}


@pytest.mark.parametrize("again", [False, True])
def test_who_comes_after_the_clock_was_set_back_has_the_address(here: Here, again: bool) -> None:
    here.claim("a.5", "ana@x.example", id="1")
    here.wall = -1000
    if again:
        here.stop()
        here.start()
    else:
        here.tick()
    assert here.claim("a.5", "bo@x.example", id="2").get("session")
    assert here.users() == ["bo@x.example"]


@pytest.mark.parametrize("again", [False, True])
def test_what_ends_after_the_clock_was_set_back_is_over(here: Here, again: bool) -> None:
    here.claim("a.5", "ana@x.example", id="1")
    here.claim("a.6", "bo@x.example", id="2")
    here.wall = -1000
    if again:
        here.stop()
        here.start()
    else:
        here.tick()
    assert here.ask("renew", source="vpn", id="1")["session"]["id"] == "1"
    assert here.ask("unbind", user="ana@x.example") == {"ok": True, "ended": 1, "kinds": ["openvpn"]}
    assert here.ask("unbind", source="vpn", id="2", at=here.clock().wall) == {
        "ok": True,
        "ended": 1,
        "kinds": ["openvpn"],
    }
    assert here.host.bound() == set()
    time.sleep(0.01)
    assert here.claim("a.5", "ana@x.example", id="1")["session"]["user"] == "ana@x.example"


def test_a_newer_word_counts_also_when_it_is_too_old_to_be_believed(here: Here) -> None:
    """What a feed said last is over; what was true before that is no truer for it."""
    here.claim("a.5", "cy@x.example", id="1", device="laptop", facts={"disk_encrypted": True}, ttl=90_000)

    def opened() -> bool:
        here.tick()
        here.ask("reload")
        (session,) = here.ask("sessions")["sessions"]
        return "posture managed" in session["why"]

    assert opened(), here.ask("sessions")
    here.boot += 10
    here.ask("facts", device="laptop", facts={"disk_encrypted": False}, ttl=60)
    for _ in range(4):
        assert not opened()
        here.boot += 3600
    here.ask("facts", device="laptop", facts={"disk_encrypted": True}, ttl=60)
    assert opened()
    here.ask("unbind", user="cy@x.example")
    for _ in range(4):
        here.boot += 3600
        here.tick()
    assert not here.agent.kept.devices


def test_a_restart_takes_up_what_is_valid_with_what_is_left(here: Here) -> None:
    here.claim("a.5", "ana@x.example", id="1", ttl=60)
    here.claim("a.6", "bo@x.example", id="2", ttl=600)
    here.stop()
    here.boot = 100
    here.start()
    assert here.users() == ["bo@x.example"]
    assert here.host.bound() == {"10.1.0.6"}
    (left,) = here.ask("sessions")["sessions"]
    assert left["until"] - here.clock().wall == pytest.approx(500, abs=2)


@pytest.mark.parametrize(
    ("wall", "stays"),
    [(0, ["ana@x.example", "bo@x.example"]), (100, ["bo@x.example"]), (700, []), (-50, [])],
)
def test_a_reboot_counts_by_unix_time_and_a_clock_behind_proves_nothing(
    here: Here, monkeypatch: pytest.MonkeyPatch, wall: float, stays: list[str]
) -> None:
    here.claim("a.5", "ana@x.example", id="1", ttl=60)
    here.claim("a.6", "bo@x.example", id="2", ttl=600)
    here.stop()
    monkeypatch.setattr("segc.sessions.upkeep.host.boot", lambda: "another run of the kernel")
    here.wall = wall
    here.boot = -time.clock_gettime(time.CLOCK_BOOTTIME) + 20  # the kernel has just started
    here.wall -= here.boot
    here.start()
    assert here.users() == stays
    assert len(here.host.bound()) == len(stays)


def test_after_a_reboot_a_clock_that_is_put_right_shortens_what_came_over(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.claim("a.5", "ana@x.example", id="1", ttl=600)
    here.stop()
    monkeypatch.setattr("segc.sessions.upkeep.host.boot", lambda: "another run of the kernel")
    here.start()
    here.claim("a.6", "bo@x.example", id="2", ttl=600)
    here.wall = 1000
    here.tick()
    assert here.users() == ["bo@x.example"]


def test_what_was_vouched_for_again_after_a_reboot_is_not_shortened(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its source said since is on the clock that nobody sets; only when it began came over."""
    here.claim("a.5", "ana@x.example", id="1", ttl=600)
    here.claim("a.6", "bo@x.example", id="2", ttl=600)
    here.stop()
    monkeypatch.setattr("segc.sessions.upkeep.host.boot", lambda: "another run of the kernel")
    here.start()
    began = here.agent.registry.sessions["vpn", "1"].began
    assert here.ask("renew", source="vpn", id="1")["ok"]
    assert here.claim("a.6", "bo@x.example", id="2", ttl=600, at=here.clock().wall)["ok"]
    here.wall = 1000
    here.tick()
    assert here.users() == ["ana@x.example", "bo@x.example"]
    assert here.agent.registry.sessions["vpn", "1"].began == pytest.approx(began - 1000, abs=1)


def test_a_crash_moves_the_idle_limit_by_no_more_than_a_part_of_it(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written of it is bounded, however much somebody sends."""
    here.host.apply_here(here.host.wanted(f"session staff {{ max 1h  idle 80s }}\n{STAFF}"))
    here.tick()
    here.claim("a.5", "ana@x.example", id="1", ttl=3000)
    before = (here.folder / "journal.1").read_text().count("\n")
    packets = count(1)
    monkeypatch.setattr(Kernel, "packets", lambda *_: next(packets))
    for _ in range(160):
        here.boot += 1
        here.tick()
    written = (here.folder / "journal.1").read_text().count("\n") - before
    assert 160 / 80 <= written <= 160 / 80 * (WRITES + 1)
    monkeypatch.setattr(Kernel, "packets", lambda *_: 0)
    here.stop()
    here.boot += 80 * (1 - 1 / WRITES - 1 / LOOKS) - 2
    here.start()
    assert here.users() == ["ana@x.example"]
    here.boot += 80 * (1 / WRITES + 1 / LOOKS) + 2
    here.tick()
    assert here.users() == []


def test_on_a_full_disk_nothing_begins_and_all_that_must_ends(host: AgentHost) -> None:
    folder = host.folder / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=True)
    try:
        here = Here(host, folder / "sessions")
        try:
            assert here.claim("a.5", "ana@x.example", id="1")["ok"]
            room = os.statvfs(folder)
            (folder / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize))
            refused = {}
            for number in range(2, 20_000):
                refused = here.claim("a.6", "bo@x.example", id=f"{number}")
                if not refused["ok"]:
                    break
            assert "cannot be written down: no space left" in refused["error"]
            left = here.users()
            assert len(here.host.bound()) == len(left)
            assert here.ask("unbind", user="ana@x.example")["ended"] == 1
            assert not here.agent.ledger.owed, "the reserve was not enough"
            here.stop()
            (folder / "filler").unlink()
            here.start()
            assert here.users() == [user for user in left if user != "ana@x.example"]
            assert here.claim("a.7", "cy@x.example", id="after")["ok"]
        finally:
            here.stop()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_neither_stops_an_agent_nor_keeps_one_from_starting(
    host: AgentHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = host.folder / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)], check=True)
    try:
        here = Here(host, folder / "sessions")
        try:
            for number in range(3):
                assert here.claim(f"a.{number + 5}", "ana@x.example", id=f"{number}")["ok"]
            room = os.statvfs(folder)
            (folder / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize))
            monkeypatch.setattr(journal, "COMPACT", -1)
            for number in range(3):
                here.tick()
                assert here.ask("unbind", source="vpn", id=f"{number}")["ended"] == 1
                assert not here.agent.ledger.owed
                here.stop()
                room = os.statvfs(folder)
                with (folder / "filler").open("ab") as filler:
                    filler.write(b"x" * (room.f_bavail * room.f_frsize))
                here.start()
                assert len(here.users()) == 2 - number
        finally:
            here.stop()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_connections_that_could_not_be_ended_at_once_end_with_the_next_look(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(addresses: object) -> int:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    ended: list[set[str]] = []
    here.claim("a.5", "ana@x.example", id="1")
    monkeypatch.setattr("segc.sessions.agent.end_connections", fails)
    here.claim("a.5", "bo@x.example", id="2")
    monkeypatch.setattr("segc.sessions.upkeep.end_connections", lambda some: ended.append({*map(str, some)}))
    monkeypatch.setattr(os, "fork", lambda: fails(()))
    here.tick()
    here.tick()
    assert ended == [{"10.1.0.5"}]


def test_nor_at_a_start_are_those_forgotten_that_could_not_be_ended_at_once(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(step: str) -> None:
        if step == "answer":
            raise KeyboardInterrupt

    def fails(addresses: object) -> int:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    ended: list[set[str]] = []
    here.claim("a.5", "ana@x.example", id="1")
    monkeypatch.setattr(here.agent, "_before", dies)
    with pytest.raises(KeyboardInterrupt):
        here.claim("a.5", "bo@x.example", id="2")
    here.stop()
    with monkeypatch.context() as broken:
        broken.setattr("segc.sessions.agent.end_connections", fails)
        broken.setattr("segc.sessions.upkeep.end_connections", fails)
        here.start()
    monkeypatch.setattr("segc.sessions.upkeep.end_connections", lambda some: ended.append({*map(str, some)}))
    monkeypatch.setattr(os, "fork", lambda: fails(()))
    here.tick()
    assert ended == [{"10.1.0.5"}]


@pytest.mark.parametrize("at_first", [True, False])
def test_connections_that_could_not_be_ended_end_when_somebody_comes(
    here: Here, monkeypatch: pytest.MonkeyPatch, at_first: bool
) -> None:
    """Nobody inherits what the one who looked after it did not live to end, but nobody else's ends again."""
    ended: list[set[str]] = []

    def end(some: set[Address]) -> int:
        if at_first:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return 0

    here.claim("a.5", "ana@x.example", id="1")
    here.ask("unbind", user="ana@x.example")
    monkeypatch.setattr("segc.sessions.upkeep.end_connections", end)
    here.boot = LINGER
    here.tick()
    monkeypatch.setattr("segc.sessions.agent.end_connections", lambda some: ended.append({*map(str, some)}))
    here.claim("a.5", "bo@x.example", id="2")
    here.claim("a.6", "cy@x.example", id="3")
    assert ended == ([{"10.1.0.5"}] if at_first else [])


CARELESS = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # which is handed down (signal(7))
os.execv(sys.executable, [sys.executable, "-m", "segc", *sys.argv[1:]])
"""


def test_a_parent_that_waits_for_nobody_does_not_end_the_agent(host: AgentHost) -> None:
    host.start_agent(argv=[sys.executable, "-c", CARELESS])
    time.sleep(1)  # by when what a start does beside it has to be over
    assert host.claimed("a.5", "ana@x.example")


def test_where_the_kernel_has_no_process_left_the_agent_does_it_itself(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    assert here.claim("a.5", "ana@x.example", id="1")["ok"]
    monkeypatch.setattr(journal, "COMPACT", -1)
    monkeypatch.setattr(os, "fork", none_left)
    here.tick()
    monkeypatch.undo()
    assert [each.name for each in here.folder.glob("snapshot.*")]
    here.stop()
    here.start()
    assert here.users() == ["ana@x.example"]


def test_a_table_that_goes_while_it_is_looked_at(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nft delete table` between two questions of the agent."""
    assert here.claim("a.5", "ana@x.example", id="1")["ok"]
    ask = here.agent.kernel._ask

    def late(kind: int, flags: int, body: bytes) -> list[bytes]:
        if kind == GET_SET:
            here.host.nft("delete", "table", "inet", "segc")
            monkeypatch.undo()
        return ask(kind, flags, body)

    monkeypatch.setattr(here.agent.kernel, "_ask", late)
    here.host.nft("add", "table", "inet", "somebody")
    here.tick()
    assert here.users() == ["ana@x.example"]
    here.host.apply_here(here.host.wanted(STAFF))
    here.tick()
    assert here.host.bound() == {here.host.address("a.5", 4)}


@pytest.mark.parametrize("before", ["nothing", "an end", "somebody else"])
def test_what_the_kernel_refused_is_taken_after_a_restart(
    here: Here, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    now = here.clock().wall
    if before != "nothing":
        here.claim("a.6", "bo@x.example", id="1", at=now - 20)
    if before == "an end":
        here.ask("unbind", source="vpn", id="1", at=now - 15)

    def refuse(*_: object) -> None:
        raise RefusedByKernelError("no room for it", errno.ENOMEM)

    monkeypatch.setattr(here.agent.kernel, "change", refuse)
    claim = {"name": "a.5", "user": "ana@x.example", "id": "1"}
    assert "no room" in here.claim(**claim, at=now - 10)["error"]
    here.stop()
    here.start()
    assert here.users() == (["bo@x.example"] if before == "somebody else" else [])
    if before == "an end":
        assert here.claim(**claim, at=now - 17)["stale"], "what is older than that"
    assert here.claim(**claim, at=now - 10)["session"]["user"] == "ana@x.example"
    assert here.host.bound() == {here.host.address("a.5", 4)}


def test_stops_of_sessions_that_never_were_fill_no_memory_and_open_nothing(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segc.sessions.closed.MOST", 100)
    monkeypatch.setattr(journal, "COMPACT", 10_000)
    now = here.clock().wall

    def start(name: str, id_: str, at: float) -> dict[str, Any]:
        claim = {"user": "ana@x.example", "addresses": [here.host.address(name, 4)], "id": id_, "at": at}
        return here.ask("bind", source="wifi", kind="radius", **claim)

    assert here.ask("unbind", source="wifi", id="10.1.0.2/real", at=now - 50)["ok"]
    for number in range(300):
        assert here.ask("unbind", source="wifi", id=f"10.1.0.2/{number}", at=now - 40 + number / 10)["ok"]
        assert len(here.agent.kept.closed) <= 100
    for _ in range(3):
        for id_ in ("real", "0", "150", "299"):
            assert start("a.5", f"10.1.0.2/{id_}", now - 51)["stale"]
        here.tick()
        here.tick()  # at the first it looks beside whether somebody else was at the tables
        here.stop()
        here.start()
    assert list(here.folder.glob("snapshot.*"))
    assert start("a.5", "10.1.0.3/late", now - 300)["session"]
    assert start("a.6", "10.1.0.2/new", now)["session"]


def test_a_damaged_journal_lets_nobody_in(here: Here) -> None:
    here.claim("a.5", "ana@x.example", id="1")
    here.claim("a.6", "bo@x.example", id="2")
    here.stop()
    path = here.folder / "journal.1"
    path.write_bytes(path.read_bytes().replace(b"bo@", b"cy@").replace(b"ana@", b"eve@"))
    here.start()
    assert here.users() == []
    assert not here.host.bound()
    assert here.claim("a.5", "ana@x.example", id="3")["ok"]


def test_a_journal_that_grew_is_shortened_while_sessions_go_on(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segc.sessions.journal.COMPACT", 20_000)
    for number in range(300):
        assert here.claim(f"a.{number % 5 + 5}", "ana@x.example", id=f"{number % 5}")["ok"]
    here.tick()
    assert here.claim("a.11", "bo@x.example", id="while it is written")["ok"]
    here.tick()
    names = sorted(path.name for path in here.folder.iterdir())
    assert names == ["journal.2", "lock", "snapshot.2"]
    here.stop()
    here.start()
    assert here.users() == ["ana@x.example"] * 5 + ["bo@x.example"]
