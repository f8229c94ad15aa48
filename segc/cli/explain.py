"""`segc explain`."""

from __future__ import annotations

import sys

import click

from segc.cli import options
from segc.cli.terminal import colored, say, width
from segc.diagnostics.codes import RULES
from segc.diagnostics.explain import render_explanation
from segc.diagnostics.suggest import did_you_mean

WIDEST = 100  # cells; longer lines of prose are hard to read


@click.command("explain")
@click.argument("codes", nargs=-1, metavar="CODE...")
@click.option("--list", "list_", is_flag=True, help="List all codes.")
@options.color
def command(codes: tuple[str, ...], list_: bool, color: str) -> None:
    """Explain the code of a finding, with an example and how it is put right.

    CODE is as in `error[SEG301]`, or its name, `dead-flow`.
    """
    if list_:
        say("".join(f"{code}  {rule.severity:<8} {rule.name}\n" for code, rule in RULES.items()))
        return
    if not codes:
        raise click.UsageError("which code? `segc explain --list` shows them all")
    pages = [
        render_explanation(_code(word), colored(color, sys.stdout), min(width(), WIDEST)) for word in codes
    ]
    say("\n".join(page for page in pages if page))


def _code(word: str) -> str:
    names = {rule.name: code for code, rule in RULES.items()}
    code = names.get(word.lower(), f"SEG{word}" if word.isdigit() else word.upper())
    if code not in RULES:
        near = did_you_mean(word.upper(), RULES) or did_you_mean(word.lower(), names)
        raise click.UsageError(f"there is no code `{word}`: {near or '`segc explain --list` shows them all'}")
    return code
