"""The one layout of a policy. Only white space changes: tokens, comments and their order stay.

Statements and items of a block have a line each, two spaces deeper in a block; a block written on one line
keeps it while it fits. A line longer than WIDTH breaks before its options (owner, ticket and reason share a
line), then behind commas. Groups of lines stay apart by one blank line. A line with an acceptance
is not broken, as that counts for what begins on its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from segc.source import SourceFile
from segc.syntax.tokens import Comment, Lexeme, lexemes

WIDTH = 100
_INDENT = "  "


@dataclass(slots=True)
class _Line:
    """A statement, an item or a closing brace, to be written on one line if it can be."""

    depth: int
    pieces: list[Lexeme] = field(default_factory=list)
    braces: list[int] = field(default_factory=list)  # starts of the braces of blocks kept on this line


def format_source(source: SourceFile) -> str:
    """The canonical text of a file. Raises ValueError if it does not parse."""
    found = lexemes(
        source.text.replace("\ufeff", " ", 1) if source.text.startswith("\ufeff") else source.text
    )
    inline = _one_line_blocks(found)
    lines = list(_lines(found, inline))
    while long := {line.braces[0] for line in lines if line.braces and not _fits(line)}:
        inline -= long
        lines = list(_lines(found, inline))
    return "".join(f"{text}\n" for text in _text(lines)).lstrip("\n")


def _one_line_blocks(found: list[Lexeme]) -> set[int]:
    """The starts of opening braces whose block has no line break, or nothing at all, inside."""
    inline: set[int] = set()
    opened: list[tuple[int, bool]] = []
    for before, lexeme in pairwise(found):
        if before.type == "LBRACE":
            opened.append((before.start, True))
        empty = before.type == "LBRACE" and lexeme.type == "RBRACE" and not lexeme.comments
        if lexeme.newline and not empty:
            opened = [(start, False) for start, _ in opened]
        if lexeme.type == "RBRACE" and opened:
            start, whole = opened.pop()
            if whole:
                inline.add(start)
    return inline


def _lines(found: list[Lexeme], inline: set[int]) -> Iterator[_Line]:
    line = _Line(0)
    kept: list[bool] = []  # for each open block, whether it stays on its line
    depth = 0
    for lexeme in found:
        on_line = bool(kept) and kept[-1]
        closes = lexeme.type == "RBRACE"
        depth -= closes and not on_line
        if not on_line and (lexeme.item or closes) and not lexeme.held:
            if line.pieces:
                yield line
            line = _Line(depth)
        line.pieces.append(lexeme)
        if lexeme.type == "LBRACE":
            kept.append(on_line or lexeme.start in inline)
            depth += not kept[-1]
            if kept[-1]:
                line.braces.append(lexeme.start)
        elif closes:
            kept.pop()
    yield line


def _gap(before: Lexeme, lexeme: Lexeme) -> str:
    """What stands between two tokens of a line."""
    if lexeme.type in ("COMMA", "RPAR") or before.type == "LPAR":
        return ""
    if before.type == "LBRACE" and lexeme.type == "RBRACE":
        return ""
    return "; " if lexeme.item and before.type != "LBRACE" else " "


def _flat(pieces: list[Lexeme]) -> str:
    text = pieces[0].text
    for before, lexeme in pairwise(pieces):
        text += _gap(before, lexeme) + lexeme.text
    return text


def _fits(line: _Line) -> bool:
    return len(_INDENT) * line.depth + len(_flat(line.pieces)) <= WIDTH


def _text(lines: list[_Line]) -> Iterator[str]:
    """The physical lines. A comment behind a token is held back until its line is known to end."""
    out: list[str] = []
    after_open = True
    for line in lines:
        first = line.pieces[0]
        depth = line.depth + (first.type == "RBRACE")
        yield from _flush(out, first.comments)
        for comment in first.comments:
            if comment.own_line:
                yield from [""] * (comment.blank and not after_open)
                yield _INDENT * depth + comment.text
                after_open = False
        if first.type == "$END":
            return
        yield from [""] * (first.blank and not after_open and first.type != "RBRACE")
        out = list(_broken(line) if _must_break(line) else [_INDENT * line.depth + _flat(line.pieces)])
        after_open = line.pieces[-1].type == "LBRACE"


def _flush(out: list[str], comments: tuple[Comment, ...]) -> Iterator[str]:
    """The lines held back, the last one with the comment that stands behind it."""
    behind = [comment.text for comment in comments if not comment.own_line]
    if out and behind:
        out[-1] += "  " + behind[0]
    yield from out
    out.clear()


def _must_break(line: _Line) -> bool:
    return not _fits(line) or any(lexeme.comments for lexeme in line.pieces[1:])


def _broken(line: _Line) -> Iterator[str]:
    """A line broken before every option, and behind commas where it is still too long."""
    margin = _INDENT * line.depth
    deeper = margin + _INDENT * 2
    text = margin + line.pieces[0].text
    for index in range(1, len(line.pieces)):
        before, lexeme = line.pieces[index - 1], line.pieces[index]
        behind = [comment.text for comment in lexeme.comments if not comment.own_line]
        own = [comment.text for comment in lexeme.comments if comment.own_line]
        too_long = before.type == "COMMA" and len(text) + 1 + _chunk(line.pieces, index) > WIDTH
        wanted = too_long or (lexeme.option and not _joins(line.pieces, index, len(text)))
        if lexeme.comments or (wanted and not lexeme.held):
            yield "  ".join([text, *behind])
            yield from (deeper + comment for comment in own)
            text = deeper + lexeme.text
        else:
            text += _gap(before, lexeme) + lexeme.text
    yield text


def _joins(pieces: list[Lexeme], index: int, width: int) -> bool:
    """Whether an option stays behind the one before it: owner, ticket and reason, where there is room."""
    two_before = pieces[index - 2].type if index > 1 else ""
    paper = two_before in ("OWNER", "TICKET") and pieces[index].type in ("TICKET", "BECAUSE")
    return paper and width + 1 + _chunk(pieces, index) <= WIDTH


def _chunk(pieces: list[Lexeme], index: int) -> int:
    """The width of what cannot be broken off, from `index` up to the next comma or option."""
    end = index + 1
    while end < len(pieces) and pieces[end - 1].type != "COMMA" and not pieces[end].option:
        end += 1
    return len(_flat(pieces[index:end]))
