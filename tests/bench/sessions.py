"""What sessions cost at scale: binding one, a packet of a bound person, and taking them up after a restart.

    python -m tests.bench.sessions [quick]

The agent is a process of its own in a network namespace, its policy one that `segc compile` wrote; only the
list of people is made longer. Costs of the agent are its CPU time by the kernel's account, as others may be
at work on the machine; latencies are those that a client on its socket sees.
"""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from segc import __version__
from segc.apply import host
from segc.apply.generation import Meta
from segc.apply.state import State
from segc.apply.transaction import marker
from segc.compile import build
from segc.identity.claim import Claim
from segc.sessions import clock, records
from segc.sessions.journal import Journal
from segc.sessions.session import Session
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.bench.packets import EMPTY, costs
from tests.netns.namespace import Namespace, nft, run
from tests.netns.policy import compile_text
from tests.netns.wire import Probe

POLICY = """
zone people { subnet 10.64.0.0/12, 2001:db8:1::/64 }
zone servers { subnet 10.2.0.0/24, 2001:db8:2::/64 }
group staff { user "p0@x.example" }
session staff { max 10h }
gateway gw { interface a0 { zone people } interface out { zone servers } }
allow group staff in people -> servers : tcp/443, udp/443
"""
FIRST = int(ip_address("10.64.0.1"))
ROUNDS = 1000
PACKETS = 20_000
TICKS = os.sysconf("SC_CLK_TCK")


def say(what: str, figure: str, bound: str) -> None:
    print(f"  {what:<52} {figure:>42}   {bound}", flush=True)


