"""`segc test`."""

from __future__ import annotations

import json
import sys
import time

import click

from segc.analysis.expectations import Outcome, failure, run_tests
from segc.cli import options
from segc.cli.findings import counted, show
from segc.cli.progress import progress
from segc.cli.reading import read
from segc.cli.terminal import can_show, colored, emit, say, width
from segc.diagnostics.json_format import render_json, scalars
from segc.diagnostics.junit import Case, render_junit_cases
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Report
from segc.diagnostics.text import render_text
from segc.policy.model import Test
from segc.source import SourceFile

GREEN, RED, RESET = "\x1b[32m", "\x1b[1;31m", "\x1b[0m"
Results = list[tuple[Test, list[Outcome]]]  # with the lines of each that fail


@click.command("test")
@options.paths
@click.option("--format", "format_", type=click.Choice(["text", "json", "junit"]), default="text")
@options.color
def command(paths: tuple[str, ...], format_: str, color: str) -> None:
    """Run the `test` blocks of a policy.

    Each line of a block states the verdict that all of its packets must get, and every one of
    them is decided, not a few tried. The exit code is 1 if a test fails.
    """
    started = time.monotonic()
    with progress() as tell:
        reading = read(paths, tell, checks=False)
        if reading.policy is None or reading.report.errors:
            results = None
        else:
            tell("testing")
            failed: dict[Test, list[Outcome]] = {test: [] for test in reading.policy.tests}
            for outcome in run_tests(reading.policy):
                failed[outcome.test] += [outcome] if outcome.wrong else []
            results = list(failed.items())
    if results is None:
        show(reading.report, color)
        sys.exit(1)
    sources = reading.workspace.sources
    if format_ == "text":
        _print(results, sources, color, time.monotonic() - started)
    else:
        emit(_junit(results) if format_ == "junit" else _json(results, sources))
    sys.exit(1 if any(failed for _, failed in results) else 0)


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
    report = Report(tuple(failure(line) for _, failed in results for line in failed), sources)
    if report.diagnostics:
        say("\n" + render_text(report, painted, width()))
    wrong = sum(bool(failed) for _, failed in results)
    say(f"\n{counted(len(results), 'test')}, {wrong or 'none'} failed · {seconds:.1f} s\n")


def _junit(results: Results) -> str:
    cases = []
    for test, failed in results:
        found = [failure(line) for line in failed]
        texts = [f"{each.primary.span.place}: {each.message}" for each in found if each.primary]
        notes = ["\n".join(each.notes) for each in found]
        text = "\n".join(line for pair in zip(texts, notes, strict=True) for line in pair)
        cases.append(Case(test.title, test.span.path, failure=text, kind="SEG303"))
    return render_junit_cases("segc test", cases)


def _json(results: Results, sources: tuple[SourceFile, ...]) -> str:
    """See `segc/schemas/test.schema.json`."""
    tests = [
        {
            "title": scalars(test.title),
            "file": scalars(test.span.path),
            "line": test.span.line,
            "passed": not failed,
            **json.loads(render_json(Report(tuple(map(failure, failed)), sources))),
        }
        for test, failed in results
    ]
    counts = {"passed": sum(not failed for _, failed in results), "failed": sum(bool(f) for _, f in results)}
    return json.dumps({**counts, "tests": tests}, indent=2) + "\n"
