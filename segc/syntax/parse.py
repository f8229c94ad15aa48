"""Text to tree, with every syntax error of the file at once."""

from __future__ import annotations

from functools import cache
from typing import Any

from lark.exceptions import UnexpectedInput

from segc.diagnostics.model import Diagnostic, finding
from segc.source import SourceFile
from segc.syntax import grammar
from segc.syntax.build import Builder
from segc.syntax.tree import File


@cache
def _parser() -> tuple[Any, Builder]:
    builder = Builder()
    return grammar.lark(builder), builder


def parse(source: SourceFile) -> tuple[File, tuple[Diagnostic, ...]]:
    lark, builder = _parser()
    builder.path = source.path
    try:
        return lark.parse(source.text), ()
    except UnexpectedInput as error:
        at = error.pos_in_stream or 0
        return File(()), (finding("SEG001", "unexpected text", source.span(at, at + 1)),)
