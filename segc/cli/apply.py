"""`segc apply`."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segc.cli import options
from segc.cli.findings import brief, failed, show
from segc.cli.former import by_node
from segc.cli.given import given
from segc.cli.outcome import carry_out, print_outcome
from segc.cli.progress import progress
from segc.cli.reading import Reading, read
from segc.cli.standing import Seconds, at_work, on_host
from segc.compile import Build, build, digest, relative
from segc.identity.snapshot import FILE as SNAPSHOT
from segc.plan.make import Told
from segc.policy.model import Policy
from segc.workspace.paths import is_folder, shown

if TYPE_CHECKING:
    from segc.apply.state import State
    from segc.apply.work import Wanted
    from segc.plan.model import Plan

REMOTE = 60  # seconds to confirm in, where somebody types from afar


@click.command("apply")
@options.paths
@click.option("--node", "--gateway", metavar="NAME", help="Which gateway of the policy this host is.")
@click.option(
    "--confirm",
    "window",
    type=Seconds(),
    metavar="TIME",
    help="Undo it all unless `segc confirm` comes within TIME, such as 60s. That is the default on a "
    "terminal by SSH.",
)
@click.option("--no-confirm", is_flag=True, help="Let it stand without a confirmation.")
@click.option("--why", metavar="TEXT", default="", help="Kept in the history.")
@click.option("--allow-lockout", is_flag=True, help="Apply even what the lockout guard refuses.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@on_host
@options.strict
@options.color
def command(
    paths: tuple[str, ...],
    node: str | None,
    window: int | None,
    no_confirm: bool,
    why: str,
    allow_lockout: bool,
    format_: str,
    netns: str,
    state_dir: str,
    strict: bool,
    color: str,
) -> None:
    """Make this gateway enforce a policy, or do what `segc plan --out` saved.

    Only what differs is touched, and all of it or nothing. Exit code 4: the guard refused, because
    somebody would be locked out; 5: something failed, and all has been put back; 6: the plan is
    stale, or another command is at work here or waits for its confirmation.
    """
    window = window_of(window, no_confirm)
    plan = _saved(paths)
    if plan and node is not None:
        raise click.UsageError("`--node` is for a policy: a saved plan is for the gateway it was made for")
    if plan is None:
        _keep_apart(paths or (".",), state_dir)
    made = None if plan else _made(paths, strict, color)
    with at_work(netns, state_dir) as state:
        told, wanted = _planned(state, plan, netns, why) if plan else _compiled(state, made, node, why)
        outcome = carry_out(state, told, wanted, window, netns, allow_lockout, color)
    print_outcome(outcome, format_)


def _saved(paths: tuple[str, ...]) -> Plan | None:
    """The plan that `segc plan --out` saved, if that is what is to be applied."""
    plans = [each for each in paths if each.endswith(".json") and Path(each).name != SNAPSHOT]
    if plans and len(paths) > 1:
        raise click.UsageError(f"`{shown(plans[0])}` is a saved plan, which holds its policy: apply it alone")
    if not plans:
        return None
    from segc.plan.saved import read_plan

    text = given(paths[0])
    try:
        return read_plan(text)
    except ValueError as error:
        raise click.ClickException(f"`{paths[0]}` cannot be applied: {error}") from None


def _keep_apart(paths: tuple[str, ...], state_dir: str) -> None:
    """UsageError where the texts that a generation keeps would be read as policy from then on."""
    state = Path(os.path.realpath(state_dir))
    for folder in filter(is_folder, paths):
        top = Path(os.path.realpath(folder))
        if state.is_relative_to(top) and not any(s.startswith(".") for s in state.relative_to(top).parts):
            where = f"`{shown(state_dir)}` lies in the folder `{shown(folder)}` of the policy"
            raise click.UsageError(f"{where}, which would be read with it: name another for `--state-dir`")


def _planned(state: State, plan: Plan, netns: str, why: str) -> tuple[Told, Wanted]:
    """What was planned, if this host is still as it was then; StaleError if not."""
    from segc.apply.errors import ApplyError, StaleError
    from segc.apply.work import Wanted
    from segc.cli.former import former_host
    from segc.plan.rebuilt import rebuilt

    if plan.against.kind != "live":
        raise ApplyError(
            f"the plan compares with `{plan.against.name}`, not with a host: plan again without `--against`"
        )
    try:
        told, node, artifacts = rebuilt(plan)
    except ValueError as error:
        raise ApplyError(f"the plan cannot be applied: {error}; nothing was changed") from None
    if former_host(netns, state, node, artifacts).state != plan.state:
        raise StaleError("this host has changed since the plan was made: plan again; nothing was changed")
    return told, Wanted(node, plan.policy, dict(plan.sources), artifacts, why)


def _made(paths: tuple[str, ...], strict: bool, color: str) -> tuple[Reading, Policy, Build]:
    with progress() as tell:
        reading = read(paths, tell)
        report, built = reading.report, None
        if reading.policy is not None and not failed(report, strict):
            built = build(reading.policy, reading.workspace.files, reading.workspace.memo, tell)
            report = reading.with_more(built.diagnostics)
    show(brief(report), color)
    if built is None or reading.policy is None or failed(report, strict):
        sys.exit(1)
    return reading, reading.policy, built


def window_of(asked: int | None, no_confirm: bool) -> int | None:
    """Seconds to confirm in: those asked for, or by default some where somebody types from afar."""
    from segc.apply.login import login

    if asked is not None and no_confirm:
        raise click.UsageError("`--confirm` and `--no-confirm` exclude each other")
    if asked is not None or no_confirm:
        return asked
    return REMOTE if sys.stdin.isatty() and login() is not None else None


def _compiled(
    state: State, made: tuple[Reading, Policy, Build] | None, node: str | None, why: str
) -> tuple[Told, Wanted]:
    from segc.apply.work import Wanted

    assert made is not None
    reading, policy, built = made
    gateways = {name: files for name, files in by_node(built.artifacts).items() if "ruleset.nft" in files}
    chosen = this_node(gateways, node, state)
    sources = [source for source, _ in reading.workspace.files]
    names = relative(sources)
    texts = {names[source.path]: source.text for source in sources}
    told = Told(policy, reading.workspace.sources)
    return told, Wanted(chosen, digest(sources), texts, gateways[chosen], why)


def this_node(gateways: Mapping[str, object], asked: str | None, state: State) -> str:
    """The gateway that this host is: the one asked for, or the only one, or the former, or our namesake."""
    listed = ", ".join(f"`{name}`" for name in sorted(gateways))
    if asked is not None:
        if asked not in gateways:
            raise click.UsageError(f"no gateway is called `{asked}`: there is {listed or 'none'}")
        return asked
    current = state.intact("current")
    likely = [current.meta.node] if current else []
    likely.append(socket.gethostname().partition(".")[0])
    if len(gateways) == 1:
        likely.append(next(iter(gateways)))
    for name in likely:
        if name in gateways:
            return name
    raise click.UsageError(f"which gateway is this host? Say it with `--node`, one of {listed}")
