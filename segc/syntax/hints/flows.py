"""Mistakes in flows: their verbs, services, conditions and hours."""

from __future__ import annotations

import re
from typing import Any

from lark import Token

from segc.space.protocols import WHOLE_PROTOCOLS
from segc.syntax.hints.problem import Advice, Problem

_WORDS = {"flow": {"require", "when", "until"}, "test": {"with"}}
_VERBS = {
    **dict.fromkeys(("permit", "accept", "pass", "grant"), "allow"),
    **dict.fromkeys(("block", "drop", "reject", "forbid"), "deny"),
}
_CONDITIONS = frozenset({"mfa"}).union(*_WORDS.values())
_SPAN = re.compile(
    r"(?P<h1>\d{1,2})(?::(?P<m1>\d\d))?[ \t]*(?P<half1>[AaPp][Mm])?[ \t]*(?:-|–|to)[ \t]*"
    r"(?P<h2>\d{1,2})(?::(?P<m2>\d\d))?[ \t]*(?P<half2>[AaPp][Mm])?(?!\w)"
)


def other_verb(problem: Problem) -> Advice | None:
    verb = _VERBS.get(problem.found.lower())
    return Advice(f"write `{verb}`") if verb and "ALLOW" in problem.accepted and problem.starts_line else None


def missing_service(problem: Problem) -> Advice | None:
    if "COLON" not in problem.accepted or "ARROW" in problem.accepted or problem.found in {"=", ";"}:
        return None
    if problem.found in WHOLE_PROTOCOLS or "/" in problem.found:
        return Advice(f"write `: {problem.found}`")
    return Advice("say which services may pass: `: https`, or `: any`")


def port_alone(problem: Problem) -> Advice | None:
    """`: 443`, `: port 443`, `: tcp 443` and `: tcp:443` for `: tcp/443`."""
    text, at = problem.source.text, problem.at
    number = re.compile(r"[:/]?[ \t]*(\d[\d-]*)").match(text, at)
    if number is None:
        return None
    if "LITERAL" in problem.accepted and problem.found[0].isdigit():
        return Advice(f"a port needs its protocol: `tcp/{number[1]}`")
    service = problem.last
    if not _is(service, "NAME") or service.value not in WHOLE_PROTOCOLS | {"port", "ports"}:
        return None
    protocol = service.value if service.value in WHOLE_PROTOCOLS else "tcp"
    span = problem.source.span(service.start_pos or 0, number.end())
    message = "a service is written as protocol, `/` and port"
    return Advice(f"write `{protocol}/{number[1]}`", message, span)


def port_range(problem: Problem) -> Advice | None:
    """`tcp/8000:8100` for `tcp/8000-8100`."""
    match = re.compile(r"([a-z]+/\d+)(?::|\.\.)(\d+)").match(problem.source.text, problem.word_before)
    if match is None or match.start(2) <= problem.at:
        return None
    span = problem.source.span(match.start(), match.end())
    return Advice(f"write `{match[1]}-{match[2]}`", "a range of ports is written with `-`", span)


def condition(problem: Problem) -> Advice | None:
    """`with mfa` in a flow, `require mfa` in a test, and either before the service."""
    found, values = problem.found, problem.values
    if found not in _CONDITIONS or any(_is(each, "NEVER", "SET") for each in values):
        return None
    place = next((n for n, each in enumerate(values) if each is problem.opened), 0)
    if problem.opened is not None and not _is(values[place - 1], "STRING"):
        return None
    where, right, wrong = (
        ("flow", "require", "with") if problem.opened is None else ("test", "with", "require")
    )
    if problem.accepted & {"ARROW", "COLON"}:
        word = found if found in {"when", "until"} else right
        return Advice(f"in a {where}, write `{word} …` after the service") if word in _WORDS[where] else None
    if found == wrong or (found == "mfa" and right.upper() in problem.accepted):
        return Advice(f"in a {where}, write `{right} mfa` or `{right} posture NAME`")
    return None


def _is(value: Any, *types: str) -> bool:
    return isinstance(value, Token) and value.type in types


def second_factor(problem: Problem) -> Advice | None:
    """`require 2fa` and the like for `require mfa`."""
    if "MFA" in problem.accepted and problem.found.lower() in {"2fa", "otp", "totp"}:
        return Advice("write `mfa`")
    return None


def all_ports(problem: Problem) -> Advice | None:
    """`tcp/*` for `tcp`, and `*` for `any`."""
    if problem.found == "*" and "LITERAL" in problem.accepted:
        return Advice("write `any`")
    match = re.compile(r"([a-z]+)/\*").match(problem.source.text, problem.word_before)
    if match is None or match[1] not in WHOLE_PROTOCOLS:
        return None
    span = problem.source.span(match.start(), match.end())
    return Advice(f"write `{match[1]}`", "a whole protocol is written as its name", span)


def hours_behind_comma(problem: Problem) -> Advice | None:
    """`mon-fri, 09:00-17:00`, and a second span behind the first."""
    if _is(problem.last, "HOURS") and problem.found == ",":
        return Advice("a flow has one span of hours: write another flow for the next")
    hours = "NAME" in problem.accepted and "LITERAL" not in problem.accepted and ":" in problem.found
    if _is(problem.last, "COMMA") and hours and _SPAN.match(problem.found):
        return Advice("delete the comma before the hours")
    return None


def hours_alone(problem: Problem) -> Advice | None:
    if _is(problem.last, "WHEN") and problem.found[0].isdigit():
        return Advice(f"name the days first: `daily {problem.found}`")
    return None


def hours_by_halves(problem: Problem) -> Advice | None:
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
