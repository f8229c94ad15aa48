"""`segc init`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from segc.cli.terminal import say
from segc.space.words import system_reason

NAME = "policy.seg"


@click.command("init")
@click.argument("folder", default=".", metavar="[DIR]", type=click.Path(file_okay=False))
def command(folder: str) -> None:
    """Write a first policy, with comments, to start from.

    DIR is made if need be (default: the current folder). Nothing is ever overwritten.
    """
    target = Path(folder)
    text = files("segc").joinpath("cli", "templates", NAME).read_text("utf-8")
    try:
        target.mkdir(parents=True, exist_ok=True)
        there = sorted(each.name for each in target.iterdir() if each.suffix == ".seg")
        if there:
            raise click.ClickException(f"`{folder}` has a policy already: `{there[0]}`")
        _write(target / NAME, text)
    except OSError as error:
        reason = system_reason(error)
        raise click.ClickException(f"`{folder}` cannot be written: {reason}") from None
    say(
        f"wrote {target / NAME}, a policy for an office with guests\n"
        "\n"
        "Put your own networks into it, then\n"
        f"  segc check {folder}\n"
        f"  segc trace {folder} guests servers.files https\n"
        f"  segc compile {folder} -o build\n"
    )


def _write(path: Path, text: str) -> None:
    """A new file that holds all of the text, or none: half a policy would be taken for one."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise
