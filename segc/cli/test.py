"""`segc test`."""

from __future__ import annotations

import json
import sys
import time
from itertools import chain

import click

from segc.analysis.adequacy import Adequacy, adequacy
from segc.analysis.expectations import failure, run_tests
from segc.analysis.promises import check_nevers, check_workflows
from segc.cli import options
from segc.cli.findings import counted, show
from segc.cli.mutation import as_cases, as_object
from segc.cli.mutation import as_text as mutation_text
from segc.cli.progress import progress
from segc.cli.reading import Reading, read
from segc.cli.terminal import can_show, colored, emit, say, width
from segc.diagnostics.json_format import render_json, scalars
from segc.diagnostics.junit import Case, render_junit_cases
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Diagnostic, Report
from segc.diagnostics.text import render_text
from segc.policy.model import Test
from segc.source import SourceFile

GREEN, RED, RESET = "\x1b[32m", "\x1b[1;31m", "\x1b[0m"
Results = list[tuple[Test, list[Diagnostic]]]  # with what is wrong with each


@click.command("test")
@options.paths
@click.option("--format", "format_", type=click.Choice(["text", "json", "junit"]), default="text")
@click.option(
    "--mutate",
    is_flag=True,
    help="List what could be deleted or widened without a test or promise noticing, with the missing tests.",
)
@click.option("--strict", is_flag=True, help="With --mutate, fail if nothing notices some change.")
@options.color
def command(paths: tuple[str, ...], format_: str, mutate: bool, strict: bool, color: str) -> None:
    """Run the `test` blocks of a policy.

    Each line of a block states the verdict that all of its packets must get, and every one of
    them is decided, not a few tried. The exit code is 1 if a test fails.

    With --mutate, each statement is deleted, and widened in every way: for any service, from and
    to the whole zone or anywhere, without each of its conditions. What no `test`, `never` or
    `workflow` notices is listed with a line that would.
    """
    if strict and not mutate:
        raise click.UsageError("`--strict` is for `--mutate`: tests that fail are errors anyway")
    started = time.monotonic()
    with progress() as tell:
        reading = read(paths, tell, checks=False)
        if reading.policy is None or reading.report.errors:
            results = None
        else:
            tell("testing")
            failed: dict[Test, list[Diagnostic]] = {test: [] for test in reading.policy.tests}
            for outcome in run_tests(reading.policy):
                failed[outcome.test] += [failure(outcome, reading.policy)] if outcome.wrong else []
            results = list(failed.items())
    if results is None:
        show(reading.report, color)
        sys.exit(1)
    failing = any(failed for _, failed in results)
    mutation = _mutation(reading, color) if mutate and not failing else None
    sources = reading.workspace.sources
    if format_ == "text":
        _print(results, sources, color, time.monotonic() - started)
        if mutation is not None:
            say(mutation_text(mutation, by_path(sources), time.monotonic() - started))
    elif format_ == "junit":
        emit(_junit(results, mutation, by_path(sources), strict))
    else:
        emit(_json(results, mutation, sources))
    sys.exit(1 if failing or (strict and mutation and mutation.missed) else 0)


def _mutation(reading: Reading, color: str) -> Adequacy:
    """Judges the tests of a policy in which all of them pass; its promises must hold as well."""
    policy = reading.policy
    assert policy is not None
    with progress("changing") as tell:
        broken = [*check_nevers(policy), *check_workflows(policy)]
        if not broken:
            return adequacy(policy, [file for _, file in reading.workspace.files], tell)
    show(reading.with_more(broken), color)
    sys.exit(1)


def by_path(sources: tuple[SourceFile, ...]) -> dict[str, SourceFile]:
    return {source.path: source for source in sources}


def _print(results: Results, sources: tuple[SourceFile, ...], color: str, seconds: float) -> None:
    if not results:
        say(
            'no tests in this policy: `test "title" { deny guests -> servers : any }` states what must hold\n'
        )
        return
    painted = colored(color, sys.stdout)
    ticks = ("✓", "✗") if can_show("✓✗", sys.stdout) else ("ok", "FAILED")
    for test, failed in results:
        tick = ticks[bool(failed)]
        if painted:
            tick = f"{RED if failed else GREEN}{tick}{RESET}"
        say(f"{tick} {printable(test.title)} ({counted(len(test.expectations), 'line')})\n")
    report = Report(tuple(chain.from_iterable(failed for _, failed in results)), sources)
    if report.diagnostics:
        say("\n" + render_text(report, painted, width()))
    wrong = sum(bool(failed) for _, failed in results)
    say(f"\n{counted(len(results), 'test')}, {wrong or 'none'} failed · {seconds:.1f} s\n")


def _junit(results: Results, mutation: Adequacy | None, sources: dict[str, SourceFile], strict: bool) -> str:
    cases = [*as_cases(mutation, sources, strict)] if mutation else []
    for test, found in results:
        texts = [f"{each.primary.span.place}: {each.message}" for each in found if each.primary]
        notes = ["\n".join(each.notes) for each in found]
        text = "\n".join(line for pair in zip(texts, notes, strict=True) for line in pair)
        cases.append(Case(test.title, test.span.path, failure=text, kind="SEG303"))
    return render_junit_cases("segc test", cases)


def _json(results: Results, mutation: Adequacy | None, sources: tuple[SourceFile, ...]) -> str:
    """See `segc/schemas/test.schema.json`."""
    tests = [
        {
            "title": scalars(test.title),
            "file": scalars(test.span.path),
            "line": test.span.line,
            "passed": not failed,
            **json.loads(render_json(Report(tuple(failed), sources))),
        }
        for test, failed in results
    ]
    counts = {"passed": sum(not failed for _, failed in results), "failed": sum(bool(f) for _, f in results)}
    more = {"mutation": as_object(mutation, by_path(sources))} if mutation else {}
    return json.dumps({**counts, "tests": tests, **more}, indent=2) + "\n"
