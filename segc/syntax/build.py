"""Builds the tree while Lark parses: one method for each production of grammar/segc.lark.

A method gets the children of its production, every token among them, and returns a node. Lists grow in
place: Lark's LALR parser never looks back at a value that it has reduced.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeVar

from lark import Token

from segc.source import Span
from segc.space.protocols import WHOLE_PROTOCOLS
from segc.syntax import tree as t

Node = TypeVar("Node")
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


class Items(list[Any]):
    """What stands in a block so far. A class of its own, so that recovery can tell it from other lists."""


def unquote(text: str) -> str:
    inner = text[1:-1]
    return inner.replace('\\"', '"').replace("\\\\", "\\") if "\\" in inner else inner


def grow(children: list[Any]) -> list[Any]:
    """`list , element` or `list element`."""
    children[0].append(children[-1])
    return children[0]  # type: ignore[no-any-return]


def of(kind: type[Node], items: list[Any]) -> tuple[Node, ...]:
    return tuple(item for item in items if isinstance(item, kind))


def values(items: list[Any], key: str) -> tuple[t.Word, ...]:
    return tuple(v for item in of(t.Setting, items) if item.key.text == key for v in item.values)


def has(items: list[Any], key: str) -> bool:
    return any(item.key.text == key for item in of(t.Setting, items))


def block(children: list[Any]) -> list[Any]:
    """The items of a production that ends in `{ … }`; none where the braces are empty."""
    items = children[-2]
    return items if isinstance(items, Items) else []


class Builder:
    """`path` is the file being read; it is set before each parse."""

    path = ""

    # ---- places and words

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
    items = staticmethod(grow)

    @staticmethod
    def first(c: list[Any]) -> Items:
        return Items(c)

    zone_items = group_items = facts = session_items = limit_items = steps = expectations = first
    source_items = directory_items = host_items = gateway_items = interface_items = switch_items = first

    interface_item = switch_item = device

    def setting(self, c: list[Any]) -> t.Setting:
        key = self.word(c[0])
        if len(c) == 1:
            return t.Setting(key, (), key.span)
        found = tuple(c[1]) if isinstance(c[1], list) else (self.word(c[1]),)
        return t.Setting(key, found, key.span.to(found[-1].span))

    # ---- ends and services

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

    # ---- flows and promises

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

    # ---- statements

    def import_(self, c: list[Any]) -> t.Import:
        return t.Import(self.word(c[1]), self.around(c))

    def timezone(self, c: list[Any]) -> t.Timezone:
        return t.Timezone(self.word(c[1]), self.around(c))

    def service(self, c: list[Any]) -> t.ServiceDef:
        return t.ServiceDef(self.word(c[1]), tuple(c[3]), self.over(c[0], c[3][-1].span.end))

    def set_(self, c: list[Any]) -> t.SetDef:
        return t.SetDef(self.word(c[1]), c[3], self.around(c))

    def zone(self, c: list[Any]) -> t.ZoneDef:
        items = block(c)
        return t.ZoneDef(
            self.word(c[1]), of(t.Setting, items), of(t.Host, items), self.around(c), of(t.Dot1x, items)
        )

    def dot1x(self, c: list[Any]) -> t.Dot1x:
        names = tuple(c[2]) if len(c) == 3 else ()
        last = names[-1].span.end if names else c[1].end_pos
        return t.Dot1x(c[1].value, names, self.over(c[0], last))

    def host(self, c: list[Any]) -> t.Host:
        addresses = tuple(c[3])
        items = block(c) if len(c) > 4 else []
        end = c[-1].end_pos if len(c) > 4 else addresses[-1].span.end
        span = self.over(c[0], end)
        return t.Host(self.word(c[1]), addresses, values(items, "mac"), values(items, "tag"), span)

    def group(self, c: list[Any]) -> t.GroupDef:
        items = block(c)
        users, groups = values(items, "user"), values(items, "group")
        return t.GroupDef(self.word(c[1]), users, groups, None, self.around(c))

    def directory_group(self, c: list[Any]) -> t.GroupDef:
        return t.GroupDef(self.word(c[1]), (), (), self.word(c[4]), self.around(c))

    def posture(self, c: list[Any]) -> t.PostureDef:
        return t.PostureDef(self.word(c[1]), tuple(block(c)), self.around(c))

    def fact(self, c: list[Any]) -> t.Fact:
        name, operator, value = c
        quoted = value.type == "STRING"
        return t.Fact(self.word(name), operator.value, self.word(value), quoted, self.around(c))

    def session(self, c: list[Any]) -> t.SessionDef:
        return t.SessionDef(self.word(c[1]), tuple(block(c)), self.around(c))

    def source(self, c: list[Any]) -> t.SourceDef:
        return t.SourceDef(self.word(c[1]), self.word(c[2]), tuple(block(c)), self.around(c))

    def directory(self, c: list[Any]) -> t.DirectoryDef:
        return t.DirectoryDef(self.word(c[1]), tuple(block(c)), self.around(c))

    def revoke(self, c: list[Any]) -> t.Revoke:
        return t.Revoke(self.word(c[2]) if len(c) == 5 else None, self.word(c[-1]), self.around(c))

    def limits(self, c: list[Any]) -> t.LimitsDef:
        return t.LimitsDef(tuple(block(c)), self.around(c))

    def workflow(self, c: list[Any]) -> t.Workflow:
        return t.Workflow(self.word(c[1]), tuple(block(c)), self.around(c))

    def test(self, c: list[Any]) -> t.Test:
        return t.Test(self.word(c[1]), tuple(block(c)), self.around(c))

    # ---- where it is enforced

    def gateway(self, c: list[Any]) -> t.GatewayDef:
        items = block(c)
        return t.GatewayDef(
            self.word(c[1]),
            of(t.Interface, items),
            of(t.GatewayAddress, items),
            of(t.Serve, items),
            of(t.Manage, items),
            of(t.Publish, items),
            of(t.Setting, items),
            self.around(c),
        )

    def interface(self, c: list[Any]) -> t.Interface:
        items = block(c)
        return t.Interface(
            self.word(c[1]),
            values(items, "zone"),
            values(items, "trunk"),
            has(items, "bridge"),
            of(t.Port, items),
            values(items, "address"),
            has(items, "masquerade"),
            self.around(c),
        )

    def gateway_address(self, c: list[Any]) -> t.GatewayAddress:
        return t.GatewayAddress(self.word(c[1]), tuple(c[2]), self.over(c[0], c[2][-1].span.end))

    def serve(self, c: list[Any]) -> t.Serve:
        return t.Serve(tuple(c[1]), c[3], self.around(c))

    def manage(self, c: list[Any]) -> t.Manage:
        return t.Manage(c[2], tuple(c[4]), self.over(c[0], c[4][-1].span.end))

    def publish(self, c: list[Any]) -> t.Publish:
        changed = c[7] if len(c) == 8 else None
        return t.Publish(c[1], self.word(c[3]), c[5], changed, self.around(c))

    def port(self, c: list[Any]) -> t.Port:
        trunk, dot1x = c[2].type == "TRUNK", c[2].type == "DOT1X"
        last = c[-1]
        isolated = isinstance(last, Token) and last.type == "ISOLATED"
        zones = () if dot1x else tuple(c[3]) if trunk else (self.word(c[3]),)
        end = last.end_pos if isolated or dot1x else zones[-1].span.end
        return t.Port(self.word(c[1]), zones, trunk, isolated, self.over(c[0], end), dot1x)

    def switch(self, c: list[Any]) -> t.SwitchDef:
        items = block(c)
        return t.SwitchDef(self.word(c[1]), of(t.Setting, items), of(t.Port, items), self.around(c))

    def start(self, c: list[Any]) -> t.File:
        return t.File(tuple(c[0]) if c else ())
