"""Words in the wrong place: names that may not be, misspelt keywords, quotes too many or too few."""

from __future__ import annotations

import re
from difflib import get_close_matches

from lark import Token

from segc.syntax.hints.problem import Advice, Problem

RESERVED = frozenset({"any", "group", "user", "tag", "gateway", "as", "in"})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d?:\d\d(?!\w)")
_NO_KEYWORDS = frozenset(
    {
        *("NAME", "ZONE_NAME", "ZONE_OR_HOST", "STRING", "ADDRESS", "ADDRESS_KEY", "MAC_ADDRESS", "LITERAL"),
        *("HOURS", "VALUE", "DEVICE", "COMPARISON", "REACHES", "ARROW", "EQUAL", "COLON", "COMMA"),
        *("LBRACE", "RBRACE", "LPAR", "RPAR", "$END"),
    }
)


def reserved(problem: Problem) -> Advice | None:
    if problem.found not in RESERVED or not problem.accepted & {"ZONE_NAME", "ZONE_OR_HOST"}:
        return None
    return Advice(
        f"choose another name, such as `{problem.found}s` or `{problem.found}-net`",
        f"`{problem.found}` means something in every end, so no zone or set can be named so",
    )


def bad_name(problem: Problem) -> Advice | None:
    named = problem.accepted & {"NAME", "ZONE_NAME"} and not problem.accepted & {"VALUE", "LITERAL"}
    return Advice("a name starts with a letter or `_`") if named and problem.found[0].isdigit() else None


def kind_of_source(problem: Problem) -> Advice | None:
    tokens = [each for each in problem.values[-2:] if isinstance(each, Token)]
    if problem.found != "{" or [token.type for token in tokens] != ["SOURCE", "NAME"]:
        return None
    name = tokens[1].value
    return Advice(
        f"write `source {name} openvpn {{`, or another kind: wireguard, radius, dhcp, posture, manual",
        f"how does `{name}` vouch? its kind is missing",
    )


def misspelt(problem: Problem) -> Advice | None:
    if len(problem.found) > 20 or not problem.found[0].isalpha():
        return None
    keywords = [name.removesuffix("_KEY").lower() for name in problem.accepted - _NO_KEYWORDS]
    keywords += ["address"] if "ADDRESS_KEY" in problem.accepted else []
    close = get_close_matches(problem.found.lower(), sorted(set(keywords)), 1, 0.65)
    return Advice(f"did you mean `{close[0]}`?") if close else None


def date_and_time(problem: Problem) -> Advice | None:
    """`at 2026-11-24 09:30` for `at "2026-11-24 09:30"`."""
    match = _MOMENT.match(problem.source.text, problem.at)
    if match is None or "STRING" not in problem.accepted or "VALUE" in problem.accepted:
        return None
    span = problem.source.span(problem.at, match.end())
    return Advice(f'put it in double quotes: `"{match[0]}"`', span=span)


def quotes(problem: Problem) -> Advice | None:
    if problem.found[0] == '"' and "VALUE" in problem.accepted and len(problem.found) > 2:
        return Advice(f"write {problem.found[1:-1]} without quotes")
    if "STRING" in problem.accepted and problem.found[0].isalnum() and "DEVICE" not in problem.accepted:
        return Advice(f'put it in double quotes: `"{problem.found[:40]}"`')
    return None
