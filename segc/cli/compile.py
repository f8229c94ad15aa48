"""`segc compile`."""

from __future__ import annotations

import sys

import click

from segc.backends.artifact import Artifact
from segc.cli import options
from segc.cli.findings import failed, show
from segc.cli.folder import MANIFEST, RefusedError, replace_folder
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.terminal import emit, say
from segc.compile import build


@click.command("compile")
@options.paths
@click.option(
    "-o", "--output", required=True, metavar="DIR", help="Where to write; - prints one node's ruleset."
)
@click.option("--node", metavar="NAME", help="With `-o -`: the gateway whose ruleset is printed.")
@options.strict
@options.color
def command(paths: tuple[str, ...], output: str, node: str | None, strict: bool, color: str) -> None:
    """Write what every gateway and switch needs to enforce a policy.

    DIR gets a folder for each of them and holds nothing else: a former build is replaced as a
    whole, or, if anything goes wrong, not at all. A folder that segc did not write is left alone.
    """
    with progress() as tell:
        reading = read(paths, tell)
        report = reading.report
        artifacts: tuple[Artifact, ...] = ()
        if reading.policy is not None and not failed(report, strict):
            built = build(reading.policy, reading.workspace.files, tell)
            artifacts, report = built.artifacts, reading.with_more(built.diagnostics)
    show(report, color)
    if failed(report, strict):
        sys.exit(1)
    if output == "-":
        emit(_ruleset(artifacts, node))
    else:
        _write(output, artifacts)


def _by_node(artifacts: tuple[Artifact, ...]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for artifact in artifacts:
        found.setdefault(artifact.node, {})[artifact.name] = artifact.text
    return found


def _ruleset(artifacts: tuple[Artifact, ...], node: str | None) -> str:
    rulesets = {each.node: each.text for each in artifacts if each.name == "ruleset.nft"}
    listed = ", ".join(f"`{name}`" for name in sorted(rulesets))
    if node is None and len(rulesets) == 1:
        return next(iter(rulesets.values()))
    if node is None:
        raise click.UsageError(f"`-o -` prints one ruleset: name its gateway with `--node`, one of {listed}")
    if node not in rulesets:
        raise click.UsageError(f"no gateway is called `{node}`: there is {listed}")
    return rulesets[node]


def _write(output: str, artifacts: tuple[Artifact, ...]) -> None:
    nodes = _by_node(artifacts)
    try:
        replace_folder(output, nodes)
    except RefusedError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise click.ClickException(f"`{output}` cannot be written: {reason}; it is as it was") from None
    pad = max((len(name) for name in nodes), default=0)
    for name, files in nodes.items():
        listed = ", ".join(sorted(each for each in files if each != MANIFEST))
        say(f"{name:<{pad}}  {output.rstrip('/')}/{name}/  {listed}\n")
