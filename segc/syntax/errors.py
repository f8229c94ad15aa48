"""What to say about a syntax error, in the words of the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lark import Token

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.source import SourceFile, Span
from segc.syntax import tree as t
from segc.syntax.build import PROTOCOLS, Items
from segc.syntax.recover import STATEMENTS, expected, open_braces

RESERVED = frozenset({"any", "group", "user", "tag", "gateway", "as", "in"})
_STRING = re.compile(r'"[^"\\\n]*+(?:\\["\\][^"\\\n]*+)*+"')
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
_PATTERNS = frozenset({"LITERAL", "VALUE", "ZONE_OR_HOST"})
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
    "mark": "a mask such as `0xffff0000`",
}
_LOOKALIKES = {
    **dict.fromkeys("→⇒⟶➔", "->"),
    **dict.fromkeys("–—‐‑−", "-"),
    **dict.fromkeys("：", ":"),
    **dict.fromkeys("，", ","),
    **dict.fromkeys("；", ";"),
    **dict.fromkeys("｛", "{"),
    **dict.fromkeys("｝", "}"),
    **dict.fromkeys("／", "/"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """The first token that cannot stand where it does; `found` is empty at the end of the file."""

    source: SourceFile
    at: int
    found: str
    accepted: frozenset[str]
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
    def last(self) -> Any:
        return self.values[-1] if self.values else None


@dataclass(frozen=True, slots=True)
class Advice:
    """A better message or underlined place than the general ones, where not None, and the fix."""

    help: str
    message: str | None = None
    span: Span | None = None


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
    advice = _missing_service(problem)
    return finding("SEG001", message, _last_text(problem), help=advice.help if advice else "")


def _last_text(problem: Problem) -> Span:
    """The last word of a file, where something is missing behind it."""
    if problem.before is None:
        return problem.span
    return problem.source.span(problem.before.start_pos or 0, problem.before.end_pos or 0)


# ---- the mistakes that people make: each hint returns advice, or None if it is not that one

Hint = Callable[[Problem], Advice | None]


def _bad_string(problem: Problem) -> Advice | None:
    found = problem.found
    if found[0] != '"' or _STRING.fullmatch(found):
        return None
    if len(found) > 1 and found.endswith('"') and (escape := re.search(r'\\[^"\\]', found)):
        return Advice(
            "write a backslash as `\\\\`",
            f'`{escape[0]}` means nothing in a string: only `\\"` and `\\\\` do',
        )
    return Advice('end it with `"` on the same line', "this string has no end")


def _other_quotes(problem: Problem) -> Advice | None:
    if problem.found[0] not in "'“”„«»‘’":
        return None
    inner = problem.found.strip("'“”„«»‘’")
    return Advice(f'write `"{inner[:40]}"`', "strings take straight double quotes")


def _strange_character(problem: Problem) -> Advice | None:
    char = problem.found[0]
    span = problem.source.span(problem.at, problem.at + 1)
    if char in _LOOKALIKES:
        return Advice(f"write `{_LOOKALIKES[char]}`", f"`{char}` only looks like `{_LOOKALIKES[char]}`", span)
    if char.isspace() or not char.isprintable():
        kind = "a space" if char.isspace() else "an invisible character"
        return Advice("delete it", f"U+{ord(char):04X} is {kind} that a policy may not hold", span)
    if not problem.found.isascii():
        odd = next(char for char in problem.found if not char.isascii())
        return Advice(
            f"replace `{odd}` (U+{ord(odd):04X})", "names are made of the letters a to z, digits, `_` and `-`"
        )
    return None


def _arrow(problem: Problem) -> Advice | None:
    if "ARROW" not in problem.accepted or problem.found not in {
        "=>",
        "=",
        "-->",
        "--",
        "==>",
        ">",
        "-",
        "to",
    }:
        return None
    return Advice("write `->` between the two ends of a flow")


def _port_alone(problem: Problem) -> Advice | None:
    """`: 443`, `: port 443`, `: tcp 443` and `: tcp:443` for `: tcp/443`."""
    text, at = problem.source.text, problem.at
    number = re.compile(r"[:/]?[ \t]*(\d[\d-]*)").match(text, at)
    if number is None:
        return None
    if "LITERAL" in problem.accepted and problem.found[0].isdigit():
        return Advice(f"a port needs its protocol: `tcp/{number[1]}`")
    service = problem.last
    if not isinstance(service, Token) or service.type != "NAME":
        return None
    if service.value not in PROTOCOLS | {"port", "ports"}:
        return None
    protocol = service.value if service.value in PROTOCOLS else "tcp"
    span = problem.source.span(service.start_pos or 0, number.end())
    message = "a service is written as protocol, `/` and port"
    return Advice(f"write `{protocol}/{number[1]}`", message, span)


def _missing_service(problem: Problem) -> Advice | None:
    if "COLON" not in problem.accepted or "ARROW" in problem.accepted or problem.found in {"=", ";"}:
        return None
    if problem.found in PROTOCOLS or "/" in problem.found:
        return Advice(f"write `: {problem.found}`")
    return Advice("say which services may pass: `: https`, or `: any`")


def _reserved(problem: Problem) -> Advice | None:
    if problem.found not in RESERVED or not problem.accepted & {"ZONE_NAME", "ZONE_OR_HOST"}:
        return None
    return Advice(
        f"choose another name, such as `{problem.found}s` or `{problem.found}-net`",
        f"`{problem.found}` means something in every end, so no zone or set can be named so",
    )


def _hours_alone(problem: Problem) -> Advice | None:
    after_when = isinstance(problem.last, Token) and problem.last.type == "WHEN"
    return (
        Advice(f"name the days first: `daily {problem.found}`")
        if after_when and problem.found[0].isdigit()
        else None
    )


def _bad_name(problem: Problem) -> Advice | None:
    if (
        not problem.found[0].isdigit()
        or not problem.accepted & {"NAME", "ZONE_NAME"}
        or "VALUE" in problem.accepted
    ):
        return None
    if "LITERAL" in problem.accepted:
        return None
    return Advice("a name starts with a letter or `_`")


def _misspelt(problem: Problem) -> Advice | None:
    if len(problem.found) > 20 or not problem.found[0].isalpha():
        return None
    keywords = [name.removesuffix("_KEY").lower() for name in problem.accepted - _PATTERNS - _SYMBOLS.keys()]
    keywords += ["address"] if "ADDRESS_KEY" in problem.accepted else []
    close = get_close_matches(problem.found.lower(), sorted(set(keywords)), 1, 0.65)
    return Advice(f"did you mean `{close[0]}`?") if close else None


def _quotes(problem: Problem) -> Advice | None:
    if problem.found[0] == '"' and "VALUE" in problem.accepted and len(problem.found) > 2:
        return Advice(f"write {problem.found[1:-1]} without quotes")
    if "STRING" in problem.accepted and problem.found[0].isalnum() and "DEVICE" not in problem.accepted:
        return Advice(f'put it in double quotes: `"{problem.found[:40]}"`')
    return None


def _stray_brace(problem: Problem) -> Advice | None:
    if problem.found == "}" and "IMPORT" in problem.accepted:
        return Advice("delete it, or look for a `{` that is missing above", "this `}` closes nothing")
    return None


def _missing_comma(problem: Problem) -> Advice | None:
    word = problem.found[0].isalnum() and problem.found not in STATEMENTS
    if word and "COMMA" in problem.accepted and not problem.starts_line:
        return Advice("lists take commas between their elements")
    return None


HINTS: tuple[Hint, ...] = (
    _bad_string,
    _other_quotes,
    _strange_character,
    _arrow,
    _port_alone,
    _stray_brace,
    _missing_service,
    _reserved,
    _hours_alone,
    _bad_name,
    _misspelt,
    _quotes,
    _missing_comma,
)
