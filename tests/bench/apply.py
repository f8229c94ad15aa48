"""What it costs to apply one changed flow, beside a full load of the same ruleset in the same run.

    python -m tests.bench.apply [ZONES FLOWS]

CPU time, of this process and what it starts. An *apply* is all between two compiled policies and a kernel
that holds the second: what differs is found, the generation and how to undo it are put on the disk, the
transaction is carried out. Compiling is apart, and so are links: the gateway's devices are not there. The
best of several rounds counts, of all alike; a change is put in and taken out again, and both count.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from pyroute2 import IPRoute

from segc.apply import host, live, saga
from segc.apply.state import State
from segc.apply.work import Wanted, plan_work
from segc.plan.items import state_digest, table_changes
from tests.bench.policy import generate, write_segc
from tests.netns.namespace import Namespace, nft

ROUNDS = 5
LIST = ("nft", "-j", "list", "table", "inet", "segc")
NO_LINKS = '{"bridges": [], "devices": [], "node": "gw", "version": 1}'


class Spent(NamedTuple):
    """CPU seconds, and those of them that the kernel took."""

    all: float
    kernel: float


def main(zones: int = 1000, flows: int = 50000) -> None:
    print(f"\napplying one changed flow, {zones} zones, {flows} flows", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        gc.disable()  # as the commands do
        stack.callback(gc.enable)
        # What is kept between runs begins empty.
        stack.enter_context(patch.dict(os.environ, XDG_CACHE_HOME=f"{folder}/cache"))
        before, after = _builds(Path(folder), zones, flows)
        namespace = Namespace.create("bench")
        stack.callback(namespace.close)
        namespace.call(partial(_measure, State(Path(folder, "state")), before, after))


def _builds(folder: Path, zones: int, flows: int) -> tuple[Wanted, Wanted]:
    """The policy as segc compiles it, and with one flow more."""
    write_segc(generate(zones, flows), folder / "policy")
    before = _compiled(folder, "before")
    changed = folder / "policy" / "flows07.seg"
    changed.write_text(f"{changed.read_text()}allow as one-more z1 -> z2 : tcp/7, tcp/3000-3010\n")
    return before, _compiled(folder, "after")


def _compiled(folder: Path, name: str) -> Wanted:
    argv = [sys.executable, "-m", "segc", "compile", folder / "policy", "-o", folder / name]
    subprocess.run(argv, check=True, capture_output=True)
    home = folder / name / "gw"
    texts = {p.relative_to(home).as_posix(): p.read_text() for p in home.rglob("*") if p.is_file()}
    sources = {path.name: path.read_text() for path in (folder / "policy").iterdir()}
    artifacts = texts | {"links.json": NO_LINKS, "sysctl.conf": ""}
    return Wanted("gw", json.loads(texts["manifest.json"])["policy"], sources, artifacts)


def _measure(state: State, before: Wanted, after: Wanted) -> None:
    load = _least(lambda: nft(before.artifacts["ruleset.nft"]), lambda: nft("flush ruleset\n"))
    nft("flush ruleset\n")
    with state.locked(), IPRoute() as links:
        whole = _spent(lambda: _apply(state, before, links))
        rounds = [_round(state, wanted, links) for wanted in (after, before) * ROUNDS]
        nothing = min(_spent(lambda: plan_work(state, before, 0, links)) for _ in range(ROUNDS)).all
    pairs = list(zip(rounds[::2], rounds[1::2], strict=True))  # there and back
    planned, sent, applied = (
        min((one[part].all + other[part].all) / 2 for one, other in pairs) for part in range(3)
    )
    kernel = min((one[1].kernel + other[1].kernel) / 2 for one, other in pairs)
    one = planned + sent
    say("find what differs and have the kernel do it, to `nft -f`", one, load.all, "at most 1/50")
    say("the transaction alone, kernel's part, to all of that load", kernel, load.kernel, "under 1/10")
    say("all of an apply, to the apply of everything", applied, whole.all, "")
    say("finding that nothing differs, where nobody touched the table", nothing, load.all, "")
    listed = _least(lambda: subprocess.run(LIST, stdout=subprocess.DEVNULL, check=True))
    live.items_of(before.artifacts["ruleset.nft"])  # is kept, as the same nft always lists it the same
    compared = _least(lambda: _compare(before))
    say("reading and comparing the table, to `nft -j list table`", compared.all, listed.all, "at most 2 x")


def _round(state: State, wanted: Wanted, links: IPRoute) -> tuple[Spent, Spent, Spent]:
    """What finding the difference costs, the transaction, and the apply of which both are a part."""
    planned = _spent(lambda: plan_work(state, wanted, 1000, links))
    parts: list[Spent] = []
    transact, load = saga.transact, host.load
    try:
        saga.transact = lambda changes: parts.append(_spent(lambda: transact(changes)))
        host.load = lambda text: parts.append(_spent(lambda: load(text)))
        applied = _spent(lambda: _apply(state, wanted, links))
    finally:
        saga.transact, host.load = transact, load
    return planned, Spent(*map(sum, zip(*parts, strict=True))), applied


def _apply(state: State, wanted: Wanted, links: IPRoute) -> None:
    assert saga.apply(state, wanted, links) is not None


def _compare(wanted: Wanted) -> None:
    """What `segc plan` does with the table."""
    found = live.items()
    assert not table_changes(found, live.items_of(wanted.artifacts["ruleset.nft"]))
    state_digest(found, [])


def _least(work: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> Spent:
    found = []
    for _ in range(3):
        prepare()
        found.append(_spent(work))
    return min(found)


def _spent(work: Callable[[], object]) -> Spent:
    kinds = (resource.RUSAGE_THREAD, resource.RUSAGE_CHILDREN)
    before = [resource.getrusage(kind) for kind in kinds]
    work()
    pairs = list(zip(map(resource.getrusage, kinds), before, strict=True))
    kernel = sum(now.ru_stime - was.ru_stime for now, was in pairs)
    return Spent(kernel + sum(now.ru_utime - was.ru_utime for now, was in pairs), kernel)


def say(what: str, ours: float, theirs: float, bound: str) -> None:
    ratio = f"1/{theirs / ours:.0f}" if ours * 3 < theirs else f"{ours / theirs:.2f} x"
    print(
        f"  {what:<60} {f'{ours * 1000:.1f} ms / {theirs * 1000:.0f} ms = {ratio}':>34}   {bound}", flush=True
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
