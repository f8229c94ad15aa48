"""The mistakes that people make in a policy, each with its own words and the fix."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lark import Token

from segc.source import SourceFile, Span
from segc.space.protocols import WHOLE_PROTOCOLS
from segc.syntax.recover import STATEMENTS

RESERVED = frozenset({"any", "group", "user", "tag", "gateway", "as", "in"})
WORDS = {"flow": {"require", "when", "until"}, "test": {"with"}}
NEAR = 200  # characters
VERBS = {
    **dict.fromkeys(("permit", "accept", "pass", "grant"), "allow"),
    **dict.fromkeys(("block", "drop", "reject", "forbid"), "deny"),
}
CONDITIONS = frozenset({"mfa"}).union(*WORDS.values())
_STRING = re.compile(r'"[^"\\\x00-\x08\x0a-\x1f\x7f]*+(?:\\["\\][^"\\\x00-\x08\x0a-\x1f\x7f]*+)*+"')
_SPAN = re.compile(
    r"(?P<h1>\d{1,2})(?::(?P<m1>\d\d))?[ \t]*(?P<half1>[AaPp][Mm])?[ \t]*(?:-|–|to)[ \t]*"
    r"(?P<h2>\d{1,2})(?::(?P<m2>\d\d))?[ \t]*(?P<half2>[AaPp][Mm])?(?!\w)"
)
_NO_KEYWORDS = frozenset(
    {
        "NAME",
        "ZONE_NAME",
        "ZONE_OR_HOST",
        "STRING",
        "ADDRESS",
        "ADDRESS_KEY",
        "MAC_ADDRESS",
        "LITERAL",
        "HOURS",
    }
    | {
        "VALUE",
        "DEVICE",
        "COMPARISON",
        "LBRACE",
        "RBRACE",
        "LPAR",
        "RPAR",
        "COMMA",
        "COLON",
        "EQUAL",
        "ARROW",
    }
    | {"REACHES", "$END"}
)
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
    def word_before(self) -> int:
        """Where the word begins that stands before it, or a part of one that is longer than anybody's."""
        start = max(0, self.at - NEAR)
        near = self.source.text[start : self.at].rstrip(" \t")
        return start + len(near) - len((near.split() or [""])[-1])

    @property
    def last(self) -> Any:
        return self.values[-1] if self.values else None


@dataclass(frozen=True, slots=True)
class Advice:
    """A better message or underlined place than the general ones, where not None, and the fix."""

    help: str
    message: str | None = None
    span: Span | None = None


# Each hint returns advice, or None if its mistake is not the one.
Hint = Callable[[Problem], Advice | None]


def _bad_string(problem: Problem) -> Advice | None:
    found = problem.found
    if found[0] != '"' or _STRING.fullmatch(found):
        return None
    if control := re.search(r"[\x00-\x08\x0b-\x1f\x7f]", found.rstrip("\r")):
        return Advice("delete it", f"this string holds U+{ord(control[0]):04X}, an invisible character")
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


def _other_comment(problem: Problem) -> Advice | None:
    rest = problem.source.text[problem.at : problem.at + 3]
    if rest.startswith(("//", "/*")) or (problem.starts_line and rest == "-- "):
        return Advice("a comment starts with `#` and ends with its line")
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
    if service.value not in WHOLE_PROTOCOLS | {"port", "ports"}:
        return None
    protocol = service.value if service.value in WHOLE_PROTOCOLS else "tcp"
    span = problem.source.span(service.start_pos or 0, number.end())
    message = "a service is written as protocol, `/` and port"
    return Advice(f"write `{protocol}/{number[1]}`", message, span)


def _port_range(problem: Problem) -> Advice | None:
    """`tcp/8000:8100` for `tcp/8000-8100`."""
    match = re.compile(r"([a-z]+/\d+)(?::|\.\.)(\d+)").match(problem.source.text, problem.word_before)
    if match is None or match.start(2) <= problem.at:
        return None
    span = problem.source.span(match.start(), match.end())
    return Advice(f"write `{match[1]}-{match[2]}`", "a range of ports is written with `-`", span)


def _other_verb(problem: Problem) -> Advice | None:
    verb = VERBS.get(problem.found.lower())
    return Advice(f"write `{verb}`") if verb and "ALLOW" in problem.accepted and problem.starts_line else None


