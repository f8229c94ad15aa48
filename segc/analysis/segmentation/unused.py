"""Names that nothing needs, and zones that nothing may enter or leave (`SEG407`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Unused
from segc.space.prefixes import union

CARRIED_ALONG = "every name is read by whoever reviews the policy, and may come to mean something else"


def check_unused(outline: Outline) -> Iterator[Diagnostic]:
    if not outline.policy.flows:  # an inventory, to be used elsewhere
        return
    for each in outline.policy.unused:
        yield _unused(each, "no statement needs it", "delete it")
    promised = union(end.space for each in outline.policy.nevers for end in (each.source, each.destination))
    attached = Counter(a.zone for g in outline.policy.gateways.values() for a in {*g.attachments})
    for number in outline.inner:
        zone = outline.zones[number]
        joins_gateways = attached[zone.name] > 1
        shut_on_purpose = zone.space.overlaps(promised)
        if joins_gateways or shut_on_purpose:
            continue
        if not any(flow.action == "allow" for flow in outline.speaking_of(number)):
            unused = Unused("zone", zone.name, zone.span)
            yield _unused(
                unused, "nothing may enter or leave it", "delete it, or write the flows that it is for"
            )


def _unused(unused: Unused, label: str, help: str) -> Diagnostic:
    message = f"the {unused.kind} `{unused.name}` is unused"
    return finding("SEG407", message, unused.span, label, notes=(CARRIED_ALONG,), help=help)