def main(quick: bool = False) -> None:
    most = 10_000 if quick else 100_000
    print(f"\nsessions, up to {most}", flush=True)
    artifacts = _artifacts(most + 2 * ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        few = _measured(Path(folder) / "few", artifacts, 100)
        many = _measured(Path(folder) / "many", artifacts, most)
    figure = f"{few.cpu * 1e3:.2f} and {many.cpu * 1e3:.2f} ms = {many.cpu / few.cpu:.2f} x"
    say(f"CPU of a bind, with 100 and {most} sessions", figure, "at most 5 ms, and flat")
    figure = f"{few.latency * 1e3:.2f} and {many.latency * 1e3:.2f} ms"
    say("median time until its answer", figure, "at most 5 ms, and flat")
    loading = _nft_loads(most)
    figure = f"{many.restart:.2f} / {loading:.2f} s = {many.restart / loading:.1f} x"
    say(f"a restart with {most} sessions, to what nft takes", figure, "at most 10 x")
    say("resident memory of the agent", f"{many.memory / 1024:.0f} MiB", "")
    _packets(artifacts["ruleset.nft"], most)


class _Figures:
    def __init__(self) -> None:
        self.cpu = self.latency = self.restart = self.memory = 0.0


def _artifacts(people: int) -> dict[str, str]:
    source = SourceFile("policy.seg", POLICY)
    built = build(compile_text(POLICY).policy, [(source, parse(source)[0])])
    found = {each.name: each.text for each in built.artifacts}
    document = json.loads(found["sessions.json"])
    everybody = [_user(number) for number in range(people)]
    document["people"] = dict.fromkeys(document["people"], everybody)
    document["lifetimes"]["staff"]["people"] = everybody
    return found | {"sessions.json": json.dumps(document)}


def _user(number: int) -> str:
    return f"p{number}@x.example"


def _address(number: int) -> str:
    return str(ip_address(FIRST + number))


def _measured(folder: Path, artifacts: dict[str, str], count: int) -> _Figures:
    """The agent is started on a journal of so many sessions, and more are bound."""
    found = _Figures()
    namespace = Namespace.create("bench")
    try:
        state = State(folder / "state")
        namespace.call(partial(_apply, state, artifacts))
        _write_journal(state.root / "sessions", count)
        with _agent(namespace, state, folder / "sock") as pid:
            found.restart = _cpu(pid)
            held = run(namespace, ["sh", "-c", "nft list sets | grep -o expires | wc -l"]).stdout
            assert int(held) == count, f"{held} of {count} sessions were taken up"
            before = _cpu(pid)
            found.latency = statistics.median(_binds(folder / "sock", count))
            found.cpu = (_cpu(pid) - before) / ROUNDS
            status = Path(f"/proc/{pid}/status").read_text().split()
            found.memory = float(status[status.index("VmRSS:") + 1])
    finally:
        namespace.close()
    return found


def _apply(state: State, artifacts: dict[str, str]) -> None:
    policy = json.loads(artifacts["manifest.json"])["policy"]
    meta = Meta(1, None, "gw", policy, "bench", int(time.time()), "", __version__, host.boot())
    state.generations.mkdir(parents=True)
    state.record(meta, {f"build/{name}": text for name, text in artifacts.items()})
    state.point("current", 1)
    nft(artifacts["ruleset.nft"] + marker(1, "bench"))


def _write_journal(folder: Path, count: int) -> None:
    journal, now = Journal(folder), clock.now()
    sessions = (_session(number, now) for number in range(count))
    journal.begin_anew(records.all_of(records.Kept(), sessions, host.boot(), now))
    journal.close()


def _session(number: int, now: clock.Moment) -> Session:
    address = ip_address(_address(number))
    claim = Claim(_user(number), (address,), "vpn", "openvpn", f"{number}", now.wall, ttl=36000)
    return Session(claim, now.boot, now.boot, now.boot, now.wall)


@contextmanager
def _agent(namespace: Namespace, state: State, path: Path) -> Iterator[int]:
    """Its process, once it serves."""
    ready = path.with_name("ready")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(ready))
        argv = [sys.executable, "-m", "segc", "agent", "--socket", path, "--state-dir", state.root]
        env = os.environ | {"NOTIFY_SOCKET": str(ready)}
        process = namespace.call(lambda: subprocess.Popen(argv, env=env))
        try:
            while not select.select([notified], [], [], 0.2)[0]:
                assert process.poll() is None, "the agent has ended"
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _binds(path: Path, first: int) -> Iterator[float]:
    """Seconds from each request to its answer, one after another."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        lines = client.makefile("rb")
        for number in range(first, first + ROUNDS):
            request = {
                "do": "bind", "user": _user(number), "addresses": [_address(number)],
                "source": "vpn", "kind": "openvpn", "id": f"{number}", "ttl": 36000,
            }  # fmt: skip
            started = time.perf_counter()
            client.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(lines.readline())
            yield time.perf_counter() - started
            assert answer["ok"], answer
            assert answer["session"]["sets"], answer


def _nft_loads(count: int) -> float:
    """CPU seconds of nft for as many elements with timeout, in a set of the same kind."""
    elements = ", ".join(f"{_address(number)} timeout 10h" for number in range(count))
    text = "table inet segc {\n set who {\n type ipv4_addr\n flags timeout\n }\n}\n"
    text += f"add element inet segc who {{ {elements} }}\n"
    namespace = Namespace.create("bench")
    try:
        best = float("inf")
        for _ in range(3):
            namespace.call(partial(nft, "flush ruleset\n"))
            before = os.times()
            namespace.call(partial(nft, text))
            after = os.times()
            spent = after.children_user + after.children_system
            best = min(best, spent - before.children_user - before.children_system)
    finally:
        namespace.close()
    return best


def _packets(ruleset: str, count: int) -> None:
    """Of people all of whom are bound: the first packets of connections, packets in streams, some of one
    person after another, some each of somebody else, and packets so far apart that each is asked about."""
    name = next(line.split()[1] for line in ruleset.splitlines() if line.startswith("\tset who4_"))
    addresses = [_address(number) for number in range(count)]
    elements = ", ".join(f"{each} timeout 10h" for each in addresses)
    text = f"{ruleset}\nadd element inet segc {name} {{ {elements} }}\n"
    rulesets, sources = {"floor": EMPTY, "segc": text}, {"a0": ["10.64.0.0/12"]}
    print("  a packet of a bound person, to an empty chain", flush=True)
    for what, people, later, pause in (
        ("first of a connection, one person's", 1, False, 0.0),
        ("first of a connection, each another's", PACKETS, False, 0.0),
        ("of a stream, one person's", 1, True, 0.0),
        ("of a stream, 1000 people in turn", 1000, True, 0.0),
        ("of a stream, each another's", PACKETS, True, 0.0),
        ("alone in half a second, each another's", PACKETS, True, 0.6),
    ):
        chosen = addresses[:: max(1, count // people)][:people]
        probes = [Probe("a0", each, "10.2.0.7", "udp" if later else "tcp", 443) for each in chosen]
        times = PACKETS // len(probes)
        if not later:
            probes, times = probes * times, 1  # a connection has its own port
        best = costs(rulesets, sources, probes, 15, later, times, pause)
        figure = f"{best['segc']:.0f} ns / {best['floor']:.0f} ns = {best['segc'] / best['floor']:.2f} x"
        say(f"  {what}", figure, "at most 1.25 x")


if __name__ == "__main__":
    main("quick" in sys.argv[1:])
