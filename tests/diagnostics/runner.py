"""Broken policies with their findings written beside them.

    alow hr -> finance : web            #! SEG001 "alow" ~ "did you mean `allow`?"

A `#!` comment states, for findings whose underlined text starts on its line: the code, the underlined text,
and after `~` words that the message or the help must hold. It is taken out before the policy is read, so
it may stand anywhere, in an unterminated string too. Findings that no comment states fail the test, and so
do comments that no finding meets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

from segc.diagnostics.model import Diagnostic
from segc.source import SourceFile

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_COMMENT = re.compile(r"[ \t]*#!(.*)$", re.MULTILINE)
_EXPECTED = re.compile(rf"\s*(SEG\d\d\d) {_QUOTED}(?: ~ {_QUOTED})?")


@dataclass(frozen=True, slots=True)
class Expected:
    line: int
    code: str
    underlined: str
    says: str


def read(path: Path) -> tuple[SourceFile, tuple[Expected, ...]]:
    """The policy without its `#!` comments, under the file's name alone, and what they state."""
    expected: list[Expected] = []
    lines = path.read_bytes().decode("utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if comment := _COMMENT.search(line):
            expected += _statements(comment[1], number, path)
            lines[number - 1] = line[: comment.start()] + ("\r" if line.endswith("\r") else "")
    return SourceFile(path.name, "\n".join(lines)), tuple(expected)


def _statements(text: str, line: int, path: Path) -> Iterable[Expected]:
    rest = text.rstrip()
    while rest:
        match = _EXPECTED.match(rest)
        assert match, f"{path.name}:{line}: not an expectation: {rest}"
        yield Expected(line, match[1], _plain(match[2]), _plain(match[3] or ""))
        rest = rest[match.end() :]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def check(path: Path, diagnose: Callable[[SourceFile], Iterable[Diagnostic]]) -> None:
    """Assert that `diagnose` finds in the policy of `path` just what its comments state."""
    source, expected = read(path)
    assert expected, f"{path.name} expects nothing"
    found = sorted(diagnose(source), key=Diagnostic.sort_key)
    wanted = [f'{e.line}: {e.code} "{e.underlined}"' for e in expected]
    got = [_place(source, d) for d in found]
    assert wanted == got, "\n".join([path.name, *ndiff(wanted, got)])
    for statement, diagnostic in zip(expected, found, strict=True):
        said = f"{diagnostic.message}\n{diagnostic.help}"
        assert statement.says in said, f"{path.name}:{statement.line}: {said}"


def _place(source: SourceFile, diagnostic: Diagnostic) -> str:
    assert diagnostic.primary is not None, diagnostic.message
    span = diagnostic.primary.span
    return f'{span.line}: {diagnostic.code} "{source.text[span.start : span.end]}"'
