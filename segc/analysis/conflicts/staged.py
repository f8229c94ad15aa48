"""What staged denies would cut, were they enforced (`SEG309`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.dead import COUNTED, Losses
from segc.analysis.conflicts.survey import Region
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Flow, Zone


def check_staged(context: Context, losses: Losses) -> Iterator[Diagnostic]:
    for flow in context.flows:
        if flow.staged and flow.action == "deny" and flow not in losses.never:
            yield from _preview(flow, context)


def _preview(deny: Flow, context: Context) -> Iterator[Diagnostic]:
    cut: dict[Flow | Zone, Region] = {}
    shown: Gap | None = None
    for by, region, gap in would_cut(deny, context):
        cut.setdefault(by, region)
        shown = shown or gap
        if len(cut) >= COUNTED:
            break
    if shown is None:
        return
    wording = context.wording
    count = "at least " * (len(cut) >= COUNTED) + f"{len(cut)} statement{'s' * (len(cut) > 1)}"
    yield finding(
        "SEG309",
        f"once enforced, this deny will cut what {count} open{'s' * (len(cut) == 1)} now",
        deny.span,
        "staged: counted, not enforced",
        also=wording.labels(cut, lambda by: f"would lose {wording.region(cut[by])}"),
        notes=(f"for instance: {wording.witness(shown).text} is allowed now",),
    )


def would_cut(deny: Flow, context: Context) -> Iterator[tuple[Flow | Zone, Region, Gap]]:
    """What is open now and meets a deny, less what enforced denies take already."""
    survey = context.survey
    for clause in survey.by_flow[deny]:
        region = survey.region(clause)
        for other in context.allows.touching(clause):
            both = survey.meet(region, other)
            if both is not None:
                gap, _ = context.denies.of_region(both, lambda each: True)
                if gap is not None:
                    yield other.by, both, gap
