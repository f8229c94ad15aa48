"""Flows that change nothing (`SEG307`): said twice, or granted already by the union of others.

What is reported could be deleted all at once: of flows that stand in for each other, the first in the
source stays. A flow that logs is only redundant to what logs as well; one with a `limit` grants less than
it matches, so it stands in for nothing, and has a counter of its own, so nothing stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.conflicts.bypass import Bypass
from segc.analysis.conflicts.context import Context, is_deny
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.dead import Losses
from segc.analysis.conflicts.survey import Clause
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Zone


def check_redundant(context: Context, losses: Losses, bypassed: Bypass) -> Iterator[Diagnostic]:
    removed = losses.never | losses.dead.keys()
    for flow, first in duplicates(context):
        if flow not in removed:
            removed.add(flow)
            yield _duplicate(flow, first)
    for flow in reversed(list(context.enforced("allow"))):
        if flow in removed or flow.kind != "flow" or flow.limit or flow in bypassed.wholly:
            continue
        by = standing_in(flow, context, removed)
        if by:
            removed.add(flow)
            yield _redundant(flow, by, context)


def duplicates(context: Context) -> Iterator[tuple[Flow, Flow]]:
    """Flows that say what an earlier one says, with that one."""
    known: dict[object, Flow] = {}
    for flow in context.flows:
        if flow.kind == "flow":
            ends = id(flow.source), id(flow.destination)
            said = (flow.action, flow.staged, ends, flow.services, flow.conditions, flow.limit, flow.log)
            first = known.setdefault(said, flow)
            if first is not flow:
                yield flow, first


def standing_in(flow: Flow, context: Context, removed: set[Flow]) -> list[Clause]:
    """What decides all of a flow's traffic as it would; nothing if some of it hangs on this flow."""

    def wanted(clause: Clause) -> bool:
        by = clause.by
        if isinstance(by, Zone):
            return not flow.log
        if by is flow or by in removed:
            return False
        return by.action == "deny" or (by.limit is None and by.log >= flow.log)

    used: dict[Clause, None] = {}
    for clause in context.survey.by_flow[flow]:
        gap, by = context.decisions.of_clause(clause, wanted)
        if gap is not None:
            return []
        used.update(dict.fromkeys(by))
    return list(used)


def _duplicate(flow: Flow, first: Flow) -> Diagnostic:
    return finding(
        "SEG307",
        f"this {flow.action} is said twice",
        flow.span,
        "again here",
        also=(Label(first.span, "first here"),),
        help="delete one of them",
    )


def _redundant(flow: Flow, by: list[Clause], context: Context) -> Diagnostic:
    survey, wording = context.survey, context.wording
    grants = {each.by for each in by if not is_deny(each.by)}
    gap: Gap | None = context.undenied(flow)
    assert gap is not None, "a flow that is wholly denied is dead"
    return finding(
        "SEG307",
        "this flow adds nothing: others already grant all of it",
        flow.span,
        f"allows {wording.clauses(survey.by_flow[flow])}",
        also=wording.labels({each.by for each in by}, lambda each: _word(each, len(grants))),
        notes=(f"for instance: {wording.witness(gap).text} is allowed without it",),
        help="delete it, or narrow what grants more than it should",
    )


def _word(by: Flow | Zone, grants: int) -> str:
    if isinstance(by, Zone):
        return "hosts of one zone may talk without a flow"
    if by.action == "deny":
        return "denies the rest"
    return "grants all of it" if grants == 1 else "grants a part of it"
