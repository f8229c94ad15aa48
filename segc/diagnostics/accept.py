"""Acceptances: `# segc: accept SEG402 -- why it is right here`.

One stands at the end of the line where a finding begins, or on a comment line of its own directly above.
It takes warnings, notes and the errors of 3xx and 4xx away. Errors in what is written, in names and
addresses, and what a target cannot express cannot be accepted: no policy is left without them put right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from segc.diagnostics.codes import RULES
from segc.diagnostics.model import Diagnostic, Report, finding
from segc.diagnostics.suggest import Guesses
from segc.source import SourceFile, Span

MARK = "segc:"
IN_COMMENTS = frozenset({"SEG007"})
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|#.*')
FORM = re.compile(r"accept\s+(?P<codes>[^\s,]+(?:\s*,\s*[^\s,]+)*)\s+--\s*(?P<reason>\S.*)")
EXAMPLE = "`# segc: accept SEG301 -- why it is right here`"


class Acceptance(NamedTuple):
    """One code accepted for findings that begin on `line` of the file."""

    code: str
    line: int
    span: Span
    reason: str


class Comment(NamedTuple):
    """A comment that begins with `segc:`; `text` is what follows that, from character `start` of the file."""

    line: int
    alone: bool
    start: int
    text: str


Below = dict[str, dict[int, int]]  # the line that the comment of a line speaks of, by path


def acceptances(source: SourceFile) -> Iterator[Acceptance]:
    """Those of a file that are well formed, whether or not there is what they accept."""
    found = _acceptances(source, Guesses(), {})
    return (each for each in found if isinstance(each, Acceptance))


def apply_acceptances(report: Report) -> Report:
    """The report without what was accepted; `SEG004` tells of idle acceptances, `SEG005` of malformed ones.

    Where an error remains that stops later passes (0xx-2xx), those have not said what they would find, and no
    acceptance is called idle.
    """
    accepted: dict[tuple[str, int, str], Acceptance] = {}
    malformed: list[Diagnostic] = []
    guesses = Guesses()
    below: Below = {source.path: {} for source in report.sources}
    for source in report.sources:
        for result in _acceptances(source, guesses, below[source.path]):
            if isinstance(result, Diagnostic):
                malformed.append(result)
            else:
                accepted.setdefault((source.path, result.line, result.code), result)
    if not accepted and not malformed:
        return report
    sources = {source.path: source for source in report.sources}
    keys = {id(diagnostic): _key(diagnostic, sources, below) for diagnostic in report.diagnostics}
    kept = [diagnostic for diagnostic in report.diagnostics if keys[id(diagnostic)] not in accepted]
    used = set(keys.values())
    stopped = any(RULES[d.code].severity == "error" and not _acceptable(d.code) for d in kept)
    idle = () if stopped else (_idle(a) for key, a in accepted.items() if key not in used)
    return replace(report, diagnostics=(*kept, *malformed, *idle)).sorted()


def _key(
    diagnostic: Diagnostic, sources: Mapping[str, SourceFile], below: Below
) -> tuple[str, int, str] | None:
    """What accepts it; one in a comment of its own counts as one of the line below, as acceptances do."""
    if diagnostic.primary is None:
        return None
    path, start, _, line = diagnostic.primary.span
    if diagnostic.code in IN_COMMENTS and path in sources:
        text, column = sources[path].line_text(line), sources[path].position(start)[1]
        if MARK in text[: column - 1]:
            return None  # an acceptance does not speak for itself
        line = _below(sources[path], line, below[path]) if text.lstrip().startswith("#") else line
    return path, line, diagnostic.code


def _acceptable(code: str) -> bool:
    return code[3] in "34" or (code != "SEG004" and RULES[code].severity != "error")


def _acceptances(
    source: SourceFile, guesses: Guesses, below: dict[int, int]
) -> Iterator[Acceptance | Diagnostic]:
    for comment in _comments(source):
        form = FORM.fullmatch(comment.text.strip())
        if form is None:
            yield _malformed(source, comment)
            continue
        line = _below(source, comment.line, below) if comment.alone else comment.line
        lead = comment.start + len(comment.text) - len(comment.text.lstrip()) + form.start("codes")
        for code in re.finditer(r"[^\s,]+", form["codes"]):
            span = source.span(lead + code.start(), lead + code.end())
            yield _refused(code[0], span, guesses) or Acceptance(code[0], line, span, form["reason"])


def _comments(source: SourceFile) -> Iterator[Comment]:
    """Only lines with the mark are looked at; strings do not reach past their line."""
    at = source.text.find(MARK)
    while at != -1:
        number, _ = source.position(at)
        line, start = source.line_text(number), source.line_starts[number - 1]
        comment = next((token for token in TOKEN.finditer(line) if token[0].startswith("#")), None)
        if comment and comment[0][1:].lstrip().startswith(MARK):
            after = line.index(MARK, comment.start()) + len(MARK)
            yield Comment(number, not line[: comment.start()].strip(), start + after, line[after:])
        at = source.text.find(MARK, start + len(line))


def _below(source: SourceFile, comment: int, known: dict[int, int]) -> int:
    """The next line that is not a comment of its own: acceptances may be stacked. Asked of one of them, it
    is `known` of those between."""
    line, last = comment + 1, len(source.line_starts)
    while line not in known and line <= last and source.line_text(line).lstrip().startswith("#"):
        line += 1
    found = known.get(line, line)
    known.update(dict.fromkeys(range(comment, line), found))
    return found


def _malformed(source: SourceFile, comment: Comment) -> Diagnostic:
    span = source.span(comment.start - len(MARK), comment.start + len(comment.text.rstrip()))
    if re.fullmatch(r"\s*accept\s+SEG\d+(\s*,\s*SEG\d+)*(\s+--)?\s*", comment.text):
        return finding("SEG005", "this acceptance gives no reason", span, help=f"write {EXAMPLE}")
    message = "a comment that begins with `segc:` is an acceptance, and this is not one"
    return finding("SEG005", message, span, help=f"write {EXAMPLE}")


def _refused(code: str, span: Span, guesses: Guesses) -> Diagnostic | None:
    if code not in RULES:
        near = guesses.near("code", code, RULES)
        return finding(
            "SEG005", f"there is no code `{code}`", span, "not a code", help=near or f"write {EXAMPLE}"
        )
    if not _acceptable(code):
        help = "correct what it complains of, and delete the acceptance"
        return finding("SEG005", f"`{code}` ({RULES[code].name}) cannot be accepted", span, help=help)
    return None


def _idle(acceptance: Acceptance) -> Diagnostic:
    name = RULES[acceptance.code].name
    return finding(
        "SEG004",
        f"nothing here is `{acceptance.code}` ({name}) any more",
        acceptance.span,
        f"no such finding begins on line {acceptance.line}",
        help="delete the acceptance, or put it on the line where the finding begins",
    )
