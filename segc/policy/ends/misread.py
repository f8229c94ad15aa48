"""Ends that mean something else than what they read as."""

from __future__ import annotations

from dataclasses import replace

from segc.policy.ends.text import term_text, where
from segc.policy.scope import Findings
from segc.syntax import tree


def check_in(end: tree.End, findings: Findings) -> None:
    """`SEG113`: the only `in` of an end stands behind its `except`, and reads as if it held for all of it."""
    last = end.excepted[-1] if end.excepted else None
    kept = [each for each in end.terms if isinstance(each, tree.GroupTerm | tree.UserTerm)]
    if not isinstance(last, tree.GroupTerm | tree.UserTerm) or not last.zones or not kept:
        return
    if any(map(zones_of, (*kept, *end.excepted[:-1]))):
        return
    there, whom = where(last.zones), " and ".join(f"`{term_text(each)}`" for each in kept)
    terms = ", ".join(term_text(each) + there * (each in kept) for each in end.terms)
    excepted = ", ".join(map(term_text, (*end.excepted[:-1], replace(last, zones=()))))
    findings.add(
        "SEG113",
        f"`{there.strip()}` holds for `{term_text(replace(last, zones=()))}` only, and not for {whom}",
        last.span,
        "taken out there, and nowhere else",
        help=f"write `{terms} except {excepted}`, or say after each group where it sits",
    )


def zones_of(term: tree.Term) -> tuple[tree.Word, ...]:
    """Where its people have to sit; nowhere in particular where that is empty."""
    return term.zones if isinstance(term, tree.GroupTerm | tree.UserTerm) else ()
