"""Flows, promises and tests."""

from __future__ import annotations

from typing import Any

from lark import Token

from segc.source import Span
from segc.syntax import tree as t
from segc.syntax.build.words import Words

NO_OPTIONS = t.Options()
_ONCE = {
    "require": "require",
    "when": "when",
    "from": "not_before",
    "until": "until",
    "limit": "limit",
    "log": "log",
    "owner": "owner",
    "ticket": "ticket",
    "because": "because",
}


class Flows(Words):
    def action(self, c: list[Any]) -> tuple[Token, str, bool, t.Word | None]:
        return c[0], c[0].value, False, None

    def named_action(self, c: list[Any]) -> tuple[Token, str, bool, t.Word | None]:
        return c[0], c[0].value, False, self.word(c[2])

    def staged_action(self, c: list[Any]) -> tuple[Token, str, bool, t.Word | None]:
        return c[0], c[1].value, True, self.word(c[3]) if len(c) == 4 else None

    def flow(self, c: list[Any]) -> t.Flow:
        first, action, staged, name = c[0]
        services = tuple(c[5])
        end, options = services[-1].span.end, NO_OPTIONS
        if len(c) == 7:
            end = c[6][-1][2]
            options = self.gather(c[6])
        span = Span(self.path, first.start_pos, end, first.line)
        return t.Flow(action, staged, name, c[1], c[3], services, options, span)

    def gather(self, given: list[tuple[t.Word, Any, int]]) -> t.Options:
        once: dict[str, Any] = {}
        repeated = []
        for keyword, value, _ in given:
            if once.setdefault(_ONCE[keyword.text], value) is not value:
                repeated.append(keyword)
        return t.Options(**once, repeated=tuple(repeated))

    def option(self, c: list[Any]) -> tuple[t.Word, t.Word, int]:
        return self.word(c[0]), self.word(c[-1]), c[-1].end_pos

    def require(self, c: list[Any]) -> tuple[t.Word, tuple[t.Requirement, ...], int]:
        return self.word(c[0]), tuple(c[1]), c[1][-1].span.end

    def when(self, c: list[Any]) -> tuple[t.Word, t.When, int]:
        hours = self.word(c[2]) if len(c) == 3 else None
        last = hours or c[1][-1]
        keyword = self.word(c[0])
        when = t.When(tuple(c[1]), hours, keyword.span.to(last.span))
        return keyword, when, last.span.end

    def mfa(self, c: list[Any]) -> t.Requirement:
        return t.Requirement(None, self.span(c[0]))

    def needs_posture(self, c: list[Any]) -> t.Requirement:
        return t.Requirement(self.word(c[1]), self.around(c))

    def never(self, c: list[Any]) -> t.Never:
        return self.promise(c, [], c[4:])

    def never_services(self, c: list[Any]) -> t.Never:
        return self.promise(c, c[5], c[6:])

    def promise(self, c: list[Any], services: list[t.Service], because: list[Any]) -> t.Never:
        reason = because[0][1] if because else None
        last = reason or (services[-1] if services else c[3])
        span = self.over(c[0], last.span.end)
        return t.Never(c[1], c[3], c[2].type == "REACHES", tuple(services), reason, span)

    def step(self, c: list[Any]) -> t.Step:
        return t.Step(c[0], c[2], tuple(c[4]), c[0].span.to(c[4][-1].span))

    def expectation(self, c: list[Any]) -> t.Expectation:
        facts = next((tuple(child) for child in c[6:] if isinstance(child, list)), ())
        at = self.word(c[-1]) if isinstance(c[-1], Token) else None
        last = at or (facts[-1] if facts else c[5][-1])
        span = self.over(c[0], last.span.end)
        return t.Expectation(c[0].value, c[1], c[3], tuple(c[5]), facts, at, span)
