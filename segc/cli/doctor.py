"""`segc doctor`."""

from __future__ import annotations

import json
import sys
import textwrap
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from segc.cli import options
from segc.cli.standing import on_host, standing
from segc.cli.terminal import emit, say, width
from segc.diagnostics.measure import printable

if TYPE_CHECKING:
    from segc.apply.doctor.model import Finding
    from segc.apply.state import State
    from segc.enforcement.layer2 import LinkPlan
    from segc.policy.model import Policy

ORDER = ("ok", "note", "lacking")  # the worst by the prompt
COLUMN = 9


@click.command("doctor")
@options.paths
@click.option("--node", "--gateway", metavar="NAME", help="Which gateway of the policy this host is.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@on_host
@options.color
def command(
    paths: tuple[str, ...], node: str | None, format_: str, netns: str, state_dir: str, color: str
) -> None:
    """Tell what this host has and lacks for segc, why it matters, and what to do.

    With a policy, also whether the interfaces are there that it gives this gateway; without, those of
    what was applied last. Nothing is changed: what the kernel can do is tried in an empty network
    namespace. Exit code 1: something that segc needs is lacking.
    """
    from segc.apply.doctor.examine import examine
    from segc.apply.doctor.model import Host
    from segc.apply.doctor.others import may_look

    if node is not None and not paths:
        raise click.UsageError(
            "`--node` names a gateway of a policy: say which policy, as in `segc doctor .`"
        )
    policy = _policy(paths, color) if paths else None
    with standing(netns, state_dir) as state:
        chosen, wanted = _wanted(policy, node, state)
        found = sorted(examine(Host(state, netns, may_look(), chosen, wanted)), key=_rank)
    emit(_document(found)) if format_ == "json" else say(_text(found))
    sys.exit(int(any(each.state == "lacking" for each in found)))


def _policy(paths: tuple[str, ...], color: str) -> Policy:
    from segc.cli.findings import brief, failed, show
    from segc.cli.reading import read

    reading = read(paths, lambda stage: None, checks=False)
    if reading.policy is None or failed(reading.report, False):
        show(brief(reading.report), color)
        sys.exit(1)
    return reading.policy


def _wanted(policy: Policy | None, node: str | None, state: State) -> tuple[str | None, LinkPlan | None]:
    """The gateway that this host is, and its links: of the policy, else of what was applied last."""
    from segc.apply.errors import ApplyError
    from segc.apply.links import read_plan
    from segc.cli.apply import this_node
    from segc.enforcement.layer2 import link_plan

    if policy is not None:
        named = {name: each for name, each in policy.gateways.items() if not each.implicit}
        chosen = this_node(named, node, state)
        return chosen, link_plan(policy, named[chosen])
    with suppress(ApplyError, OSError, ValueError):  # what cannot be read is told of the state
        if (current := state.at("current")) and (text := current.artifact("links.json")):
            return current.meta.node, read_plan(text)
    return None, None


def _rank(found: Finding) -> int:
    return ORDER.index(found.state)


def _document(found: list[Finding]) -> str:
    """See `segc/schemas/doctor.schema.json`."""
    counts = {state: sum(each.state == state for each in found) for state in ORDER}
    return json.dumps({"findings": [asdict(each) for each in found], **counts}, indent=2) + "\n"


def _text(found: list[Finding]) -> str:
    lines = [line for each in found for line in _lines(each)]
    notes, lacking = (sum(each.state == state for each in found) for state in ORDER[1:])
    told = f"{lacking} lacking, {notes} to note" if lacking or notes else "nothing is lacking"
    return "".join(f"{line}\n" for line in (*lines, "", f"{told} · {len(found)} findings"))


def _lines(found: Finding) -> list[str]:
    return [
        *_wrapped(found.state.ljust(COLUMN), found.what),
        *_wrapped(" " * COLUMN + "= why: ", found.why),
        *_wrapped(" " * COLUMN + "= do: ", found.advice),
    ]


def _wrapped(first: str, text: str) -> list[str]:
    rest = " " * len(first)
    cells = max(60, width())
    return textwrap.wrap(
        printable(text), cells, initial_indent=first, subsequent_indent=rest, break_long_words=False
    )