def _other_end(problem: Problem) -> Advice | None:
    """A group without its word, a name of the DNS, and `*`, as ends."""
    if problem.found == "*" and "ZONE_OR_HOST" in problem.accepted:
        return Advice("write `any`")
    match = re.compile(r"([A-Za-z_][\w-]*)[\w.-]*").match(problem.source.text, problem.word_before)
    if match is None or not problem.accepted & {"ARROW", "COLON"}:
        return None
    if problem.found == "in":
        help = f'write `group {match[0]} in …`, or `user "…" in …`'
        return Advice(help, "only groups and users are `in` a zone")
    if problem.found != "." or match.end() <= problem.at:
        return None
    span = problem.source.span(match.start(), match.end())
    help = f"write the addresses that it has, as in `set {match[1]} = 192.0.2.10`"
    return Advice(help, "an end is no name of the DNS", span)


def _condition(problem: Problem) -> Advice | None:
    """`with mfa` in a flow, `require mfa` in a test, and either before the service."""
    found, values = problem.found, problem.values
    if found not in CONDITIONS or any(_is(each, "NEVER", "SET") for each in values):
        return None
    place = next((n for n, each in enumerate(values) if each is problem.opened), 0)
    if problem.opened is not None and not _is(values[place - 1], "STRING"):
        return None
    where, right, wrong = (
        ("flow", "require", "with") if problem.opened is None else ("test", "with", "require")
    )
    if problem.accepted & {"ARROW", "COLON"}:
        word = found if found in {"when", "until"} else right
        return Advice(f"in a {where}, write `{word} …` after the service") if word in WORDS[where] else None
    if found == wrong or (found == "mfa" and right.upper() in problem.accepted):
        return Advice(f"in a {where}, write `{right} mfa` or `{right} posture NAME`")
    return None


def _is(value: Any, *types: str) -> bool:
    return isinstance(value, Token) and value.type in types


def missing_service(problem: Problem) -> Advice | None:
    if "COLON" not in problem.accepted or "ARROW" in problem.accepted or problem.found in {"=", ";"}:
        return None
    if problem.found in WHOLE_PROTOCOLS or "/" in problem.found:
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


def _hours_by_halves(problem: Problem) -> Advice | None:
    """`8am-6pm`, `9 to 17` and the like behind days."""
    if "HOURS" not in problem.accepted or not problem.found[0].isdigit():
        return None
    match = _SPAN.match(problem.source.text, problem.at)
    if match is None:
        return Advice("write hours as `08:00-18:00`")
    span = problem.source.span(problem.at, match.end())
    hours = [_clock(*match.group(f"h{n}", f"m{n}", f"half{n}")) for n in (1, 2)]
    return Advice(f"write hours as `{'-'.join(hours)}`", "hours are those of a day of 24, with minutes", span)


def _clock(hour: str, minute: str | None, half: str | None) -> str:
    late = 12 * (half is not None and half.lower() == "pm")
    return f"{int(hour) % 12 + late if half else int(hour):02}:{minute or '00'}"


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


def _kind_of_source(problem: Problem) -> Advice | None:
    tokens = [each for each in problem.values[-2:] if isinstance(each, Token)]
    if problem.found != "{" or [token.type for token in tokens] != ["SOURCE", "NAME"]:
        return None
    name = tokens[1].value
    return Advice(
        f"write `source {name} openvpn {{`, or another kind: wireguard, radius, dhcp, posture, manual",
        f"how does `{name}` vouch? its kind is missing",
    )


def _misspelt(problem: Problem) -> Advice | None:
    if len(problem.found) > 20 or not problem.found[0].isalpha():
        return None
    keywords = [name.removesuffix("_KEY").lower() for name in problem.accepted - _NO_KEYWORDS]
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
    _other_comment,
    _arrow,
    _port_alone,
    _port_range,
    _other_verb,
    _other_end,
    _stray_brace,
    _condition,
    missing_service,
    _reserved,
    _hours_alone,
    _hours_by_halves,
    _bad_name,
    _kind_of_source,
    _misspelt,
    _quotes,
    _missing_comma,
)
