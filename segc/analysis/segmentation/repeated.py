"""Many flows that say the same of many ends (`SEG410`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.wording import some
from segc.diagnostics.model import Diagnostic, finding

FEWEST = 40


def check_repeated(outline: Outline) -> Iterator[Diagnostic]:
    flows = [flow for flow in allows(outline.policy.flows) if flow.kind == "flow"]
    most = outline.limits["flows-per-service-set"]
    if len(flows) < FEWEST or len(flows) <= most:
        return
    sets = {flow.services for flow in flows}
    if len(flows) <= most * len(sets):
        return
    said = [(flow.services, flow.conditions, flow.limit, flow.log) for flow in flows]
    gathered = min(
        len({(flow.ends[side], what) for flow, what in zip(flows, said, strict=True)}) for side in (0, 1)
    )
    yield finding(
        "SEG410",
        f"{len(flows)} flows are made of {some(len(sets), 'service set')}",
        min(flow.span for flow in flows),
        f"{len(flows) / len(sets):.0f} flows for each, and flows-per-service-set is {most}",
        notes=(
            f"with lists or sets as ends they could be {some(gathered, 'statement')}",
            "statements of their own are worth it where each has a reason, an owner or a counter of its own",
        ),
        help="name the zones that are treated alike as a set, or tag them, and say it once",
    )
