"""`segc plan`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from segc.apply import durable
from segc.cli import options
from segc.cli.findings import brief, failed, show
from segc.cli.former import (
    Former,
    by_node,
    former_build,
    former_host,
    former_revision,
    is_build,
    warnings,
    would_cut,
)
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.standing import on_host, standing
from segc.cli.terminal import colored, complain, emit, say, width
from segc.compile import Build, build
from segc.diagnostics.measure import printable
from segc.plan.gains import Condition, parse_condition, stops, unknown_names
from segc.plan.make import Told, make_plan
from segc.plan.model import Access, Cut, Plan
from segc.plan.saved import plan_json
from segc.plan.tell import flow_text, plan_markdown, plan_text
from segc.policy.model import Policy
from segc.space.words import system_reason

CHANGES = 3  # with --detailed-exitcode


class Forbidden(click.ParamType[Condition]):
    """`gains`, `losses` or `changes`, narrowed down as in `gains:to-tag=regulated`."""

    name = "condition"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Condition:
        try:
            return value if isinstance(value, Condition) else parse_condition(str(value))
        except ValueError as error:
            self.fail(str(error))


@click.command("plan")
@options.paths
@click.option("--against", metavar="WHAT", help="A build's folder, or a Git revision. Default: this host.")
@click.option(
    "--node", "--gateway", metavar="NAME", help="Against a host: which gateway of the policy it is."
)
@click.option("--out", metavar="FILE", help="Save the plan, for `segc apply`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 where anything changes.")
@click.option(
    "--fail-on",
    "forbidden",
    type=Forbidden(),
    multiple=True,
    metavar="CONDITION",
    help="Exit 1 on `gains`, `losses`, `changes`, or `promises` that are taken back; with :to-tag=TAG and "
    "the like only there. Repeatable.",
)
@click.option("--all", "everything", is_flag=True, help="Show every change, however many.")
@click.option("--format", "format_", type=click.Choice(["text", "markdown", "json"]), default="text")
@on_host
@options.strict
@options.color
def command(
    paths: tuple[str, ...],
    against: str | None,
    node: str | None,
    out: str | None,
    detailed_exitcode: bool,
    forbidden: tuple[Condition, ...],
    everything: bool,
    format_: str,
    netns: str,
    state_dir: str,
    strict: bool,
    color: str,
) -> None:
    """Tell what a policy would change: who gains access, who loses it, and which artifacts differ.

    Nothing is changed. The comparison is with what this host enforces, with a former build, or with a
    Git revision.
    """
    if against is not None and (netns or node):
        raise click.UsageError("`--against` compares with files; `--netns` and `--node` are for a host")
    if against is not None and not against.strip():
        raise click.UsageError("`--against` is empty: it names a build's folder or a Git revision")
    with progress() as tell:
        reading = read(paths, tell)
        report, built = reading.report, None
        if reading.policy is not None and not failed(report, strict):
            built = build(reading.policy, reading.workspace.files, reading.workspace.memo, tell)
            report = reading.with_more(built.diagnostics)
        if reading.policy is None or built is None or failed(report, strict):
            show(brief(report), color)
            sys.exit(1)
        wanted = Told(reading.policy, tuple(source for source, _ in reading.workspace.files))
        if against is None:
            former = _host(built, reading.policy, node, netns, state_dir, tell)
        else:
            former = _files(against, paths, built, tell)
        tell("comparing")
        name = (former.kind, former.name)
        plan = make_plan(wanted, built.artifacts, former.told, name, former.state, former.nodes)
        plan = replace(plan, cut=former.cut, warnings=former.warnings)
    show(brief(report), color)
    _check_names(forbidden, wanted, former)
    _print(plan, format_, color, everything)
    for device in former.absent:
        complain(f"{device} is not there: nothing would be set up on it\n")
    if out is not None:
        _save(plan, out)
    stopped = _stopped(plan, forbidden)
    sys.exit(1 if stopped else CHANGES if detailed_exitcode and plan.changes else 0)


def _host(
    built: Build, policy: Policy, node: str | None, netns: str, state_dir: str, tell: Callable[[str], None]
) -> Former:
    from segc.cli.apply import this_node

    gateways = {name: files for name, files in by_node(built.artifacts).items() if "ruleset.nft" in files}
    with standing(netns, state_dir) as state:
        chosen = this_node(gateways, node, state)
        tell("reading what is in force")
        former = former_host(netns, state, chosen, gateways[chosen])
        differs = any(each.changes for each in former.nodes)
        if not differs:
            return replace(former, cut=Cut(0, ()))
        return replace(
            former, cut=would_cut(policy, chosen), warnings=warnings(former, policy, state, chosen)
        )


def _files(against: str, paths: Sequence[str], built: Build, tell: Callable[[str], None]) -> Former:
    wanted = by_node(built.artifacts)
    if is_build(against):
        return former_build(against, wanted)
    return former_revision(against, paths, wanted, tell)


def _check_names(forbidden: Sequence[Condition], wanted: Told, former: Former) -> None:
    """A condition on a zone that no policy has would let everything pass."""
    policies = [told.policy for told in (wanted, former.told) if told]
    zones = frozenset(name for policy in policies for name in policy.zones)
    found = [zone for policy in policies for zone in policy.zones.values()]
    tags = frozenset[str]().union(*(z.tags for z in found), *(h.tags for z in found for h in z.hosts))
    for condition in forbidden:
        for name in unknown_names(condition, zones, tags):
            raise click.UsageError(f"`--fail-on {condition.text}`: no policy has a zone or tag `{name}`")


def _print(plan: Plan, format_: str, color: str, everything: bool) -> None:
    if format_ == "json":
        emit(plan_json(plan, whole=False))
    elif format_ == "markdown":
        emit(plan_markdown(plan))
    else:
        say(plan_text(plan, colored(color, sys.stdout), None if everything else width()))


def _save(plan: Plan, out: str) -> None:
    try:
        path, text = Path(out), plan_json(plan, whole=True)
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8")
        else:
            durable.write_file(path.resolve(), text)
    except OSError as error:
        reason = system_reason(error)
        raise click.ClickException(f"`{out}` cannot be written: {reason}") from None
    complain(f"Plan saved as {out}; it holds for state {plan.state[:12]}\n")


def _stopped(plan: Plan, forbidden: Sequence[Condition]) -> bool:
    """Tell what `--fail-on` does not let pass. Where the former policy is not known, nothing does."""
    if forbidden and plan.against.policy is None:
        complain("stopped: the former policy is not known here, so `--fail-on` cannot be judged\n")
        return True
    found = {condition.text: stops(condition, plan) for condition in forbidden}
    for text, changes in found.items():
        for each in changes[:1]:
            what = flow_text(each) if isinstance(each, Access) else each.name
            more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
            complain(f"stopped by `--fail-on {text}`: {each.kind} {printable(what)}{more}\n")
    return any(found.values())
