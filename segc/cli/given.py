"""Texts other than policies, from a file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from segc.diagnostics.measure import printable
from segc.space.words import system_reason

LARGEST = 256 << 20  # bytes


def given(file: str, largest: int = LARGEST) -> str:
    """The text of a file, or for `-` of standard input. ClickException where it has none."""
    name = "standard input" if file == "-" else f"`{printable(file)}`"
    try:
        if file == "-":
            data = sys.stdin.buffer.read(largest + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(largest + 1)
    except OSError as error:
        raise click.ClickException(f"{name} cannot be read: {system_reason(error)}") from None
    if len(data) > largest:
        raise click.ClickException(f"{name} is larger than {largest >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise click.ClickException(f"{name} is not UTF-8") from None
