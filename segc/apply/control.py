"""Confirm, roll back, and put right what a crash left: what happens to a generation after it was applied."""

from __future__ import annotations

from segc.apply import host, live, timer
from segc.apply.errors import ApplyError, BusyError, RolledBackError
from segc.apply.generation import Generation
from segc.apply.saga import revert, revert_script, settle
from segc.apply.state import State, unwritable
from segc.apply.work import Wanted


def recover(state: State) -> str:
    """Finish or undo what an apply left behind that died; what was done in words, empty if there was nothing.

    The state must be locked. Afterwards the host is in the old state or in the new one, or waits for a
    confirmation. ApplyError if undoing fails, or it cannot be written.
    """
    try:
        return _recovered(state)
    except OSError as error:
        raise unwritable(state.root, error, "what an apply left behind that died is still there") from None


def _recovered(state: State) -> str:
    number = state.pointer("pending")
    if number is None:
        return ""
    if number == state.pointer("confirmed"):
        timer.disarm(state)
        state.point("pending", None)
        return ""
    generation = state.intact("pending")
    if generation is None and revert_script(state, number).exists():
        return _undo(state, number, "damaged", f"generation {number} is damaged and was not confirmed")
    if generation is None:
        return _forget(state, number, "lost with its files")
    if generation.boot != host.boot():
        return _forget(state, number, "not confirmed before a reboot")
    if number != state.pointer("current"):
        return _undo(state, number, "the apply died", f"an apply of generation {number} had died midway")
    if not timer.waits(state):
        settle(state, generation, None)
        return f"an apply had died at its very end: generation {number} stands"
    if (timer.remaining(state) or 0) <= 0:
        return _undo(state, number, "not confirmed in time", f"nobody confirmed generation {number} in time")
    return ""


def _forget(state: State, number: int, why: str) -> str:
    """After a reboot the kernel holds nothing of it, or what was confirmed; else `verify` tells of it."""
    confirmed = state.pointer("confirmed")
    state.end(number, why)
    state.point("current", confirmed)
    timer.disarm(state)
    state.point("pending", None)
    back = "nothing" if confirmed is None else f"generation {confirmed}"
    return f"generation {number} was {why}: {back} is what stands"


def _undo(state: State, number: int, why: str, words: str) -> str:
    if not revert(state, number, why):
        script = revert_script(state, number)
        raise ApplyError(
            f"{words}, and it could not be undone: run `sh {script}` as root and see what it says"
        )
    former = state.pointer("current")
    return f"{words}: {'nothing' if former is None else f'generation {former}'} stands again"


def confirm(state: State) -> Generation:
    """Let the pending generation stand; where none waits, the one that was confirmed.

    RolledBackError where what was applied last was undone, ApplyError if nothing was applied, or the kernel
    holds something else: nobody has tried what would be confirmed then.
    """
    told = recover(state)
    generation = state.at("pending")
    if generation is None:
        return _confirmed(state, told)
    _refuse_unless_held(generation)
    try:
        state.point("confirmed", generation.number)
    except OSError as error:
        raise unwritable(state.root, error, "it is not confirmed") from None
    timer.disarm(state)
    state.point("pending", None)
    state.prune()
    return generation


def _confirmed(state: State, told: str) -> Generation:
    last = state.next_number() - 1
    ended = state.ended(last)
    if ended and state.pointer("answered") != last:
        raise RolledBackError(told or f"generation {last} does not stand any more: {ended}")
    generation = state.at("confirmed")
    if generation is None:
        raise ApplyError("nothing waits to be confirmed")
    _refuse_unless_held(generation)
    return generation


def answer(state: State) -> None:
    """Note that an apply which was to be confirmed found nothing to do.

    What was undone before is not what a `confirm` speaks of from then on.
    """
    last = state.next_number() - 1
    try:
        if state.ended(last) and state.pointer("answered") != last:
            state.point("answered", last)
    except OSError as error:
        raise unwritable(state.root, error) from None


def _refuse_unless_held(generation: Generation) -> None:
    found = live.held()
    if found.present and found.markers == (generation.number,):
        return
    raise ApplyError(
        f"the kernel does not hold generation {generation.number} any more: {live.described(found)}; nothing "
        "was confirmed: `segc verify --heal` and look again, or `segc rollback`"
    )


def refuse_while_pending(state: State) -> None:
    """BusyError where a generation waits: two windows at once would undo each other's work."""
    number = state.pointer("pending")
    if number is not None:
        raise BusyError(
            f"generation {number} waits to be confirmed; nothing was changed: "
            "`segc confirm` or `segc rollback` first"
        )


def undo_pending(state: State) -> str:
    """Roll back what waits for its confirmation; in words. ApplyError if that fails."""
    number = state.pointer("pending")
    assert number is not None
    return _undo(state, number, f"rolled back by {host.who()}", f"generation {number} is undone")


def earlier(state: State, number: int | None) -> Wanted:
    """A generation to go back to: `number`, or whichever the current one came after."""
    current = state.at("current")
    if number is None:
        number = current.meta.former if current else None
        if number is None:
            raise ApplyError("there is no generation before this one: see `segc history`")
    chosen = state.generation(number)
    return Wanted(
        chosen.meta.node,
        chosen.meta.policy,
        chosen.sources(),
        chosen.artifacts(),
        f"back to generation {number}",
    )
