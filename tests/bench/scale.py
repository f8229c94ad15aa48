"""What the analyses cost as policies grow, beside Aerleon's shade check and a CUDD engine on the same flows.

    python -m tests.bench.scale [quick]

All figures are CPU seconds, each taken in a process of its own. `quick` asks for a tenth of the flows of
everything: one minute instead of ten, and ratios that say less, for the peers are quadratic.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench import aerleon
from tests.bench.analysis import generate, policy_of
from tests.bench.plan import edited

NARROW, WIDE = 0.05, 0.6
ENGINE_SECONDS = 240.0  # how long CUDD may take before the rest is extrapolated


class Spent(NamedTuple):
    """CPU seconds and peak MiB of a process that analyses one policy; `difference` of a narrow one."""

    conflicts: float
    analyses: float
    difference: float
    peak: float


class Scale(NamedTuple):
    """How many flows each comparison takes."""

    shade: tuple[
        int, int
    ]  # measured against one another, to see how it grows; the second is the whole `check`
    analyses: int
    large: int


FULL = Scale((2500, 5000), 10_000, 100_000)
QUICK = Scale((500, 1000), 1_000, 10_000)


def main(quick: bool = False) -> None:
    scale = QUICK if quick else FULL
    print(f"\nanalyses, CPU seconds{' (bounds are for ten times the flows)' if quick else ''}", flush=True)
    _beside_aerleon(scale)
    _beside_cudd(scale)


def say(what: str, figure: str, bound: str) -> None:
    print(f"  {what:<52} {figure:>42}   {bound}", flush=True)


def _beside_aerleon(scale: Scale) -> None:
    fewer, more = (_shade(flows) for flows in scale.shade)
    growth = more.checking / fewer.checking
    label = f"Aerleon {aerleon.VERSION} shade check, {fewer.terms} and {more.terms} flows"
    say(label, f"{fewer.checking:.1f} and {more.checking:.1f} = {growth:.1f} x", "each pair: 4 x")
    theirs = more.checking * (scale.analyses / more.terms) ** 2
    ours = _spent(scale.analyses, NARROW).analyses
    label = f"all analyses of {scale.analyses} flows, parsing apart"
    figure = f"{ours:.2f} / {theirs:.0f} (extrapolated) = 1/{theirs / ours:.0f}"
    say(label, figure, "at most 1/200")
    whole = _whole_check(more.terms)
    theirs = more.parsing + more.checking
    label = f"`segc check` of {more.terms} flows, all of it"
    say(label, f"{whole:.2f} / {theirs:.1f} = 1/{theirs / whole:.0f}", "at most 1/20")


def _shade(flows: int) -> aerleon.Shading:
    with tempfile.TemporaryDirectory() as folder:
        return aerleon.shade(policy_of(generate(flows)), Path(folder))


def _whole_check(flows: int) -> float:
    """A process from start to end, with nothing remembered from another."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.seg"
        policy.write_text(generate(flows))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        argv = [sys.executable, "-m", "segc", "check", policy]
        env = {**os.environ, "XDG_CACHE_HOME": folder}
        done = subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1), "neither findings nor none"
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _beside_cudd(scale: Scale) -> None:
    narrow, wide = _spent(scale.large, NARROW), _spent(scale.large, WIDE)
    theirs, reached = _engine(scale.large)
    label = f"conflict checks of {scale.large} flows, beside CUDD"
    seen = "" if reached == scale.large else f" (got to {reached})"
    figure = f"{narrow.conflicts:.1f} / {theirs:.0f}{seen} = 1/{theirs / narrow.conflicts:.1f}"
    say(label, figure, "at most 1/5")
    say(
        "all analyses of them, beside CUDD's conflicts",
        f"{narrow.analyses:.1f} = 1/{theirs / narrow.analyses:.1f}",
        "at most 1/5",
    )
    say("peak, narrow and wide", f"{narrow.peak:.0f} and {wide.peak:.0f} MiB", "under 1024 MiB")
    ratio = wide.analyses / narrow.analyses
    label = f"{WIDE:.0%} of flows wide, beside {NARROW:.0%}"
    say(label, f"{wide.analyses:.1f} / {narrow.analyses:.1f} = {ratio:.1f} x", "at most 5 x")
    ratio = narrow.difference / narrow.analyses
    label = f"the difference of 100 edits of {scale.large}"
    say(label, f"{narrow.difference:.2f} = {ratio:.2f} x of the analyses", "at most 0.1 x")


def _engine(flows: int) -> tuple[float, int]:
    argv = [sys.executable, "-m", "tests.bench.cudd", str(flows), str(NARROW), str(ENGINE_SECONDS)]
    seconds, reached, *_ = subprocess.check_output(argv, text=True).split()
    return float(seconds), int(reached)


def _spent(flows: int, wide: float) -> Spent:
    argv = [sys.executable, "-m", "tests.bench.scale", "spend", str(flows), str(wide)]
    return Spent(*map(float, subprocess.check_output(argv, text=True).split()))


def _spend(flows: int, wide: float) -> Spent:
    from segc.analysis import CHECKS, check_conflicts
    from segc.plan.access import access_changes

    text = generate(flows, wide)
    policy = policy_of(text)
    gc.disable()  # as the commands do
    seconds = {check: _seconds(lambda check=check: list(check(policy))) for check in CHECKS}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    difference = 0.0
    if wide == NARROW:
        after = policy_of(edited(text, 100))
        difference = _seconds(lambda: access_changes(policy, after, ({}, {})))
    return Spent(seconds[check_conflicts], sum(seconds.values()), difference, peak)


def _seconds(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    if sys.argv[1:2] == ["spend"]:
        print(*_spend(int(sys.argv[2]), float(sys.argv[3])))
    else:
        main("quick" in sys.argv[1:])
