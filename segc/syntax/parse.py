"""Text to tree, with every syntax error of the file at once."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import Any

from lark.exceptions import UnexpectedInput

from segc.diagnostics.model import Diagnostic
from segc.identity import snapshot
from segc.source import SourceFile
from segc.syntax import grammar
from segc.syntax.build import Builder
from segc.syntax.errors import describe
from segc.syntax.recover import error_start, resume
from segc.syntax.tree import File

MAX_ERRORS = 100
_ONE_AT_A_TIME = Lock()


@cache
def _parser() -> tuple[Any, Builder]:
    builder = Builder()
    return grammar.lark(builder), builder


def parse(source: SourceFile) -> tuple[File, tuple[Diagnostic, ...]]:
    """The tree of a file and its syntax errors (SEG001), the first 100 of them.

    A statement with an error is missing from the tree, or the item of a block that has it.
    A byte order mark and carriage returns are white space. Never raises, whatever the text.
    A file called `identities.lock.json` is one statement, the snapshot of the directories (SEG112).
    """
    if posixpath.basename(source.path) == snapshot.FILE:
        found, wrong = snapshot.read_snapshot(source)
        return File((found,) if found else ()), wrong
    lark, builder = _parser()
    with _ONE_AT_A_TIME:
        builder.path = source.path
        return _run(lark.parse_interactive(_without_mark(source.text)), source)


def _without_mark(text: str) -> str:
    """The text with a blank for its byte order mark, so that offsets stay."""
    return " " + text[1:] if text.startswith("\ufeff") else text


def _run(parser: Any, source: SourceFile) -> tuple[File, tuple[Diagnostic, ...]]:
    errors: list[Diagnostic] = []
    while True:
        try:
            return parser.resume_parse(), tuple(errors)
        except UnexpectedInput as error:
            if len(errors) == MAX_ERRORS:
                note = f"reading stopped here: only the first {MAX_ERRORS} errors of a file are shown"
                return File(()), (*errors[:-1], replace(errors[-1], notes=(note,)))
            state = parser.parser_state
            at = error_start(state, source.text, _offset(error, source))
            errors.append(describe(source, at, state))
            _move(parser.lexer_thread.state.line_ctr, source, resume(state, source.text, at))


def _offset(error: Any, source: SourceFile) -> int:
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        return len(source.text)
    return int(error.pos_in_stream)


def _move(counter: Any, source: SourceFile, offset: int) -> None:
    line, column = source.position(offset)
    counter.char_pos, counter.line, counter.column = offset, line, column
    counter.line_start_pos = offset - column + 1
