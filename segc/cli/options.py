"""Options that several commands take."""

from __future__ import annotations

import click

paths = click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())

color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colour; auto means on a terminal, unless NO_COLOR is set.",
)

strict = click.option("--strict", is_flag=True, help="Let warnings count as errors.")
