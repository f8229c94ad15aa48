"""Pairs of zones so open to each other that the boundary between them decorates (`SEG406`)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import product

from segc.analysis.segmentation.outline import BOUNDARY, WHOLE, Outline, ports
from segc.analysis.segmentation.wording import listing, some
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Conditions, End, Flow
from segc.space.services import EMPTY, ServiceSet

PLAIN = Conditions()


def check_decorative(outline: Outline) -> Iterator[Diagnostic]:
    """For each pair of kinds of zones, one finding: zones of a kind are alike to the flows that count."""
    flows = [flow for flow in outline.wide_open if _counts(flow)]
    if not flows:
        return
    kinds = _kinds(outline, flows)
    opened: dict[tuple[int, int], ServiceSet] = {}
    for flow in flows:
        here, there = (
            [n for n, zones in enumerate(kinds) if _holds(outline, end, zones[0])] for end in flow.ends
        )
        for pair in product(here, there):
            opened[pair] = opened.get(pair, EMPTY) | flow.services
    for (one, other), services in sorted(opened.items()):
        if one <= other and (other, one) in opened and (one < other or len(kinds[one]) > 1):
            a, b = kinds[one][0], kinds[other][one == other]
            share = min(_share(outline, a, b, services), _share(outline, b, a, opened[other, one]))
            if share * 100 >= outline.limits["open-ports"] * WHOLE and set(outline.rests[a]) & set(
                outline.rests[b]
            ):
                yield _told(outline, a, b, share, len(kinds[one]) + (one != other) * len(kinds[other]) - 2)


def _counts(flow: Flow) -> bool:
    """Whether a flow opens much of a boundary, to everybody and always."""
    return flow.conditions == PLAIN and flow.limit is None and ports(flow.services) >= BOUNDARY


def _kinds(outline: Outline, flows: list[Flow]) -> list[list[int]]:
    ends = [dict.fromkeys(flow.ends[side] for flow in flows) for side in (0, 1)]
    kinds: dict[Hashable, list[int]] = {}
    for zone in outline.inner:
        kind = tuple(_holds(outline, end, zone) for side in ends for end in side)
        if any(kind):
            kinds.setdefault(kind, []).append(zone)
    return list(kinds.values())


def _holds(outline: Outline, end: End, zone: int) -> bool:
    """Whether an end holds all of a zone, whoever sits there."""
    plain = not any(part.unless for part in end.parts)
    return plain and not outline.masks[zone] & ~outline.open_to_all[end]


def _share(outline: Outline, source: int, destination: int, services: ServiceSet) -> int:
    """Ports that are open from all of one zone to all of another, less what any deny may take."""
    masks, wide = outline.masks, outline.wide
    for end in outline.holding(source):
        for flow in outline.by_source.get(end, ()):
            if flow.action == "deny" and not flow.staged and wide[flow.destination] & masks[destination]:
                services = services - flow.services
    return ports(services)


def _told(outline: Outline, one: int, other: int, share: int, more: int) -> Diagnostic:
    first, second = outline.zones[one], outline.zones[other]
    names = listing([f"`{first.name}`", f"`{second.name}`"])
    alike = (
        f", and {some(more, 'more zone')} {'is' if more == 1 else 'are'} open to them alike" if more else ""
    )
    return finding(
        "SEG406",
        f"the boundary between {names} decorates: {share * 100 // WHOLE}% of all ports are open both ways",
        second.span,
        f"open-ports is {outline.limits['open-ports']} percent{alike}",
        also=(Label(first.span, "open to this zone"),),
        notes=(
            f"merging them exposes the other {100 - share * 100 // WHOLE}% and saves the flows between them",
            "a boundary that lets everything pass is believed in, and holds nothing back",
        ),
        help="name the services that are needed between them, or make them one zone",
    )
