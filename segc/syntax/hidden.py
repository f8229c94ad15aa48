"""Characters that show people another text than the one that is compiled (Trojan Source, CVE-2021-42574)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import name

from segc.diagnostics.accept import TOKEN
from segc.diagnostics.model import Diagnostic, finding
from segc.source import SourceFile

_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_HIDDEN = re.compile(rf"[{_TURNING}\x85\u2028\u2029]|\r(?![\r\n]|\Z)")
_CONTROLS = {"\r": "carriage return", "\x85": "next line"}


def check_hidden(source: SourceFile) -> Iterator[Diagnostic]:
    """`SEG007` for the first such character of each line in a string or comment; elsewhere it is `SEG001`."""
    text, at = source.text, 0
    if text.isascii() and "\r" not in text:
        return
    while match := _HIDDEN.search(text, at):
        start = text.rfind("\n", 0, match.start()) + 1
        at = text.find("\n", match.start())
        at = len(text) if at == -1 else at
        yield from _in_line(source, start, at)


def _in_line(source: SourceFile, start: int, end: int) -> Iterator[Diagnostic]:
    tokens = TOKEN.finditer(source.text, start, end)
    found = [(each[0], m.start()) for each in tokens for m in _HIDDEN.finditer(source.text, *each.span())]
    for token, at in found[:1]:
        char = source.text[at]
        more = f"{len(found) - 1} more such characters follow on this line"
        yield finding(
            "SEG007",
            f"this {'comment' if token[0] == '#' else 'string'} holds U+{ord(char):04X} "
            f"({name(char, _CONTROLS.get(char, '')).lower()}), "
            "which can show people another text than segc reads",
            source.span(at, at + 1),
            "turns the reading direction" if char in _TURNING else "looks like the end of a line",
            notes=(more,) if len(found) > 1 else (),
            help="delete it, or accept the finding where a script written from right to left needs it",
        )
