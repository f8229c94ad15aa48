"""Findings as workflow commands, which GitHub Actions turns into annotations."""

from __future__ import annotations

from collections.abc import Mapping

from segc.diagnostics.json_format import region
from segc.diagnostics.measure import printable
from segc.diagnostics.model import Diagnostic, Report, Severity
from segc.source import SourceFile

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(report: Report) -> str:
    """A line such as `::error file=a.seg,line=1,col=1,endLine=1,endColumn=4,title=SEG301::…` a finding."""
    sources = {source.path: source for source in report.sources}
    return "".join(f"{_command(diagnostic, sources)}\n" for diagnostic in report.diagnostics)


def _command(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> str:
    properties = {**_place(diagnostic, sources), "title": diagnostic.code}
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    help = [f"help: {diagnostic.help}"] if diagnostic.help else []
    lines = [line for text in [diagnostic.message, *diagnostic.notes, *help] for line in text.split("\n")]
    return f"::{COMMANDS[diagnostic.severity]} {listed}::{_data(chr(10).join(map(printable, lines)))}"


def _place(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> dict[str, object]:
    """Columns only for a place of one line: the runner refuses them for others."""
    if diagnostic.primary is None:
        return {}
    span = diagnostic.primary.span
    line, column, end_line, end_column = region(span, sources)
    place = {"file": printable(span.path), "line": line, "col": column, "endLine": end_line}
    place["endColumn"] = end_column
    if line != end_line:
        place["col"] = place["endColumn"] = None
    return {key: value for key, value in place.items() if value is not None}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
