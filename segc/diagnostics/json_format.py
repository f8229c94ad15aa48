"""Findings for programs; `segc/schemas/diagnostics.schema.json` describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from segc.diagnostics.codes import RULES
from segc.diagnostics.model import Diagnostic, Label, Report
from segc.source import SourceFile, Span

NOTHING: Mapping[str, object] = {}


class Region(NamedTuple):
    """Where a span stands: 1-based, columns in characters, `end_column` one past the last character.

    All but `line` are None where the text of the file is not at hand.
    """

    line: int
    column: int | None
    end_line: int | None
    end_column: int | None


def region(span: Span, sources: Mapping[str, SourceFile]) -> Region:
    source = sources.get(span.path)
    if source is None:
        return Region(max(span.line, 1), None, None, None)
    start = min(max(span.start, 0), len(source.text))
    end = min(max(span.end, start), len(source.text))
    return Region(*source.position(start), *source.position(end))


def scalars(text: str) -> str:
    """`text` without lone surrogates (from undecodable file names), which no UTF-8 document can hold."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def render_json(report: Report, more: Mapping[str, object] = NOTHING) -> str:
    """`{"diagnostics": […], …}`, a finding a line, ASCII only; places unknown are null."""
    sources = {source.path: source for source in report.sources}
    entries = (json.dumps(_entry(diagnostic, sources)) for diagnostic in report.diagnostics)
    beside = "".join(f",\n{json.dumps(key)}: {json.dumps(value)}" for key, value in more.items())
    return '{"diagnostics": [\n' + ",\n".join(entries) + f"\n]{beside}}}\n"


def _entry(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "name": RULES[diagnostic.code].name,
        "severity": diagnostic.severity.value,
        "message": scalars(diagnostic.message),
        **_place(diagnostic.primary, sources),
        "label": scalars(diagnostic.primary.text) if diagnostic.primary else "",
        "help": scalars(diagnostic.help),
        "notes": [scalars(note) for note in diagnostic.notes],
        "related": [
            {"message": scalars(label.text), **_place(label, sources)} for label in diagnostic.secondary
        ],
    }


def _place(label: Label | None, sources: Mapping[str, SourceFile]) -> dict[str, object]:
    if label is None:
        return dict.fromkeys(("file", *Region._fields))
    return {"file": scalars(label.span.path), **region(label.span, sources)._asdict()}
