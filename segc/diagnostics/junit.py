"""JUnit XML, which CI systems show as test results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from segc.diagnostics.codes import RULES
from segc.diagnostics.json_format import region
from segc.diagnostics.model import Diagnostic, Report, Severity

INVALID = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


class Case(NamedTuple):
    """A test case: it fails if it has a `failure` (what went wrong), else it passes.

    `group` is where it belongs (a file, say), `kind` the sort of failure, `output` what else it has to tell.
    """

    name: str
    group: str
    failure: str = ""
    kind: str = "failure"
    output: str = ""


def render_junit(report: Report, strict: bool = False) -> str:
    """A test case a finding: errors fail, others pass and tell (with `strict`, warnings fail, too).

    A report without findings is one case that passes.
    """
    sources = {source.path: source for source in report.sources}
    cases = []
    for diagnostic in report.diagnostics:
        path, where = "", ""
        if diagnostic.primary is not None:
            path = diagnostic.primary.span.path
            line, column, *_ = region(diagnostic.primary.span, sources)
            where = f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
        cases.append(_case(diagnostic, path, where, strict))
    return render_junit_cases("segc check", cases or [Case("no findings", "segc")])


def _case(diagnostic: Diagnostic, path: str, where: str, strict: bool) -> Case:
    name = f"{diagnostic.code} {RULES[diagnostic.code].name} {where}".rstrip()
    help = [f"help: {diagnostic.help}"] if diagnostic.help else []
    text = "\n".join([diagnostic.message, *diagnostic.notes, *help])
    fails = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if diagnostic.severity in fails:
        return Case(name, path or "segc", failure=text, kind=diagnostic.code)
    return Case(name, path or "segc", output=f"{diagnostic.severity.value}: {text}")


def render_junit_cases(name: str, cases: Iterable[Case]) -> str:
    """A document with one suite called `name`; characters that XML cannot hold are left out."""
    listed = list(cases)
    root = ElementTree.Element("testsuites", _counts(listed))
    suite = ElementTree.SubElement(root, "testsuite", {"name": _valid(name), **_counts(listed)})
    for case in listed:
        names = {"name": _valid(case.name), "classname": _valid(case.group)}
        element = ElementTree.SubElement(suite, "testcase", names)
        if case.failure:
            first = _valid(case.failure).split("\n", 1)[0]
            failure = ElementTree.SubElement(
                element, "failure", {"message": first, "type": _valid(case.kind)}
            )
            failure.text = _valid(case.failure)
        if case.output:
            ElementTree.SubElement(element, "system-out").text = _valid(case.output)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    failures = sum(bool(case.failure) for case in cases)
    return {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "skipped": "0"}


def _valid(text: str) -> str:
    return INVALID.sub("", text)
