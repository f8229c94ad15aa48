"""One apply: links that are added, one nft transaction, links that are taken away, connections that end.

What undoes it is written and synced before the first step, beside the generation itself (`revert.sh`). The
pointer `pending` stands from then until all is done and confirmed, so that whoever comes after a crash finds
it. The ruleset carries the number of its generation, set by the same transaction: what the kernel holds is
never a guess.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files

from pyroute2 import IPRoute, NetlinkError

from segc import __version__
from segc.apply import host, live, timer
from segc.apply.errors import ApplyError, RolledBackError
from segc.apply.links import Step, link_steps, read_plan
from segc.apply.ruleset import TABLE, read_ruleset
from segc.apply.seen import observe
from segc.apply.state import Generation, Meta, State, unwritable
from segc.apply.sysctl import sysctl_steps
from segc.apply.transaction import MARKER, Commands, change, marker, rebuild, replacement
from segc.enforcement.layer2 import LinkPlan

GRACE = 120  # seconds that an apply may take before its watch undoes it
Hook = Callable[[str], None]
_LINES = r"(?:\t\t(?!elements)[^\n]*\n)*?"  # of a set, before its elements
_TIMED = re.compile(
    rf"(\tset \S+ \{{\n{_LINES}\t\tflags [^\n]*timeout[^\n]*\n{_LINES})\t\telements = \{{[^}}]*\}}\n"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be applied: a node's artifacts by name, and the policy's texts that they were made from."""

    node: str
    policy: str
    sources: Mapping[str, str]
    artifacts: Mapping[str, str]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """All that an apply does to the kernel, and back.

    `forward` and `inverse` are transactions one after the other, `whole` the former table as it was loaded.
    """

    forward: tuple[str, ...]
    inverse: tuple[str, ...]
    whole: str
    steps: tuple[Step, ...]
    absent: tuple[str, ...]
    transactions: int  # that nf_tables had counted before anything was looked at
    bare: bool = False  # no table stood: it comes first, so that no link opens before it
    repairs: bool = False  # the kernel was not as it had been left

    @property
    def nothing(self) -> bool:
        return not self.forward and not self.steps


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it: the generation that stands now, and what was done, in words."""

    generation: Generation
    done: tuple[str, ...]
    absent: tuple[str, ...]
    window: int | None
    repaired: bool


def plan_work(state: State, wanted: Wanted, number: int, links: IPRoute) -> Work:
    """Compare the kernel with what is wanted. Changes nothing; LinkError where a name is taken."""
    current, count = state.at("current"), live.transactions()
    found = live.held()
    steps, absent = _link_work(wanted, current, links)
    forward, inverse, whole, repairs = _ruleset_work(state, current, wanted, number, found, bool(steps))
    return Work(forward, inverse, whole, tuple(steps), tuple(absent), count, not found.present, repairs)


def _link_work(wanted: Wanted, current: Generation | None, links: IPRoute) -> tuple[list[Step], list[str]]:
    former = _link_plan(current.artifact("links.json")) if current else None
    plan = _link_plan(wanted.artifacts.get("links.json")) or LinkPlan(wanted.node, (), ())
    steps, absent = link_steps(plan, observe(links), former)
    return steps + sysctl_steps(wanted.artifacts.get("sysctl.conf", "")), absent


def _link_plan(text: str | None) -> LinkPlan | None:
    return read_plan(text) if text else None


def _ruleset_work(
    state: State, current: Generation | None, wanted: Wanted, number: int, found: live.Held, always: bool
) -> tuple[tuple[str, ...], tuple[str, ...], str, bool]:
    """The transactions, their inverses, the former table whole, and whether the kernel was not as left.

    With `always` the table gets the new generation's marker even if nothing else in it differs.
    """
    text, mark = wanted.artifacts["ruleset.nft"], _mark(number, wanted.policy)
    if not found.present:
        former = _whole(current) if current else f"table {TABLE}\ndelete table {TABLE}\n"
        return (replacement(text, mark),), (former,), former, current is not None
    if current is not None and as_left(state, current, found):
        old, new = read_ruleset(current.ruleset), read_ruleset(text)
        forward = change(old, new)
        if not forward and not always:
            return (), (), _whole(current), False
        former_mark = _mark(current.number, current.meta.policy)
        there = _marked(forward, f"{mark}delete chain {TABLE} {MARKER}{current.number}\n")
        back = _marked(change(new, old), f"{former_mark}delete chain {TABLE} {MARKER}{number}\n")
        return there, back, _whole(current), False
    former = _whole(current) if current else _saved()
    return (_rebuilt(text) + mark,), (former,), former, True


def _marked(transactions: tuple[Commands, ...], swap: str) -> tuple[str, ...]:
    """The texts of transactions, the first with what exchanges the markers."""
    first, *rest = [_joined(each) for each in transactions] or [""]
    return first + swap, *rest


def whole_or_rebuilt(generation: Generation, found: live.Held) -> str:
    """The transaction after which the kernel holds the generation, whatever it holds now."""
    if not found.present:
        return _whole(generation)
    return _rebuilt(generation.ruleset) + _mark(generation.number, generation.meta.policy)


def _rebuilt(text: str) -> str:
    """In place if the table can be read: counters and sessions stay."""
    with suppress(ValueError):
        return _joined(rebuild(read_ruleset(live.skeleton()), read_ruleset(text)))
    return replacement(text)


def _saved() -> str:
    """A table that segc does not know, to be brought back as it was, but for what was in timed sets."""
    text = host.nft("list", "table", "inet", "segc")
    return f"table {TABLE}\ndelete table {TABLE}\n{_TIMED.sub(lambda found: found[1], text)}"


def _whole(generation: Generation) -> str:
    return (generation.folder / "load.nft").read_text("utf-8")


def _mark(number: int, policy: str) -> str:
    return marker(number, f"segc: {policy[:12]}, see segc history")


def _joined(commands: Commands) -> str:
    return "".join(f"{command}\n" for command in commands)


def as_left(state: State, generation: Generation, found: live.Held) -> bool:
    """Whether the kernel holds the generation and nothing else.

    While nf_tables has counted no transaction since ours, nobody can have changed anything; else both are
    listed and compared.
    """
    if found.markers != (generation.number,):
        return False
    seen = state.read("kernel.json")
    here = {"generation": generation.number, "boot": host.boot(), "namespace": host.namespace()}
    if seen == here | {"transactions": live.transactions()}:
        return True
    return live.items() == live.items_of(generation.ruleset)


# -- carrying it out -----------------------------------------------------------------------------------


def apply(
    state: State,
    wanted: Wanted,
    links: IPRoute,
    *,
    window: int | None = None,
    netns: str = "",
    guard: Callable[[Work], None] = lambda work: None,
    cut: Callable[[Generation], int] = lambda generation: 0,
    before: Hook = lambda step: None,
) -> Applied | None:
    """Bring the host to what is wanted; None if it is there already. The state must be locked.

    `guard` sees the work before it is begun and may refuse it by raising. `cut` ends connections and says how
    many. `before` is told of each step. With a `window`, in seconds, all is undone again unless `confirm`
    comes first. Raises ApplyError with nothing changed, or RolledBackError with all undone.
    """
    number = max(state.numbers(), default=0) + 1
    work = plan_work(state, wanted, number, links)
    if work.nothing:
        return None
    guard(work)
    generation = _prepare(state, wanted, work, number, netns)
    try:
        done = _carry_out(state, generation, work, links, window, cut, before)
    except (ApplyError, NetlinkError, OSError) as error:
        raise _undone(state, generation, error) from None
    except BaseException:
        revert(state, generation, "interrupted")
        raise
    return Applied(generation, tuple(done), work.absent, window, work.repairs)


def _prepare(state: State, wanted: Wanted, work: Work, number: int, netns: str) -> Generation:
    """Write everything down. From here on a crash is found and undone."""
    meta = Meta(
        number=number,
        former=state.pointer("current"),
        node=wanted.node,
        policy=wanted.policy,
        who=host.who(),
        when=int(time.time()),
        why=wanted.why,
        segc=__version__,
        boot=host.boot(),
    )
    contents = {f"policy/{name}": text for name, text in wanted.sources.items()}
    contents |= {f"build/{name}": text for name, text in wanted.artifacts.items()}
    load = replacement(wanted.artifacts["ruleset.nft"], _mark(number, wanted.policy))
    contents |= {"load.nft": load}
    contents |= {f"revert/{name}": text for name, text in _bundle(state, meta, work, netns).items()}
    try:
        generation = state.record(meta, contents)
        state.point("pending", number)
    except OSError as error:
        raise unwritable(state.root, error) from None
    return generation


def _bundle(state: State, meta: Meta, work: Work, netns: str) -> dict[str, str]:
    python = f"{shlex.quote(sys.executable)} -m segc.apply.connections"
    conf = {
        "state": str(state.root.resolve()),
        "number": str(meta.number),
        "former": "" if meta.former is None else str(meta.former),
        "netns": netns,
        "segc": python,
    }
    undo = [line for step in reversed(work.steps) for line in step.undo]
    return {
        "revert.sh": files("segc.apply").joinpath("revert.sh").read_text("utf-8"),
        "conf": "".join(f"{name}={shlex.quote(value)}\n" for name, value in conf.items()),
        **{f"inverse{number}.nft": text for number, text in enumerate(work.inverse)},
        "whole.nft": work.whole,
        "links.sh": "".join(f"{line}\n" for line in undo),
    }


def _carry_out(
    state: State,
    generation: Generation,
    work: Work,
    links: IPRoute,
    window: int | None,
    cut: Callable[[Generation], int],
    before: Hook,
) -> list[str]:
    done: list[str] = []

    def take(steps: Iterable[Step]) -> None:
        for step in steps:
            before(step.what)
            step.take(links)
            done.append(step.what)

    def ruleset() -> None:
        for number, transaction in enumerate(work.forward, start=1):
            before("ruleset" if number == 1 else f"ruleset {number}")
            host.load(transaction)
        if work.forward:
            _remember(state, generation, work.transactions + len(work.forward))
            done.append("change the ruleset")

    if window is not None or work.steps:
        before("arm")
        timer.arm(state, generation, GRACE + (window or 0), window is not None)
    early = [step for step in work.steps if not step.late]
    late = [step for step in work.steps if step.late]
    if work.bare:
        ruleset()
        take(early)
    else:
        take(early)
        ruleset()
    take(late)
    before("cut")
    ended = cut(generation)
    if ended:
        done.append(f"end {ended} connection{'s' * (ended != 1)}")
    before("current")
    state.point("current", generation.number)
    before("settle")
    settle(state, generation, window)
    return done


def _remember(state: State, generation: Generation, count: int) -> None:
    """If ours were the only transactions since we looked, nobody needs to look again until the next."""
    with suppress(OSError):
        if live.transactions() != count:
            (state.root / "kernel.json").unlink(missing_ok=True)
        else:
            here = {"generation": generation.number, "boot": host.boot(), "namespace": host.namespace()}
            state.write("kernel.json", here | {"transactions": count})


def settle(state: State, generation: Generation, window: int | None) -> None:
    """The kernel is as wanted: wait for the confirmation from now on, or be done."""
    if window is not None:
        timer.arm(state, generation, window, True)
        return
    state.point("confirmed", generation.number)
    timer.disarm(state)
    state.point("pending", None)
    state.prune()


def _undone(state: State, generation: Generation, error: Exception) -> ApplyError:
    words = _words(error)
    if revert(state, generation, f"failed: {words}"):
        return RolledBackError(f"{words}; everything has been put back as it was")
    return ApplyError(
        f"{words}, and it could not be undone: run `sh {generation.folder}/revert/revert.sh` as root"
    )


def _words(error: Exception) -> str:
    if isinstance(error, NetlinkError):
        return f"the kernel refused a change of links: {error.args[-1]}".lower()
    if isinstance(error, OSError):
        return (error.strerror or "input/output error").lower()
    return str(error)


def revert(state: State, generation: Generation, why: str) -> bool:
    """Undo a pending generation by the script that was written with it; whether that worked. Locked."""
    script, window = generation.folder / "revert/revert.sh", timer.window(state)
    done = host.run("env", "SEGC_INSIDE=1", "SEGC_LOCKED=1", f"why={why}", "sh", str(script))
    if done.returncode == 0:
        timer.stop(window)
    return done.returncode == 0 and state.pointer("pending") is None
