"""Findings in the format that was asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace

from segc.cli.reading import Reading
from segc.cli.terminal import colored, complain, emit, say, width
from segc.diagnostics.model import Report, Severity
from segc.diagnostics.text import render_text, summary

NOTHING: Mapping[str, object] = {}
FORMATS = ("text", "json", "sarif", "github", "junit")


def failed(report: Report, strict: bool) -> bool:
    return bool(report.errors or (strict and report.warnings))


def brief(report: Report) -> Report:
    """The report without notes on the policy itself. What a target leaves out (`SEG5xx`) is always said."""
    kept = (d for d in report.diagnostics if d.severity is not Severity.NOTE or d.code >= "SEG5")
    return replace(report, diagnostics=tuple(kept))


def show(report: Report, color: str) -> None:
    """Findings on standard error, for commands that have something else to print."""
    if report.diagnostics:
        complain(render_text(report, colored(color, sys.stderr), width()) + f"\n{summary(report)}\n")


def print_report(
    report: Report, format: str, color: str, strict: bool, more: Mapping[str, object] = NOTHING
) -> None:
    """Findings on standard output; a JSON document of them holds `more` beside."""
    if format == "text":
        say(render_text(report, colored(color, sys.stdout), width()))
    else:
        emit(_document(report, format, strict, more))


def _document(report: Report, format: str, strict: bool, more: Mapping[str, object]) -> str:
    from segc.diagnostics.github import render_github
    from segc.diagnostics.json_format import render_json
    from segc.diagnostics.junit import render_junit
    from segc.diagnostics.sarif import render_sarif

    if format == "junit":
        return render_junit(report, strict)
    if format == "json":
        return render_json(report, more)
    return {"sarif": render_sarif, "github": render_github}[format](report)


def closing(report: Report, reading: Reading, started: float, strict: bool) -> str:
    """`2 findings (1 error, 1 warning) in 5 zones, 23 flows · 0.2 s`."""
    policy = reading.policy
    if policy is None:
        size = counted(len(reading.workspace.sources), "file")
    else:
        flows = sum(flow.kind == "flow" for flow in policy.flows)
        size = f"{counted(len(policy.zones), 'zone')}, {counted(flows, 'flow')}"
    stern = "; with --strict, warnings are errors" if strict and report.warnings else ""
    return f"{summary(report)} in {size} · {time.monotonic() - started:.1f} s{stern}"


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
