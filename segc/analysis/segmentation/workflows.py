"""Workflows that cross too many enforcement points or need too many flows (`SEG405`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.wording import some
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Step, Workflow
from segc.policy.topology import Position, ZoneIndex, position


def check_workflows_length(outline: Outline) -> Iterator[Diagnostic]:
    if not outline.policy.workflows:
        return
    positions = [position(outline.policy, gateway) for gateway in outline.policy.gateways.values()]
    index = ZoneIndex(outline.policy.zones.values())
    most = outline.limits["workflow-crossings"], outline.limits["workflow-flows"]
    for workflow in outline.policy.workflows:
        crossings = [_crossings(step, index, positions) for step in workflow.steps]
        flows = list(dict.fromkeys(flow for step in workflow.steps for flow in opening(step, outline)))
        if sum(crossings) > most[0] or len(flows) > most[1]:
            yield _long(workflow, crossings, flows, most)


def _crossings(step: Step, index: ZoneIndex, positions: Sequence[Position]) -> int:
    """How many gateways stand between the ends of a step, at the most distant of their zones."""
    pairs = {(a, b) for a in index.zones(step.source.space) for b in index.zones(step.destination.space)}
    counts = (sum(a != b and seen.stands_between(a, b) for seen in positions) for a, b in pairs)
    return max(counts, default=0)


def opening(step: Step, outline: Outline) -> Iterator[Flow]:
    """The allows that open any of a step."""
    here, there = step.source.space, step.destination.space
    for end, flows in outline.by_source.items():
        if end.space.overlaps(here) or set(end.gateways) & set(step.source.gateways):
            for flow in allows(flows):
                ends = flow.destination.space.overlaps(there)
                gateways = set(flow.destination.gateways) & set(step.destination.gateways)
                if (ends or gateways) and flow.services.overlaps(step.services):
                    yield flow


def _long(
    workflow: Workflow, crossings: Sequence[int], flows: Sequence[Flow], most: tuple[int, int]
) -> Diagnostic:
    total = sum(crossings)
    longest = workflow.steps[crossings.index(max(crossings))]
    return finding(
        "SEG405",
        f"the workflow `{workflow.name}` crosses enforcement points {some(total, 'time')} "
        f"and needs {some(len(flows), 'flow')}",
        workflow.span,
        f"workflow-crossings is {most[0]}, workflow-flows is {most[1]}",
        also=(Label(longest.span, f"{max(crossings)} of them in this step"),),
        notes=(
            "each of them is a place where this work can stop, and one more to look at when it does",
            "what they are worth is that no system of the chain is reached but by its step",
        ),
        help="put systems of one chain closer together, or let one flow serve several steps",
    )
