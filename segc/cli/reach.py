"""`segc reach`."""

from __future__ import annotations

import sys

import click

from segc.analysis.reach.matrix import Matrix
from segc.cli import options
from segc.cli.asking import SIDES, asked, put
from segc.cli.findings import show
from segc.cli.matrix import matrix_document
from segc.cli.progress import progress
from segc.cli.reached import chains_document, grants_document
from segc.cli.reading import read
from segc.cli.terminal import emit, say, width


@click.command("reach")
@click.argument("words", nargs=-1, metavar="[PATH] [from END] [to END]")
@click.option("--any", "any_hops", is_flag=True, help="Through any chain of allowed hops, not only directly.")
@click.option(
    "--service", "services", multiple=True, metavar="NAME", help="Only by this service; repeatable."
)
@click.option("--format", "format_", type=click.Choice(["text", "json", "csv"]), default="text")
@options.color
def command(
    words: tuple[str, ...],
    any_hops: bool,
    services: tuple[str, ...],
    format_: str,
    color: str,
) -> None:
    """Tell who reaches what: all zones and groups as a matrix, or one end.

    `segc reach office/ to finance.erp` lists who can reach it, `segc reach office/ from vendor` what
    vendors can reach, and with both it says how one reaches the other. An END is what the ends of
    flows are: a zone, `zone.host`, a set, `tag NAME`, an address, `group NAME`, `user NAME`, each
    with `in ZONE`, or `gateway NAME`. Everything that somebody may do at some time is listed, with
    its conditions and with the statement that allows it; what denies take is left out.
    """
    path, *rest = words if words and words[0] not in SIDES else (".", *words)
    question = asked(rest, services)
    if question is None and (any_hops or services):
        raise click.UsageError("`--any` and `--service` need a question: add `from END` or `to END`")
    with progress() as tell:
        reading = read([path], tell, checks=False)
        if reading.policy is None or reading.report.errors:
            document = None
        else:
            tell("surveying")
            sources = {each.path: each for each in reading.workspace.sources}
            if question is None:
                document = matrix_document(Matrix(reading.policy), sources, format_, width())
            else:
                context, traffic = put(question, reading.policy, reading.workspace, across_families=any_hops)
                answer = chains_document if any_hops else grants_document
                document = answer(question, traffic, context, sources, format_)
    if document is None:
        show(reading.report, color)
        sys.exit(1)
    (say if format_ == "text" else emit)(document)
