"""`segc rollback`."""

from __future__ import annotations

import click

from segc.cli.apply import window_of
from segc.cli.outcome import carry_out, print_outcome
from segc.cli.standing import Seconds, at_work, on_host
from segc.cli.terminal import say
from segc.diagnostics.measure import printable
from segc.plan.make import Told
from segc.space.words import is_decimal, quote


class Number(click.ParamType[int]):
    """The number of a generation."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not is_decimal(text) or not 0 < len(text) < 10 or not int(text):
            shown = quote(printable(text[:40]))
            self.fail(f"{shown} is no number of a generation: `segc history` lists them")
        return int(text)


@click.command("rollback")
@click.argument("number", required=False, type=Number(), metavar="[N]")
@click.option(
    "--confirm",
    "window",
    type=Seconds(),
    metavar="TIME",
    help="Undo the rollback unless `segc confirm` comes within TIME. 60s is the default on a terminal by "
    "SSH.",
)
@click.option("--no-confirm", is_flag=True, help="Let it stand without a confirmation.")
@click.option("--allow-lockout", is_flag=True, help="Go back even where the lockout guard refuses.")
@on_host
def command(
    number: int | None, window: int | None, no_confirm: bool, allow_lockout: bool, netns: str, state_dir: str
) -> None:
    """Go back to a former generation, by default to the one before.

    What waits for its confirmation is undone at once. Else generation N is applied anew, with all
    that belongs to an apply; `segc history` lists the numbers.
    """
    from segc.apply.connections import policy_of, source_files
    from segc.apply.control import earlier, undo_pending

    window = window_of(window, no_confirm)
    with at_work(netns, state_dir) as state:
        if state.pointer("pending") is not None and number is None:
            say(undo_pending(state) + "\n")
            return
        wanted = earlier(state, number)
        told = Told(policy_of(wanted.sources), source_files(wanted.sources))
        outcome = carry_out(state, told, wanted, window, netns, allow_lockout)
    print_outcome(outcome, "text")
