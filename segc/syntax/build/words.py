"""Words and lists of them, with the places where they stand."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from lark import Token

from segc.source import Span
from segc.syntax import tree as t


def unquote(text: str) -> str:
    inner = text[1:-1]
    return inner.replace('\\"', '"').replace("\\\\", "\\") if "\\" in inner else inner


def grow(children: list[Any]) -> list[Any]:
    """`list , element` or `list element`."""
    children[0].append(children[-1])
    return children[0]  # type: ignore[no-any-return]


class Words:
    """`path` is the file being read; it is set before each parse."""

    path = ""

    def span(self, token: Token) -> Span:
        return Span(self.path, token.start_pos, token.end_pos, token.line)  # type: ignore[arg-type]

    def over(self, first: Token, end: Any) -> Span:
        return Span(self.path, first.start_pos, end, first.line)  # type: ignore[arg-type]

    def around(self, children: list[Any]) -> Span:
        """From the first child, a token, to the last one, a token or a node."""
        last = children[-1]
        return self.over(children[0], last.end_pos if isinstance(last, Token) else last.span.end)

    def word(self, token: Token) -> t.Word:
        text = token.value
        return t.Word(unquote(text) if text[0] == '"' else text, self.span(token))

    def words(self, c: list[Any]) -> list[t.Word]:
        return [self.word(c[0])]

    def words_more(self, c: list[Any]) -> list[t.Word]:
        c[0].append(self.word(c[2]))
        return c[0]  # type: ignore[no-any-return]

    device: Callable[..., Token] = staticmethod(itemgetter(0))
    own_address = fact_value = operator = verb = arrow = device
    facts_given: Callable[..., Any] = staticmethod(itemgetter(1))

    statements = terms = requirements = options = staticmethod(lambda c: [c[0]] if len(c) == 1 else grow(c))
    services: Callable[..., Any] = staticmethod(list)
    services_more = staticmethod(grow)
