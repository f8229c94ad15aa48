"""Ends that mean something else than what they read as."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise

from segc.policy.ends.text import term_text, where
from segc.policy.scope import Findings
from segc.syntax import tree


def check_misread(end: tree.End, zones: Collection[str], findings: Findings) -> None:
    """`SEG113` and `SEG114`. Who writes brackets behind `in` knows what a comma does."""
    _check_in(end, findings)
    for people, place in pairwise(end.terms):
        match place:
            case tree.NameTerm(name, None) if name.text in zones and len(zones_of(people)) == 1:
                _whoever_is_there(people, place, findings)


def _whoever_is_there(people: tree.Term, place: tree.NameTerm, findings: Findings) -> None:
    zones, whom = (*zones_of(people), place.name), _anywhere(people)
    findings.add(
        "SEG114",
        f"`{place.name.text}` holds whoever is there, not only `{whom}`",
        place.span,
        "needs no session",
        help=f"write `{whom}{where(zones)}`, or, if whoever is there is meant, put `{place.name.text}` first",
    )


def _check_in(end: tree.End, findings: Findings) -> None:
    """`SEG113`: the only `in` of an end stands behind its `except`, and reads as if it held for all of it."""
    last = end.excepted[-1] if end.excepted else None
    kept = [each for each in end.terms if isinstance(each, tree.GroupTerm | tree.UserTerm)]
    if not isinstance(last, tree.GroupTerm | tree.UserTerm) or not last.zones or not kept:
        return
    if any(map(zones_of, (*kept, *end.excepted[:-1]))):
        return
    there, whom = where(last.zones), " and ".join(f"`{term_text(each)}`" for each in kept)
    terms = ", ".join(term_text(each) + there * (each in kept) for each in end.terms)
    excepted = ", ".join((*map(term_text, end.excepted[:-1]), _anywhere(last)))
    findings.add(
        "SEG113",
        f"`{there.strip()}` holds for `{_anywhere(last)}` only, and not for {whom}",
        last.span,
        "taken out there, and nowhere else",
        help=f"write `{terms} except {excepted}`, or say after each group where it sits",
    )


def zones_of(term: tree.Term) -> tuple[tree.Word, ...]:
    """Where its people have to sit; nowhere in particular where that is empty."""
    return term.zones if isinstance(term, tree.GroupTerm | tree.UserTerm) else ()


def _anywhere(term: tree.Term) -> str:
    """The people of a term, without where they have to sit."""
    return term_text(replace(term, zones=()) if isinstance(term, tree.GroupTerm | tree.UserTerm) else term)
