"""What the commands share that change a host or tell of it: where they work, and how they end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from segc.apply.errors import ApplyError
from segc.apply.state import DEFAULT, State
from segc.cli.terminal import complain

UNITS = {"s": 1, "m": 60, "h": 3600}


on_state = click.option(
    "--state-dir", metavar="DIR", default=str(DEFAULT), show_default=True, help="Where generations are kept."
)


def on_host(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--netns` and `--state-dir`."""
    where = click.option(
        "--netns", metavar="NAME", default="", help="Work in this network namespace, not in the host's."
    )
    return where(on_state(command))


class Seconds(click.ParamType[Any]):
    """A duration such as `60s`, `5m` or `1h`; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,6})([smh]?)", value)
        seconds = int(match[1]) * UNITS[match[2] or "s"] if match else 0
        if not 1 <= seconds <= 24 * 3600:
            self.fail(f"`{value}` is no time from 1s to 24h: write it as `60s`, `5m` or `1h`")
        return seconds


@contextmanager
def at_work(netns: str, state_dir: str) -> Iterator[State]:
    """`alone` with the state of the host or a namespace, in which we are from then on."""
    with standing(netns, state_dir) as state, alone(state):
        yield state


@contextmanager
def alone(state: State) -> Iterator[None]:
    """With the state locked. Whatever a crash left is put right first, and told."""
    from segc.apply.control import recover

    with state.locked():
        told = recover(state)
        if told:
            complain(f"{told}\n")
        yield


@contextmanager
def standing(netns: str, state_dir: str) -> Iterator[State]:
    """The state, to be read; failures of what is done with it end the command with a sentence."""
    from segc.apply.host import enter

    root = Path(state_dir)
    try:
        if netns:
            enter(netns)
            root = root / "netns" / netns
        yield State(root)
    except ApplyError as error:
        raise Failure(error) from None


class Failure(click.ClickException):
    """What went wrong, with the exit code that says which way."""

    def __init__(self, error: ApplyError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]
