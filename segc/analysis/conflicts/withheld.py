"""Denials that one evades by proving less: `deny … require posture X` stops only who meets X (`SEG323`).

Requirements make an allow stricter, and a deny weaker. So each deny that has some is held against what is
allowed as if it had none: what no deny stops then is let through for want of a fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.dead import COUNTED, Losses
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Flow


class Withheld(NamedTuple):
    """A packet that `by` lets through, as its sender does not prove all that the deny asks for."""

    by: Flow
    passing: Gap


def withheld(context: Context, deny: Flow) -> Iterator[Withheld]:
    """How a deny is evaded, once for each flow that lets through."""
    survey, told = context.survey, set[Flow]()
    for clause in survey.by_flow[deny]:
        guard = survey.guards[clause.guard]
        bare = survey.guards.number(guard._replace(mfa=False, postures=frozenset()))
        region = survey.region(clause)._replace(guard=bare)
        for allow in context.allows.touching(clause) if bare != clause.guard else ():
            if not isinstance(allow.by, Flow) or allow.by in told:
                continue
            part = survey.meet(region, allow)
            passing, _ = context.denies.of_region(part, lambda _: True) if part else (None, [])
            if passing is not None:
                told.add(allow.by)
                yield Withheld(allow.by, passing)


def check_withheld(context: Context, losses: Losses) -> Iterator[Diagnostic]:
    for deny in context.enforced("deny"):
        if deny not in losses.never:
            found = list(islice(withheld(context, deny), COUNTED))
            if found:
                yield _told(deny, found, context)


def _told(deny: Flow, found: list[Withheld], context: Context) -> Diagnostic:
    passing = found[0].passing
    second = ["a second factor"] * (deny.conditions.mfa and not passing.guard.mfa)
    postures = sorted({*deny.conditions.postures} - passing.guard.postures)
    lacking = " or ".join([*second, *(f"posture `{each}`" for each in postures)])
    return finding(
        "SEG323",
        f"who does not prove {lacking} evades this deny",
        deny.span,
        "holds only for who proves it",
        also=context.wording.labels({each.by for each in found}, lambda _: "lets through who does not"),
        notes=(f"for instance: {context.wording.witness(passing).text} is allowed",),
        help="to let in only who proves it, write `require` where you allow; to deny all, take it off here",
    )
