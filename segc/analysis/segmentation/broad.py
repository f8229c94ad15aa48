"""Flows broader than they need to be (`SEG411`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline, allows, ports
from segc.analysis.segmentation.wording import many
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import End, Flow
from segc.space import intervals
from segc.space.services import ANY_SERVICE, ServiceSet

DOES = {"serve": "serves", "manage": "is managed by"}


class Breadth:
    """What makes a flow broad; each end and each service set is looked at once."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._inward: dict[tuple[End, End], str] = {}
        self._outside = [
            outline.rests[i] for i, zone in enumerate(outline.zones) if zone.external and outline.rests[i]
        ]
        self._everywhere = sum(1 << cell for cell in range(len(outline.spaces)))

    def suspects(self) -> Iterator[Flow]:
        """The flows that may have a reason, each once: by their services, or by an end."""
        outline = self.outline
        found = dict.fromkeys(outline.wide_open)
        for end, flows in outline.by_source.items():
            if any(
                outline.open_to_all[end] >> cell & 1 for cells in self._outside for cell in cells.values()
            ):
                found.update(dict.fromkeys(flows))
        for end, flows in outline.by_destination.items():
            if outline.wide[end] & self._everywhere == self._everywhere:
                found.update(dict.fromkeys(flows))
        return (flow for flow in allows(found) if flow.kind == "flow")

    def reasons(self, flow: Flow) -> tuple[str, ...]:
        return tuple(
            filter(None, (self._services(flow.services), self._entering(flow), self._anywhere(flow)))
        )

    def _services(self, services: ServiceSet) -> str:
        most, count = self.outline.limits["flow-ports"], ports(services)
        if services == ANY_SERVICE:
            return "every service, whatever a host comes to offer"
        return f"{count:,} ports, and flow-ports is {most:,}" if count > most else ""

    def _entering(self, flow: Flow) -> str:
        """The internet, into more addresses than are meant for the public."""
        if not self._outside or flow.destination.gateways:
            return ""
        key = flow.source, flow.destination
        if key not in self._inward:
            self._inward[key] = self._addresses(flow)
        return self._inward[key]

    def _addresses(self, flow: Flow) -> str:
        outline, most = self.outline, self.outline.limits["inward-addresses"]
        source = outline.open_to_all[flow.source]
        families = [f for cells in self._outside for f, cell in cells.items() if source >> cell & 1]
        inside = outline.wide[flow.destination] & ~outline.external
        space = outline.space_of(inside)
        count = max((intervals.count(space.ranges(family)) for family in families), default=0)
        return (
            f"anybody outside reaches {many(count)} addresses, and inward-addresses is {most}"
            if count > most
            else ""
        )

    def _anywhere(self, flow: Flow) -> str:
        outline = self.outline
        if not outline.external or outline.wide[flow.destination] & self._everywhere != self._everywhere:
            return ""
        return f"the destination is every zone, {len(outline.inner)} of the network's own and the outside"


def check_broad(outline: Outline) -> Iterator[Diagnostic]:
    breadth = Breadth(outline)
    for flow in breadth.suspects():
        reasons = breadth.reasons(flow)
        if reasons:
            yield finding(
                "SEG411",
                "this flow is broader than a need can be",
                flow.span,
                reasons[0],
                notes=(
                    *reasons[1:],
                    "it saves asking what is used, and costs that whatever is caught may use all of it",
                ),
                help="name the services and ends that are needed (`staged deny` counts what else is used), "
                "or accept a range that a product needs, as for media",
            )
    yield from _serves_everybody(outline)


def _serves_everybody(outline: Outline) -> Iterator[Diagnostic]:
    """`serve dns to any` is an open resolver: the outside is a part of `any`."""
    for end, flows in outline.by_source.items():
        if end.text != "any" or not outline.external:
            continue
        for flow in flows:
            if flow.kind in ("serve", "manage"):
                outside = next(zone.name for zone in outline.zones if zone.external)
                yield finding(
                    "SEG411",
                    f"the gateway {DOES[flow.kind]} everybody outside, too",
                    flow.span,
                    f"`any` takes in the external zone `{outside}`",
                    help=f"write `any except {outside}`, or name the zones that need it",
                )
