"""Ends and services."""

from __future__ import annotations

from typing import Any

from segc.source import Span
from segc.space.protocols import WHOLE_PROTOCOLS
from segc.syntax import tree as t
from segc.syntax.build.words import Words


class Ends(Words):
    def name_term(self, c: list[Any]) -> t.NameTerm:
        token = c[0]
        text, start, line = token.value, token.start_pos, token.line
        span = Span(self.path, start, token.end_pos, line)
        if "." not in text:
            return t.NameTerm(t.Word(text, span), None, span)
        name, host = text.split(".")
        dot = start + len(name)
        return t.NameTerm(
            t.Word(name, Span(self.path, start, dot, line)),
            t.Word(host, Span(self.path, dot + 1, token.end_pos, line)),
            span,
        )

    def any_term(self, c: list[Any]) -> t.AnyTerm:
        return t.AnyTerm(self.span(c[0]))

    def tag_term(self, c: list[Any]) -> t.TagTerm:
        return t.TagTerm(self.word(c[1]), self.around(c))

    def gateway_term(self, c: list[Any]) -> t.GatewayTerm:
        return t.GatewayTerm(self.word(c[1]), self.around(c))

    def address_term(self, c: list[Any]) -> t.AddressTerm:
        return t.AddressTerm(c[0].value, self.span(c[0]))

    def group_term(self, c: list[Any]) -> t.GroupTerm:
        return t.GroupTerm(*self.placed(c))

    def user_term(self, c: list[Any]) -> t.UserTerm:
        return t.UserTerm(*self.placed(c))

    def placed(self, c: list[Any]) -> tuple[t.Word, tuple[t.Word, ...], Span]:
        zones = c[4] if len(c) > 4 else map(self.word, c[3:])
        return self.word(c[1]), tuple(zones), self.around(c)

    def end(self, c: list[Any]) -> t.End:
        terms = c[0]
        span = terms[0].span
        return t.End(tuple(terms), (), span if len(terms) == 1 else span.to(terms[-1].span))

    def end_except(self, c: list[Any]) -> t.End:
        terms, _, excepted = c
        return t.End(tuple(terms), tuple(excepted), terms[0].span.to(excepted[-1].span))

    def literal(self, c: list[Any]) -> t.ServiceLiteral:
        token = c[0]
        protocol, _, argument = token.value.partition("/")
        start, end, line = token.start_pos, token.end_pos, token.line
        slash = start + len(protocol)
        return t.ServiceLiteral(
            t.Word(protocol, Span(self.path, start, slash, line)),
            t.Word(argument, Span(self.path, slash + 1, end, line)),
            Span(self.path, start, end, line),
        )

    def service_name(self, c: list[Any]) -> t.Service:
        token = c[0]
        if token.value in WHOLE_PROTOCOLS:
            return t.ServiceLiteral(self.word(token), None, self.span(token))
        return t.ServiceName(token.value, self.span(token))

    def any_service(self, c: list[Any]) -> t.AnyService:
        return t.AnyService(self.span(c[0]))
