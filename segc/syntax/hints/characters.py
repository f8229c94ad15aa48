"""Characters and punctuation that a policy does not take, or that are missing."""

from __future__ import annotations

import re

from segc.syntax.hints.problem import Advice, Problem
from segc.syntax.recover import STATEMENTS

_STRING = re.compile(r'"[^"\\\x00-\x08\x0a-\x1f\x7f]*+(?:\\["\\][^"\\\x00-\x08\x0a-\x1f\x7f]*+)*+"')
_CONFLICT = re.compile(r"(?:<{7}|\|{7}|={7}|>{7})(?=\s|$)")
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


def conflict(problem: Problem) -> Advice | None:
    """The lines that git-merge(1) writes around both sides, and around what they come from."""
    mark = _CONFLICT.match(problem.source.text, problem.at)
    if not mark or not problem.starts_line:
        return None
    return Advice(
        "keep what holds of both sides, and delete the lines that begin with such marks",
        "a merge conflict was left here",
        problem.source.span(*mark.span()),
    )


def bad_string(problem: Problem) -> Advice | None:
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


def other_quotes(problem: Problem) -> Advice | None:
    if problem.found[0] not in "'“”„«»‘’":
        return None
    inner = problem.found.strip("'“”„«»‘’")
    return Advice(f'write `"{inner[:40]}"`', "strings take straight double quotes")


def strange_character(problem: Problem) -> Advice | None:
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


def other_comment(problem: Problem) -> Advice | None:
    rest = problem.source.text[problem.at : problem.at + 3]
    if rest.startswith(("//", "/*")) or (problem.starts_line and rest == "-- "):
        return Advice("a comment starts with `#` and ends with its line")
    return None


def stray_brace(problem: Problem) -> Advice | None:
    if problem.found == "}" and "IMPORT" in problem.accepted:
        return Advice("delete it, or look for a `{` that is missing above", "this `}` closes nothing")
    return None


def missing_comma(problem: Problem) -> Advice | None:
    word = problem.found[0].isalnum() and problem.found not in STATEMENTS
    if word and "COMMA" in problem.accepted and not problem.starts_line:
        return Advice("lists take commas between their elements")
    return None
