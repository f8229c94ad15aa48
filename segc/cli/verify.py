"""`segc verify`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segc.cli import options
from segc.cli.findings import counted, show
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.terminal import emit, say
from segc.diagnostics.json_format import scalars

if TYPE_CHECKING:
    from segc.policy.model import Gateway, Policy
    from segc.proof.model import Problem

DIFFERENT = 3
SHOWN = 20  # in text; JSON holds all of them


@click.command("verify")
@options.paths
@click.option(
    "--file", "file", required=True, metavar="FILE", help="The ruleset to compare; - reads standard input."
)
@click.option("--gateway", "name", metavar="NAME", help="Whose ruleset it is, where there are several.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@options.color
def command(paths: tuple[str, ...], file: str, name: str | None, format_: str, color: str) -> None:
    """Prove that a ruleset says what the policy says, or show packets that they treat differently.

    All addresses, services, sessions and times are compared, as sets. A ruleset with anything that
    segc does not write is different. Exit code 0: the same; 3: different.
    """
    from segc.proof.findings import differences

    with progress() as tell:
        reading = read(paths, tell, checks=False)
        if reading.policy is None or reading.report.errors:
            show(reading.report, color)
            sys.exit(1)
        gateway = _gateway(reading.policy, name)
        text = _text(file)
        tell("comparing")
        found = differences(reading.policy, gateway, text)
    shown = "standard input" if file == "-" else file
    if format_ == "json":
        emit(_json(gateway, shown, found))
    else:
        say(_words(gateway, shown, found, text))
    sys.exit(DIFFERENT if found else 0)


def _gateway(policy: Policy, name: str | None) -> Gateway:
    listed = ", ".join(f"`{each}`" for each in sorted(policy.gateways))
    if name is None and len(policy.gateways) == 1:
        return next(iter(policy.gateways.values()))
    if name is None:
        raise click.UsageError(f"whose ruleset is it? name its gateway with `--gateway`, one of {listed}")
    if name not in policy.gateways:
        raise click.UsageError(f"no gateway is called `{name}`: there is {listed}")
    return policy.gateways[name]


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise click.ClickException(f"`{file}` is not a text in UTF-8") from None
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise click.ClickException(f"`{file}` cannot be read: {reason}") from None


def _words(gateway: Gateway, file: str, found: list[Problem], text: str) -> str:
    if not found:
        return f"{file}: the same as the policy for gateway `{gateway.name}`\n"
    lines = text.split("\n")
    told = [line for each in found[:SHOWN] for line in _told(each, file, lines)]
    more = f"and {len(found) - SHOWN:,} more\n" if len(found) > SHOWN else ""
    total = f"{counted(len(found), 'difference')} from the policy for gateway `{gateway.name}`\n"
    return "".join(f"{line}\n" for line in told) + more + total


def _told(problem: Problem, file: str, lines: list[str]) -> list[str]:
    from segc.proof.findings import instance

    place = f"{file}:{problem.line}" if problem.line else file
    told = [f"{place}: {problem.message}"]
    if problem.line:
        told.append(f"    {lines[problem.line - 1].strip()}")
    if shown := instance(problem):
        told.append(f"    for instance: {shown}")
    return told


def _json(gateway: Gateway, file: str, found: list[Problem]) -> str:
    """See `segc/schemas/verify.schema.json`."""
    differences = [
        {
            "message": each.message,
            "line": each.line or None,
            "flow": each.flow or None,
            "witness": each.witness or None,
            "policy": each.policy or None,
            "ruleset": each.ruleset or None,
        }
        for each in found
    ]
    document = {
        "gateway": gateway.name,
        "file": scalars(file),
        "equal": not found,
        "differences": differences,
    }
    return json.dumps(document, indent=2) + "\n"
