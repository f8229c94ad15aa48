"""What a hint is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lark import Token

from segc.frozen import frozen
from segc.source import SourceFile, Span

NEAR = 200  # characters in which `word_before` looks for its word


@frozen
class Problem:
    """The first token that cannot stand where it does; `found` is empty at the end of the file."""

    source: SourceFile
    at: int
    found: str
    accepted: frozenset[str]  # the grammar's terminals that could stand there
    values: list[Any]  # what the parser has read and not yet put together
    opened: Token | None  # the innermost brace that is open
    before: Token | None  # the last token that was read

    @property
    def span(self) -> Span:
        return self.source.span(self.at, self.at + len(self.found))

    @property
    def starts_line(self) -> bool:
        return not self.source.text[self.source.text.rfind("\n", 0, self.at) + 1 : self.at].strip(" \t;\r")

    @property
    def word_before(self) -> int:
        """Where the word begins that stands before it, or a part of one that is longer than anybody's."""
        start = max(0, self.at - NEAR)
        near = self.source.text[start : self.at].rstrip(" \t")
        return start + len(near) - len((near.split() or [""])[-1])

    @property
    def last(self) -> Any:
        return self.values[-1] if self.values else None


@frozen
class Advice:
    """A better message or underlined place than the general ones, where not None, and the fix."""

    help: str
    message: str | None = None
    span: Span | None = None


# None if its mistake is not the one. `found` is never empty there.
Hint = Callable[[Problem], Advice | None]
