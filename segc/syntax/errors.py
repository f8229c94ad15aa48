"""What to say about a syntax error, in the words of the language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lark import Token

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.source import SourceFile, Span
from segc.syntax import tree as t
from segc.syntax.build.blocks import Items
from segc.syntax.hints import HINTS
from segc.syntax.hints.flows import missing_service
from segc.syntax.hints.problem import Advice, Problem
from segc.syntax.recover import STATEMENTS, expected, open_braces

_FOUND = re.compile(
    r"""(?x)
    "(?:[^"\\\n]++|\\[^\n])*+"?
    | '[^'\n]*'? | [“”„«»‘’][^“”„«»‘’\n]*[“”„«»‘’]?
    | [0-9A-Fa-f]*+(?::[0-9A-Fa-f.]*){2,}(?:/[0-9]+)?
    | [0-9]\w*(?:[.:/@+-]+\w+)* | \w+(?:[./@+-]+\w+)* | [-=~<>!]+ | [\s\S]
    """
)
_TERMS = frozenset({"ANY", "TAG", "GROUP", "USER", "GATEWAY", "ADDRESS", "ZONE_OR_HOST"})
_OPTIONS = frozenset({"REQUIRE", "WHEN", "FROM", "UNTIL", "LIMIT", "LOG", "OWNER", "TICKET", "BECAUSE"})
_STATEMENTS = frozenset(word.upper() for word in STATEMENTS)
_SYMBOLS = {
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "EQUAL": "`=`",
    "ARROW": "`->`",
    "REACHES": "`~>`",
    "COMPARISON": "a comparison such as `>=`",
    "NAME": "a name",
    "ZONE_NAME": "a name",
    "STRING": "a string in double quotes",
    "ADDRESS": "an address or a prefix",
    "ADDRESS_KEY": "`address`",
    "MAC_ADDRESS": "a MAC address such as `02:00:00:00:00:1e`",
    "HOURS": "hours such as `08:00-18:00`",
    "DEVICE": "the name of an interface or a port",
}
_VALUES = {
    "vlan": "a VLAN number",
    "from": "a date such as `2027-03-31`",
    "until": "a date such as `2027-03-31`",
    "limit": "a rate such as `200/second`",
    "max": "a duration such as `10h`",
    "idle": "a duration such as `10h`",
    "sync": "a duration such as `5m`",
    "timeout": "a duration such as `30s`",
    "within": "a duration such as `15m`",
    "mark": "a mask such as `0xffff0000`",
}


def describe(source: SourceFile, at: int, state: Any) -> Diagnostic:
    """The finding for a token at offset `at` that the parser in `state` cannot take."""
    braces = open_braces(state)
    match = _FOUND.match(source.text, at)
    problem = Problem(
        source,
        at,
        match[0] if match else "",
        expected(state),
        state.value_stack,
        state.value_stack[braces[-1]] if braces else None,
        state.lexer.state.last_token,
    )
    if problem.opened is not None and _outside(problem):
        return _unclosed(problem, problem.opened)
    if not problem.found:
        return _cut_short(problem)
    advice = next((found for hint in HINTS if (found := hint(problem))), Advice(""))
    message = (
        advice.message
        or f"expected {_alternatives(problem)}{_after(problem)}, found {_quoted(problem.found)}"
    )
    return finding("SEG001", message, advice.span or problem.span, help=advice.help)


def _quoted(text: str) -> str:
    return f"`{text}`" if len(text) <= 40 else f"`{text[:40]}…`"


# ---- what could stand there


def _alternatives(problem: Problem) -> str:
    accepted = set(problem.accepted) - {"$END"}
    names: list[str] = []

    def fold(kinds: Iterable[str], needed: str, name: str) -> None:
        if needed in accepted:
            accepted.difference_update(kinds)
            names.append(name)

    fold(_TERMS, "ZONE_OR_HOST", "an end such as a zone, a set or an address")
    fold({"LITERAL", "NAME", "ANY"}, "LITERAL", "a service such as `https` or `tcp/443`")
    fold(_OPTIONS, "LIMIT", "an option such as `log`")
    fold(
        _STATEMENTS,
        "IMPORT",
        "a new statement" if names or len(accepted) > len(_STATEMENTS) else "a statement",
    )
    if "VALUE" in accepted:
        accepted.discard("VALUE")
        keyword = problem.last.value if isinstance(problem.last, Token) else ""
        names.append(_VALUES.get(keyword, "a value"))
    if "DEVICE" in accepted:
        accepted.discard("STRING")
    words = sorted(dict.fromkeys(_SYMBOLS.get(name, f"`{name.lower()}`") for name in accepted))
    punctuation = [word for word in words if word[1] in "{}(),:=-~"]
    return _either([*punctuation, *names, *(word for word in words if word not in punctuation)])


def _either(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "nothing more"
    return ", ".join(names[:-1]) + " or " + names[-1]


def _after(problem: Problem) -> str:
    last = problem.last
    if isinstance(last, Token) and last.type != "LBRACE":
        return f" after `{last.value}`"
    if isinstance(last, Token | Items):
        return " in this block"
    if isinstance(last, list) and last:
        last = last[-1]
    if isinstance(last, t.End | t.Term):
        return " after this end"
    if isinstance(last, t.Service):
        return " after this service"
    if isinstance(last, t.Word):
        return f" after {_quoted(last.text)}"
    return ""


# ---- where a block or the file ends too early


def _outside(problem: Problem) -> bool:
    """Whether a block should have ended before this: at the end of the file, or at a new statement."""
    if not problem.found:
        return True
    ready = "RBRACE" in problem.accepted
    return ready and problem.found in STATEMENTS and problem.starts_line


def _unclosed(problem: Problem, brace: Token) -> Diagnostic:
    opened = problem.source.span(brace.start_pos or 0, (brace.start_pos or 0) + 1)
    here = problem.span if problem.found else _last_text(problem)
    where = "before this statement" if problem.found else "before the file ends"
    return finding(
        "SEG001",
        f"expected `}}` {where}",
        here,
        also=(Label(opened, "this block is still open"),),
        help="close the block with `}`",
    )


def _cut_short(problem: Problem) -> Diagnostic:
    message = f"expected {_alternatives(problem)}{_after(problem)}, but the file ends here"
    advice = missing_service(problem)
    return finding("SEG001", message, _last_text(problem), help=advice.help if advice else "")


def _last_text(problem: Problem) -> Span:
    """The last word of a file, where something is missing behind it."""
    if problem.before is None:
        return problem.span
    return problem.source.span(problem.before.start_pos or 0, problem.before.end_pos or 0)
