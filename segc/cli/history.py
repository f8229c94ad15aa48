"""`segc history`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from segc.cli.standing import on_host, standing
from segc.cli.terminal import complain, emit, say
from segc.diagnostics.measure import printable

if TYPE_CHECKING:
    from segc.apply.state import State


@click.command("history")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@on_host
def command(format_: str, netns: str, state_dir: str) -> None:
    """List what was applied to this host: when, by whom and why, the newest first.

    `segc rollback N` goes back to number N.
    """
    from segc.apply.errors import ApplyError

    with standing(netns, state_dir) as state:
        rows = []
        for number in reversed(state.numbers()):
            try:
                rows.append(_row(state, number))
            except ApplyError as error:
                complain(f"{error}\n")
    if format_ == "json":
        emit(json.dumps({"generations": rows}, indent=2) + "\n")
    elif not state.numbers():
        say("nothing has been applied here\n")
    else:
        say("".join(_line(row) for row in rows))


def _row(state: State, number: int) -> dict[str, Any]:
    """See `segc/schemas/history.schema.json`."""
    meta = state.generation(number).meta
    return {
        "number": number,
        "when": datetime.fromtimestamp(meta.when).astimezone().isoformat(),
        "who": meta.who,
        "why": meta.why,
        "node": meta.node,
        "policy": meta.policy,
        "state": _standing(state, number),
        "ended": state.ended(number),
    }


def _standing(state: State, number: int) -> str:
    for name in ("pending", "confirmed", "current"):
        if state.pointer(name) == number:
            return name
    return "undone" if state.ended(number) else "former"


def _line(row: dict[str, Any]) -> str:
    when = row["when"][:16].replace("T", " ")
    notes = "  ".join(each for each in (row["why"], row["ended"]) if each)
    what = f"{row['who']:<10} {row['policy'][:12]}  {row['state']:<9}"
    return f"{row['number']:>4}  {when}  {what}  {printable(notes)}".rstrip() + "\n"
