"""A file as its tokens, for the formatter: what the tree leaves out, and where layout may break."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

from lark import Token
from lark.exceptions import UnexpectedInput

from segc.diagnostics.accept import MARK
from segc.frozen import frozen
from segc.syntax import grammar

_ITEMS = frozenset(
    {"setting", "host", "fact", "step", "expectation", "interface", "gateway_address", "serve", "manage"}
    | {"publish", "port", "dot1x"}
)
_STATEMENTS = frozenset(
    {"import_", "timezone", "service", "zone", "set_", "group", "directory_group", "posture", "session"}
    | {
        "source",
        "directory",
        "revoke",
        "limits",
        "flow",
        "never",
        "never_services",
        "workflow",
        "test",
        "gateway",
        "switch",
    }
)
_OPTIONS = frozenset({"require", "when", "option", "facts_given"})
_GAP = re.compile(r"\n|#[^\n]*")


@frozen
class Comment:
    """`own_line` is false for one behind a token; `blank` tells of an empty line before it."""

    text: str
    own_line: bool
    blank: bool

    @property
    def acceptance(self) -> bool:
        return self.text[1:].lstrip().startswith(MARK)


@frozen
class Lexeme:
    """A token with what stands before it. The last one of a file has the type `$END` and no text."""

    type: str
    text: str
    start: int
    item: bool  # begins a statement or an item of a block
    option: bool  # begins an option, so a long line may break here
    comments: tuple[Comment, ...]
    blank: bool  # an empty line before the token itself
    newline: bool  # some line break before the token
    held: bool = False  # stays on the line of the token before: an acceptance speaks of that line


class _Starts:
    """A Lark transformer to which every production is worth the offset of its first token."""

    def __init__(self) -> None:
        self.item_starts: set[int] = set()
        self.option_starts: set[int] = set()

    def __getattr__(self, name: str) -> Callable[[list[Any]], int]:
        if not name.islower() or name.startswith("__"):
            raise AttributeError(name)
        into = [self.item_starts] * (name in _ITEMS | _STATEMENTS) + [self.option_starts] * (name in _OPTIONS)

        def first(children: list[Any]) -> int:
            child = children[0] if children else -1
            start = int((child.start_pos or 0) if isinstance(child, Token) else child)
            for offsets in into:
                offsets.add(start)
            return start

        return first


@cache
def _parser() -> tuple[Any, _Starts]:
    starts = _Starts()
    return grammar.lark(starts), starts


def lexemes(text: str) -> list[Lexeme]:
    """Raises ValueError if the text does not parse."""
    lark, starts = _parser()
    starts.item_starts.clear()
    starts.option_starts.clear()
    parser = lark.parse_interactive(text)
    try:
        tokens = list(parser.iter_parse())
        parser.feed_eof(tokens[-1] if tokens else None)
    except UnexpectedInput as error:
        raise ValueError("a text with syntax errors has no layout") from error
    found, end = [], 0
    for token in tokens:
        at = token.start_pos
        option = at in starts.option_starts or token.type == "AT"
        found.append(_lexeme(token.type, token.value, at, text[end:at], at in starts.item_starts, option))
        end = token.end_pos
    found.append(_lexeme("$END", "", len(text), text[end:], True, False))
    return _held(found)


def _held(found: list[Lexeme]) -> list[Lexeme]:
    """The tokens; those that follow others on a line with an acceptance behind or above it are marked."""
    last = len(found) - 1
    starts = [index for index, lexeme in enumerate(found) if lexeme.newline or index in (0, last)]
    for start, end in pairwise(starts):
        above = any(comment.acceptance for comment in found[start].comments if comment.own_line)
        behind = any(comment.acceptance for comment in found[end].comments if not comment.own_line)
        if above or behind:
            found[start + 1 : end] = [replace(lexeme, held=True) for lexeme in found[start + 1 : end]]
    return found


def _lexeme(type_: str, text: str, start: int, gap: str, item: bool, option: bool) -> Lexeme:
    comments: list[Comment] = []
    lines = 0
    for mark in _GAP.findall(gap):
        if mark == "\n":
            lines += 1
            continue
        own = lines > 0 or bool(comments) or start == len(gap)
        comments.append(Comment(mark.rstrip(), own, lines > 1))
        lines = 0
    newline = lines > 0 or bool(comments)
    return Lexeme(type_, text, start, item, option, tuple(comments), lines > 1, newline)
