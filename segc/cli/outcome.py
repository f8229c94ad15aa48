"""Applying what is wanted, which `segc apply` and `segc rollback` share, and telling what came of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from segc.cli.findings import show
from segc.cli.terminal import emit, say
from segc.diagnostics.model import Report
from segc.frozen import frozen
from segc.plan.make import Told

if TYPE_CHECKING:
    from segc.apply.saga import Applied
    from segc.apply.state import State
    from segc.apply.work import Wanted


@frozen
class Outcome:
    """Of the gateway `node`: `applied` is None where what is wanted stood already, `absent` are devices that
    are not there."""

    node: str
    applied: Applied | None
    absent: tuple[str, ...]


def carry_out(
    state: State,
    told: Told,
    wanted: Wanted,
    window: int | None,
    netns: str,
    allow_lockout: bool,
    color: str = "auto",
) -> Outcome:
    """Apply what is wanted, guarded. ApplyError."""
    from pyroute2 import IPRoute

    from segc.apply import saga
    from segc.apply.boot import closed
    from segc.apply.connections import at_home, cut
    from segc.apply.control import answer, refuse_while_pending
    from segc.apply.errors import LockedOutError
    from segc.apply.guard import guard
    from segc.apply.work import absent_devices
    from segc.sessions.seats import seats

    refuse_while_pending(state)
    wanted = replace(wanted, closed=closed(told.policy, wanted.node))
    with IPRoute() as links:
        here = at_home(told.policy, wanted.node, links)
        try:
            applied = saga.apply(
                state,
                wanted,
                links,
                window=window,
                netns=netns,
                guard=(lambda work: None) if allow_lockout else guard(state, here, wanted.node, links),
                cut=lambda generation: cut(here),
                seats=lambda generation: seats(state, generation),
            )
            if applied is None and window is not None:
                answer(state)
            absent = applied.absent if applied else absent_devices(wanted, links)
            return Outcome(wanted.node, applied, absent)
        except LockedOutError as error:
            show(Report(error.found, told.sources), color)
            raise


def print_outcome(outcome: Outcome, format_: str) -> None:
    """As text or as JSON."""
    node, applied = outcome.node, outcome.applied
    if format_ == "json":
        emit(json.dumps(_document(outcome), indent=2) + "\n")
        return
    if applied is None:
        say(f"{node}: nothing to do, this is what stands\n")
    else:
        say(f"{node}: generation {applied.generation.number}\n")
        say("".join(f"  {each}\n" for each in applied.done))
    say("".join(f"  {each} is not there: nothing was set up on it\n" for each in outcome.absent))
    for each in applied.strange if applied else ():
        say(f"  left as it is, though the policy does not say so: `segc verify --heal` would {each}\n")
    if applied and applied.repaired:
        say("  what somebody had changed by hand is put right\n")
    if applied and applied.window is not None:
        say(f"`segc confirm` within {applied.window} s lets it stand; else it is undone\n")


def _document(outcome: Outcome) -> dict[str, object]:
    """See `segc/schemas/apply.schema.json`."""
    node, applied, absent = outcome.node, outcome.applied, list(outcome.absent)
    if applied is None:
        return {"node": node, "changed": False} | ({"absent": absent} if absent else {})
    return {
        "node": node,
        "changed": True,
        "generation": applied.generation.number,
        "done": list(applied.done),
        "absent": absent,
        "confirm_within": applied.window,
        "repaired": applied.repaired,
    }
