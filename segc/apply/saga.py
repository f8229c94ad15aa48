"""One apply: links that are added, one nft transaction, links that are taken away, connections that end.

What undoes it is written and synced before the first step, beside the generation itself (`revert.sh`). The
pointer `pending` stands from then until all is done and confirmed, so that whoever comes after a crash finds
it. The ruleset carries the number of its generation, set by the same transaction: what the kernel holds is
never a guess.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from pyroute2 import IPRoute

from segc import __version__
from segc.apply import host, timer
from segc.apply.elements import transact
from segc.apply.errors import ApplyError, RolledBackError
from segc.apply.generation import Generation, Meta
from segc.apply.state import State, unwritable
from segc.apply.step import Step, take_step
from segc.apply.tally import transactions
from segc.apply.transaction import replacement
from segc.apply.work import Wanted, Work, as_of, mark, plan_work
from segc.frozen import frozen
from segc.space.words import system_reason

GRACE = 120  # seconds that an apply may take before its watch undoes it
Hook = Callable[[str], None]


@frozen
class Applied:
    """What came of it: the generation that stands now, and what was done, in words."""

    generation: Generation
    done: tuple[str, ...]
    absent: tuple[str, ...]
    window: int | None
    repaired: bool
    strange: tuple[str, ...] = ()  # see `work.Work`


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
    seats: Callable[[Generation], str] = lambda generation: "",
    before: Hook = lambda step: None,
) -> Applied | None:
    """Bring the host to what is wanted; None if it is there already. The state must be locked.

    `guard` sees the work before it is begun and may refuse it by raising. `cut` ends connections and says how
    many. `seats` are commands that fill sets of people that are not there yet, for the same transaction.
    `before` is told of each step. With a `window`, in seconds, all is undone again unless `confirm`
    comes first. Raises ApplyError with nothing changed, or RolledBackError with all undone.
    """
    number = state.next_number()
    work = plan_work(state, wanted, number, links)
    if work.nothing:
        return None
    guard(work)
    generation = _prepare(state, wanted, work, number, netns)
    try:
        done = _carry_out(state, generation, work, links, window, cut, seats, before)
    except (ApplyError, OSError) as error:
        raise _undone(state, generation, error) from None
    except BaseException:
        revert(state, generation.number, "interrupted")
        raise
    return Applied(generation, tuple(done), work.absent, window, work.repairs, work.strange)


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
        absent=work.absent,
    )
    contents: dict[str, str | Path] = {f"policy/{name}": text for name, text in wanted.sources.items()}
    contents |= {f"build/{name}": text for name, text in wanted.artifacts.items()}
    contents |= {"load.nft": replacement(wanted.artifacts["ruleset.nft"], mark(number, wanted.policy))}
    contents |= {"closed.nft": wanted.closed} if wanted.closed else {}
    contents |= {f"revert/{name}": text for name, text in _bundle(state, meta, work, netns).items()}
    try:
        generation = state.record(meta, contents)
        state.point("pending", number)
    except OSError as error:
        raise unwritable(state.root, error) from None
    return generation


def _bundle(state: State, meta: Meta, work: Work, netns: str) -> dict[str, str | Path]:
    conf = {
        "state": str(state.root.resolve()),
        "number": str(meta.number),
        "former": "" if meta.former is None else str(meta.former),
        "netns": netns,
        "python": sys.executable,
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
    seats: Callable[[Generation], str],
    before: Hook,
) -> list[str]:
    done: list[str] = []

    def take(steps: Iterable[Step]) -> None:
        for step in steps:
            before(step.what)
            take_step(step, links)
            done.append(step.what)

    def ruleset() -> None:
        seated = seats(generation) if work.forward and not work.direct else ""
        for number, transaction in enumerate(work.forward, start=1):
            before("ruleset" if number == 1 else f"ruleset {number}")
            if work.direct:
                transact(work.direct)
            else:
                host.load(transaction + (seated if number == 1 else ""))
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
    """If nobody but us and the agent was there since we looked, nobody needs to look again until the next."""
    with suppress(OSError):
        if transactions(state) != count:
            (state.root / "kernel.json").unlink(missing_ok=True)
        else:
            state.write("kernel.json", as_of(generation, count))


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
    words = system_reason(error) if isinstance(error, OSError) else str(error)
    if revert(state, generation.number, f"failed: {words}"):
        return RolledBackError(f"{words}; everything has been put back as it was")
    return ApplyError(
        f"{words}, and it could not be undone: run `sh {generation.folder}/revert/revert.sh` as root"
    )


def revert(state: State, number: int, why: str) -> bool:
    """Undo a pending generation by the script that was written with it; whether that worked. Locked."""
    script, window = revert_script(state, number), timer.window(state)
    done = host.run("env", "SEGC_INSIDE=1", "SEGC_LOCKED=1", f"why={why}", "sh", str(script))
    if done.returncode == 0:
        timer.stop(window)
    return done.returncode == 0 and state.pointer("pending") is None


def revert_script(state: State, number: int) -> Path:
    return state.generations / str(number) / "revert/revert.sh"
