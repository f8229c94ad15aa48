"""Findings as SARIF 2.1.0 (OASIS), for code scanning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from segc import __version__
from segc.diagnostics.codes import RULES
from segc.diagnostics.explain import explanation, lead
from segc.diagnostics.json_format import region, scalars
from segc.diagnostics.model import Diagnostic, Label, Report
from segc.source import SourceFile, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_sarif(report: Report) -> str:
    """One run with the findings and the rules they come from; ASCII only, ending in a newline."""
    sources = {source.path: source for source in report.sources}
    codes = sorted({diagnostic.code for diagnostic in report.diagnostics})
    driver = {"name": "segc", "version": __version__, "rules": [_rule(code) for code in codes]}
    results = [_result(d, codes.index(d.code), sources) for d in report.diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _rule(code: str) -> dict[str, object]:
    name, severity = RULES[code]
    rule: dict[str, object] = {
        "id": code,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": name.replace("-", " ")},
        "defaultConfiguration": {"level": severity},
    }
    page = explanation(code)
    if page is not None:
        rule["fullDescription"] = {"text": lead(code)}
        rule["help"] = {"text": page, "markdown": page}
    return rule


def _result(diagnostic: Diagnostic, rule: int, sources: Mapping[str, SourceFile]) -> dict[str, object]:
    help = [f"help: {diagnostic.help}"] if diagnostic.help else []
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity.value,
        "message": _message("\n".join([diagnostic.message, *diagnostic.notes, *help])),
    }
    if diagnostic.primary is not None:
        result["locations"] = [_location(diagnostic.primary, sources)]
    if diagnostic.secondary:
        related = enumerate(diagnostic.secondary, 1)
        result["relatedLocations"] = [{"id": i, **_location(label, sources)} for i, label in related]
    return result


def _location(label: Label, sources: Mapping[str, SourceFile]) -> dict[str, object]:
    physical = {"artifactLocation": {"uri": _uri(label.span.path)}, "region": _region(label.span, sources)}
    message = {"message": _message(label.text)} if label.text else {}
    return {"physicalLocation": physical, **message}


def _region(span: Span, sources: Mapping[str, SourceFile]) -> dict[str, int]:
    line, column, end_line, end_column = region(span, sources)
    if column is None or end_line is None or end_column is None:
        return {"startLine": line}
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _message(text: str) -> dict[str, str]:
    """Brackets are escaped where they would read as a link (SARIF 3.11.6)."""
    text = scalars(text)
    return {"text": text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text}


def _uri(path: str) -> str:
    """A relative reference (or `file:` for an absolute path), the bytes of the name percent-encoded."""
    raw = path.encode("utf-8", "surrogateescape" if _decodes(path) else "replace")
    return ("file://" if path.startswith("/") else "") + quote(raw, safe="/")


def _decodes(path: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in path)
