"""`segc compile`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from segc import manifest
from segc.backends.artifact import Artifact
from segc.cli import options
from segc.cli.findings import brief, counted, failed, show
from segc.cli.folder import RefusedError, replace_folder
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.terminal import emit, say
from segc.compile import build
from segc.diagnostics.json_format import render_json, scalars
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Report
from segc.space.words import system_reason

NOT_PROVED = "not proved again, as most files were compiled before: `--prove` does it\n"
Nodes = dict[str, dict[str, str]]  # text by file name by node


@click.command("compile")
@options.paths
@click.option("-o", "--output", metavar="DIR", help="Where to write (required); - prints one node's ruleset.")
@click.option(
    "--node", "--gateway", metavar="NAME", help="With `-o -`: the gateway whose ruleset is printed."
)
@click.option(
    "--prove/--no-prove",
    default=None,
    help="Read every ruleset back and prove that it says what the policy says, or do not. Without this, it "
    "is done unless there are over 1000 flows, most of them compiled before; what `segc apply` loads is "
    "always proved.",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
@options.strict
@options.color
def command(
    paths: tuple[str, ...],
    output: str | None,
    node: str | None,
    prove: bool | None,
    format_: str,
    strict: bool,
    color: str,
) -> None:
    """Write what every gateway and switch needs to enforce a policy.

    DIR gets a folder for each of them and holds nothing else: a former build is replaced as a
    whole, or, if anything goes wrong, not at all. A folder that segc did not write is left alone.
    """
    if output is None:
        raise click.UsageError("where to? `-o build` writes into the folder `build`, `-o -` prints a ruleset")
    with progress() as tell:
        reading = read(paths, tell)
        report = reading.report
        artifacts: tuple[Artifact, ...] = ()
        skipped = False
        if reading.policy is not None and not failed(report, strict):
            built = build(reading.policy, reading.workspace.files, reading.workspace.memo, tell, prove)
            artifacts, report = built.artifacts, reading.with_more(built.diagnostics)
            skipped = prove is None and not built.proved
    if node is not None and output != "-":
        raise click.UsageError("`--node` goes with `-o -`, which prints one ruleset")
    ends_here = failed(report, strict)
    if format_ == "text" or output == "-":
        show(brief(report), color)
    if not ends_here and output == "-":
        emit(_ruleset(artifacts, node))
    elif not ends_here:
        _write(output, artifacts)
    if output != "-":
        nodes = {} if ends_here else _by_node(artifacts)
        if format_ == "json":
            emit(_json(output, nodes, report))
        else:
            say(_table(output, nodes) + NOT_PROVED * (skipped and not ends_here))
    sys.exit(1 if ends_here else 0)


def _by_node(artifacts: tuple[Artifact, ...]) -> Nodes:
    found: Nodes = {}
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
    try:
        replace_folder(output, _by_node(artifacts))
    except RefusedError as error:
        raise click.ClickException(printable(str(error))) from None
    except OSError as error:
        words = f"`{output}` cannot be written: {system_reason(error)}; nothing there has changed"
        raise click.ClickException(printable(words)) from None


def _table(output: str, nodes: Nodes) -> str:
    """A line a node: its name, where its files are, and which; those of a folder as their number."""
    rows = [(name, printable(str(Path(output) / name)), _summed(files)) for name, files in nodes.items()]
    pads = [max((len(row[n]) for row in rows), default=0) for n in (0, 1)]
    return "".join(f"{name:<{pads[0]}}  {where:<{pads[1]}}  {files}\n" for name, where, files in rows)


def _summed(files: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for name in files:
        folder, slash, _ = name.partition("/")
        counts[folder + slash] = counts.get(folder + slash, 0) + 1
    counts.pop(manifest.FILE, None)
    return ", ".join(
        f"{name} ({counted(number, 'file')})" if name.endswith("/") else name
        for name, number in counts.items()
    )


def _json(output: str, nodes: Nodes, report: Report) -> str:
    """See `segc/schemas/compile.schema.json`."""
    written = [
        {"name": name, "folder": scalars(str(Path(output) / name)), "files": sorted(files)}
        for name, files in nodes.items()
    ]
    return json.dumps({"nodes": written, **json.loads(render_json(report))}, indent=2) + "\n"
