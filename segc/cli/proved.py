"""A ruleset in a file against a policy, for `segc verify --file`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from segc.cli.findings import counted, show
from segc.cli.given import given
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.terminal import emit, say
from segc.diagnostics.json_format import scalars

if TYPE_CHECKING:
    from segc.policy.model import Gateway, Policy
    from segc.proof.model import Problem

DIFFERENT = 3
SHOWN = 20  # in text; JSON holds all of them
WIDTH = 200  # of a line that is shown: whatever is no ruleset may be all in one


def verify_file(paths: Sequence[str], file: str, name: str | None, format_: str, color: str) -> int:
    """Prove that the ruleset in a file is the policy's, or print how they differ; the exit code."""
    from segc.proof.findings import differences

    with progress() as tell:
        reading = read(paths, tell, checks=False)
        if reading.policy is None or reading.report.errors:
            show(reading.report, color)
            return 1
        gateway = _gateway(reading.policy, name)
        text = given(file)
        tell("comparing")
        found = differences(reading.policy, gateway, text)
    shown = "standard input" if file == "-" else file
    if format_ == "json":
        emit(_json(gateway, shown, found))
    else:
        say(_words(gateway, shown, found, text))
    return DIFFERENT if found else 0


def _gateway(policy: Policy, name: str | None) -> Gateway:
    listed = ", ".join(f"`{each}`" for each in sorted(policy.gateways))
    if name is None and len(policy.gateways) == 1:
        return next(iter(policy.gateways.values()))
    if name is None:
        raise click.UsageError(f"whose ruleset is it? name its gateway with `--gateway`, one of {listed}")
    if name not in policy.gateways:
        raise click.UsageError(f"no gateway is called `{name}`: there is {listed}")
    return policy.gateways[name]


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
        told.append(f"    {shorten(lines[problem.line - 1].strip(), WIDTH, placeholder=' …')}")
    if shown := instance(problem):
        told.append(f"    for instance: {shown}")
    return told


def _json(gateway: Gateway, file: str, found: list[Problem]) -> str:
    """See `segc/schemas/verify-file.schema.json`."""
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
