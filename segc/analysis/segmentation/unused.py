"""Names that nothing needs, and zones that nothing may enter or leave (`SEG407`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Unused

CARRIED_ALONG = "every name is read by whoever reviews the policy, and may come to mean something else"


def check_unused(outline: Outline) -> Iterator[Diagnostic]:
    if not outline.policy.flows:  # an inventory, to be used elsewhere
        return
    for each in outline.policy.unused:
        yield _unused(each, "no statement needs it", "delete it")
    attached = Counter(a.zone for g in outline.policy.gateways.values() for a in {*g.attachments})
    for number in outline.inner:
        if attached[outline.zones[number].name] > 1:  # it joins gateways
            continue
        flows = outline.speaking_of(number)
        if not any(flow.action == "allow" for flow in flows):
            zone = outline.zones[number]
            unused = Unused("zone", zone.name, zone.span)
            yield _unused(
                unused, "nothing may enter or leave it", "delete it, or write the flows that it is for"
            )


def _unused(unused: Unused, label: str, help: str) -> Diagnostic:
    message = f"the {unused.kind} `{unused.name}` is unused"
    return finding("SEG407", message, unused.span, label, notes=(CARRIED_ALONG,), help=help)
