"""`make bench`: what compiling, loading and packets cost, beside a peer or a floor in the same run.

Each line says what was measured, against what, and the bound that the project holds itself to. Nothing
here passes or fails: figures of one machine are for people to read.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench import apply, proof, scale, sessions
from tests.bench.packets import EMPTY, costs
from tests.bench.policy import Network, by_hand, generate, prefixes, write_capirca, write_segc
from tests.netns.namespace import Namespace, nft
from tests.netns.wire import Probe

ROOT = Path(__file__).resolve().parents[2]
CAPIRCA = ROOT / ".cache" / "bench" / "capirca"
SIZES = ((200, 5000), (1000, 50000))
SOURCES = 8  # zones that packets are sent from, each behind an interface of its own
PACKETS = 20000


def main(arguments: Sequence[str] = ()) -> None:
    """`scale` takes the analyses alone, `sessions` those, `quick` a tenth of either; else all is measured."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # where segc is installed, its modules are compiled once
    quick, chosen = "quick" in arguments, set(arguments) & {"scale", "sessions"}
    if not chosen and not quick:
        _compiling()
        apply.main()
        print("\nproving a ruleset costs at most 1 x what compiling it does", flush=True)
        proof.main(["200", "5000"])
    if "scale" in chosen or not chosen:
        scale.main(quick)
    if "sessions" in chosen or not chosen:
        sessions.main(quick)


def _compiling() -> None:
    with tempfile.TemporaryDirectory() as folder:
        per_flow = [_size(zones, flows, Path(folder) / str(zones)) for zones, flows in SIZES]
    _say("compile CPU a flow, larger to smaller", f"{per_flow[1] / per_flow[0]:.2f}", "at most 1.3")


def _say(what: str, figure: str, bound: str) -> None:
    print(f"  {what:<44} {figure:>28}   {bound}", flush=True)


def _size(zones: int, flows: int, folder: Path) -> float:
    print(f"\n{zones} zones, {flows} flows", flush=True)
    network = generate(zones, flows)
    write_segc(network, folder / "policy")
    first = _compiles(folder)
    if flows <= 5000:
        _capirca(network, folder, first)
    ruleset = (folder / "out" / "gw" / "ruleset.nft").read_text()
    _loads(ruleset, by_hand(network))
    _packets(network, ruleset)
    return first / flows


def _run(argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> tuple[float, float]:
    """CPU seconds and peak MiB of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        argv,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1024


def _compiles(folder: Path) -> float:
    cached = {"XDG_CACHE_HOME": str(folder / "cache")}
    compile_ = partial(
        _run, [sys.executable, "-m", "segc", "compile", folder / "policy", "-o", folder / "out"], cached
    )
    firsts, seconds, peak = [], [], 0.0
    for number in range(3):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        cpu, peak = compile_()
        firsts.append(cpu)
        changed = folder / "policy" / "flows07.seg"
        changed.write_text(changed.read_text() + f"allow z1 -> z2 : tcp/{number + 1}\n")
        seconds.append(compile_()[0])
    first, second = median(firsts), median(seconds)
    _say("compile with all checks, CPU s and peak MiB", f"{first:.2f} s, {peak:.0f} MiB", "under 1024 MiB")
    _say("again after one of 21 files changed", f"{second:.2f} s = {second / first:.2f} x", "at most 0.2 x")
    return first


def _capirca(network: Network, folder: Path, ours: float) -> None:
    if not CAPIRCA.exists():
        _run([sys.executable, "-m", "venv", CAPIRCA])
        _run([CAPIRCA / "bin" / "pip", "--quiet", "install", "capirca==2.0.9"])
    policy = write_capirca(network, folder / "capirca")
    (folder / "capirca" / "out").mkdir(exist_ok=True)
    base = folder / "capirca"
    cpu, _ = _run([
        CAPIRCA / "bin" / "aclgen", "--base_directory", base, "--policy_file", policy,
        "--definitions_directory", base / "def", "--output_directory", base / "out", "--max_renderers", "1",
    ])  # fmt: skip
    _say("Capirca 2.0.9 renders the same, CPU s", f"{cpu:.2f} s; ours {ours / cpu:.2f} x", "under 1 x")


def _loads(ruleset: str, hand: str) -> None:
    namespace = Namespace.create("bench")
    times: dict[str, list[float]] = {"segc": [], "hand": []}
    try:
        for _ in range(7):
            for name, text in (("segc", ruleset), ("hand", hand)):
                namespace.call(partial(nft, "flush ruleset\n"))
                started = time.perf_counter()
                namespace.call(partial(nft, text))
                times[name].append(time.perf_counter() - started)
    finally:
        namespace.close()
    ours, theirs = (min(times[name]) for name in ("segc", "hand"))
    _say(
        "load, against a ruleset written by hand",
        f"{ours:.2f} s / {theirs:.2f} s = {ours / theirs:.2f} x",
        "at most 0.3 x",
    )


def _packets(network: Network, ruleset: str) -> None:
    sources = {f"eth{zone}": [p for family in prefixes(zone) for p in family] for zone in range(SOURCES)}
    for what in ("allowed", "denied"):
        probes = list(_probes(network, what == "allowed"))
        best = costs({"floor": EMPTY, "segc": ruleset}, sources, probes, rounds=15)
        ratio = best["segc"] / best["floor"]
        figure = f"{best['segc']:.0f} ns / {best['floor']:.0f} ns = {ratio:.2f} x"
        _say(f"first packet of a flow, {what}, to an empty chain", figure, "at most 1.25 x")


def _probes(network: Network, allowed: bool) -> list[Probe]:
    rng = random.Random(3)
    flows = [flow for flow in network.flows if flow.source < SOURCES]
    opened = {(f.source, f.destination, port) for f in flows for a, b in f.ports for port in range(a, b + 1)}
    found: list[Probe] = []
    while len(found) < PACKETS:
        flow, family = rng.choice(flows), rng.randrange(2)
        port = rng.randint(*rng.choice(flow.ports)) if allowed else rng.randrange(1, 65536)
        if ((flow.source, flow.destination, port) in opened) is allowed:
            ends = (_address(zone, family, rng) for zone in (flow.source, flow.destination))
            found.append(Probe(f"eth{flow.source}", *ends, "tcp", port))
    return found


def _address(zone: int, family: int, rng: random.Random) -> str:
    prefix = rng.choice(prefixes(zone)[family]).partition("/")[0]
    return f"{prefix}{rng.randrange(1, 65000):x}" if family else prefix[:-1] + str(rng.randrange(1, 255))


if __name__ == "__main__":
    main(sys.argv[1:])
