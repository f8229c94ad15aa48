"""Findings as data. A pass returns them beside its value; exceptions are for bugs and the kernel."""

from __future__ import annotations

import re
from dataclasses import field, replace
from enum import Enum

from segc.diagnostics.codes import RULES
from segc.frozen import frozen
from segc.source import SourceFile, Span

LONGEST = 60  # characters of a word; paths are told in full
_WORD = re.compile(rf"[^\s`/]{{{LONGEST + 1},}}")


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@frozen
class Label:
    """A place in the source with a few words about it."""

    span: Span
    text: str = ""


@frozen
class Diagnostic:
    """One finding.

    `message` is lower-case, one sentence, the user's text in backquotes. `primary` is the underlined
    place (None only where there is no text to point at, as for a missing file). `notes` are facts,
    such as a witness; `help` is the fix.
    """

    code: str
    message: str
    primary: Label | None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""

    @property
    def severity(self) -> Severity:
        return Severity(RULES[self.code].severity)

    def sort_key(self) -> tuple[str, int, int, str, str]:
        if self.primary is None:
            return ("", 0, 0, self.code, self.message)
        span = self.primary.span
        return (span.path, span.start, span.end, self.code, self.message)


def finding(
    code: str,
    message: str,
    span: Span | None,
    label: str = "",
    *,
    also: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    help: str = "",
) -> Diagnostic:
    """A diagnostic in one call: `span` is underlined with `label` behind it. Too long words are cut."""
    primary = None if span is None else Label(span, _cut(label))
    also = tuple(Label(each.span, _cut(each.text)) for each in also)
    return Diagnostic(code, _cut(message), primary, also, tuple(map(_cut, notes)), _cut(help))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else _WORD.sub(lambda match: f"{match[0][: LONGEST - 1]}…", text)


@frozen
class Report:
    """Every finding of a run with the files it speaks of, in source order and without repeats."""

    diagnostics: tuple[Diagnostic, ...] = ()
    sources: tuple[SourceFile, ...] = field(default=(), repr=False)

    @property
    def errors(self) -> int:
        return sum(d.severity is Severity.ERROR for d in self.diagnostics)

    @property
    def warnings(self) -> int:
        return sum(d.severity is Severity.WARNING for d in self.diagnostics)

    def source(self, path: str) -> SourceFile | None:
        return next((source for source in self.sources if source.path == path), None)

    def sorted(self) -> Report:
        unique = dict.fromkeys(self.diagnostics)
        return replace(self, diagnostics=tuple(sorted(unique, key=Diagnostic.sort_key)))
