"""A clock that somebody sets by hours: windows and sessions end when they must, no earlier and no later."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.apply import timer
from segc.apply.state import State
from segc.cli import app
from segc.sessions.client import UnansweredError, ask
from tests.lab.guest.net import Namespace, cable, namespaces, sh
from tests.lab.guest.test_systemd import eventually

pytestmark = pytest.mark.systemd

POLICY = """
service ping = icmp/echo-request
zone a { subnet 10.1.0.0/24 }
zone b { subnet 10.2.0.0/24 }
group staff { user "ana@x.example", "bo@x.example" }
gateway gw {
  interface a0 { zone a }
  interface b0 { zone b }
  address a 10.1.0.1/24
  address b 10.2.0.1/24
}
allow group staff in a -> b : ping
"""
MORE = "allow as more b -> a : tcp/25\n"
WINDOW, TTL = 8, 25  # seconds
SLOW = 15  # seconds that an emulated machine may take for what is due


class Gateway(Namespace):
    """With a policy applied; commands move into it, so each has a thread of its own."""

    folder: Path

    @property
    def state(self) -> State:
        return State(self.folder / "state/netns" / self.name)

    def segc(self, *arguments: str) -> None:
        where = ("--netns", self.name, "--state-dir", str(self.folder / "state"))
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(CliRunner().invoke, app.segc, [*arguments, *where]).result()
        assert done.exit_code == 0, done.output

    def apply(self, policy: str, *options: str) -> None:
        (self.folder / "policy.seg").write_text(policy)
        self.segc("apply", str(self.folder / "policy.seg"), *options)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Namespace]]:
    """The gateway, and who sits in zone `a` with two addresses."""
    with namespaces("clock", "clock-a", "clock-b") as (_, one, other):
        Gateway.folder = tmp_path_factory.mktemp("clock")
        gateway = Gateway("clock")
        for host, port, number in ((one, "a0", 1), (other, "b0", 2)):
            cable(gateway, port, host, "eth0")
            addresses = (f"10.{number}.0.5/24", f"10.{number}.0.6/24")
            host.host("eth0", *addresses, gateways=(f"10.{number}.0.1",))
        gateway.apply(POLICY, "--no-confirm")
        yield gateway, one


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Sets the clock right again."""
    offset = time.time() - time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + offset)


@pytest.mark.parametrize("watch", ["systemd", "process"])
@pytest.mark.parametrize("jump", ["+6 hours", "-6 hours"])
def test_a_window_ends_after_its_own_time(
    network: tuple[Gateway, Namespace], monkeypatch: pytest.MonkeyPatch, watch: str, jump: str
) -> None:
    gateway, _ = network
    if watch == "process":
        monkeypatch.setattr(timer, "SYSTEMD", Path("/nowhere"))
    gateway.apply(POLICY + MORE, "--confirm", f"{WINDOW}s")
    deadline = timer.window(gateway.state)["deadline"]
    assert ("unit" in timer.window(gateway.state)) == (watch == "systemd")
    sh(f"date -s '{jump}'")
    seen = time.monotonic()
    while "flow_more" in gateway.run("nft list counters"):
        seen = time.monotonic()
        assert seen < deadline + SLOW, "it has not been undone"
        time.sleep(0.1)
    assert seen > deadline - 1, "it was undone too early"
    assert eventually(lambda: gateway.state.pointer("pending") is None)


def test_sessions_end_neither_early_nor_late(network: tuple[Gateway, Namespace]) -> None:
    gateway, person = network
    path = gateway.folder / "agent.sock"
    argv = [sys.executable, "-m", "segc", "agent", "--netns", gateway.name, "--socket", str(path)]
    argv += ["--state-dir", str(gateway.folder / "state")]
    agent = subprocess.Popen(argv)
    try:
        assert eventually(lambda: answers(path))
        bound = [
            ask(path, {"do": "bind", "user": user, "addresses": [address], "ttl": ttl})["ok"]
            for user, address, ttl in (("bo@x.example", "10.1.0.6", 3600), ("ana@x.example", "10.1.0.5", TTL))
        ]
        over = time.monotonic() + TTL
        assert bound == [True, True]
        for jump in ("+6 hours", "-12 hours", "+3 hours"):
            sh(f"date -s '{jump}'")
            assert time.monotonic() > over - 1 or member(gateway, "10.1.0.5"), "it ended too early"
            assert time.monotonic() > over - 2 or person.reaches("10.2.0.5", "10.1.0.5", seconds=1)
        seen = time.monotonic()
        while member(gateway, "10.1.0.5"):
            seen = time.monotonic()
            assert seen < over + SLOW, "it goes on too long"
            time.sleep(0.1)
        assert seen > over - 2, "it ended too early"
        assert person.cut_off_from("10.2.0.5", "10.1.0.5")
        sh("date -s '+6 hours'")
        agent.kill()
        agent.wait()
        agent = subprocess.Popen(argv)
        assert eventually(lambda: answers(path))
        assert [each["user"] for each in ask(path, {"do": "sessions"})["sessions"]] == ["bo@x.example"]
        assert person.reaches("10.2.0.5", "10.1.0.6")
    finally:
        agent.kill()
        agent.wait()


def answers(path: Path) -> bool:
    try:
        return bool(ask(path, {"do": "status"})["ok"])
    except UnansweredError:
        return False


def member(gateway: Gateway, address: str) -> bool:
    return f"{address} timeout" in gateway.run("nft list sets")
