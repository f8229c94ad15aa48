"""Zones that nearly no statement tells apart (`SEG402`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain, islice

from segc.analysis.segmentation.alike import kinds, merge, parted
from segc.analysis.segmentation.merging import Merger
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.wording import certificate
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import End, Flow

TOLD = 50  # pairs
SHARING = 32  # zones with a rare statement in common, at most


def check_near(outline: Outline, taken: Collection[str]) -> Iterator[Diagnostic]:
    """`taken` are the zones that may go altogether."""
    pairs = (
        (one, other, n)
        for one, other, n in near_zones(outline)
        if not {outline.zones[one].name, outline.zones[other].name} & set(taken)
    )
    for one, other, statements in islice(pairs, TOLD):
        yield _near(merge(outline, one, other), statements)


def near_zones(outline: Outline) -> Iterator[tuple[int, int, int]]:
    """Pairs with the number of statements that are said of one only, the fewest first.

    Sets that differ in at most k members share one of their k + 1 rarest (the prefix filter of Bayardo, Ma
    and Srikant, Scaling Up All Pairs Similarity Search, 2007), so only those that do are compared.
    """
    most, share = outline.limits["near-statements"], outline.limits["near-share"]
    said = _statements(outline)
    often = Counter(chain.from_iterable(said.values()))
    likely = {zone: items for zone, items in said.items() if sum(often[i] == 1 for i in items) <= most}
    pairs: dict[tuple[int, int], None] = {}
    for kind in kinds(outline):
        sharing: dict[int, list[int]] = {}
        for zone in filter(likely.__contains__, kind):
            for item in sorted(likely[zone], key=lambda i: (often[i], i))[: most + 1]:
                before = sharing.setdefault(item, [])
                pairs.update(((other, zone), None) for other in before[-SHARING:])
                before.append(zone)
    found = []
    for one, other in pairs:
        apart, common = len(said[one] ^ said[other]), len(said[one] & said[other])
        largest = max(len(said[one]), len(said[other]))
        if apart <= most and common * 100 >= share * largest and not parted(outline, one, other):
            found.append((apart, one, other))
    return ((one, other, apart) for apart, one, other in sorted(found))


def _statements(outline: Outline) -> dict[int, set[int]]:
    """What is said of the rest of each zone, numbered: flows without the end that the zone is on."""
    numbers: dict[object, int] = {}
    said: dict[int, set[int]] = {}
    of_end: dict[tuple[End, int], list[int]] = {}
    for zone in outline.inner:
        items = said[zone] = set()
        for cell in set(outline.rests[zone].values()):
            for end in outline.holders[cell]:
                for side, flows in enumerate((outline.by_source, outline.by_destination)):
                    if (end, side) not in of_end:
                        of_end[end, side] = [
                            numbers.setdefault(_said(flow, side), len(numbers)) for flow in flows.get(end, ())
                        ]
                    items.update(of_end[end, side])
    return said


def _said(flow: Flow, side: int) -> object:
    who = tuple((part.subject, part.unless) for part in flow.ends[side].parts)
    other = flow.ends[1 - side]
    return side, who, other, flow.services, flow.action, flow.staged, flow.conditions, flow.limit, flow.log


def _near(merged: Merger, statements: int) -> Diagnostic:
    one, other = merged.first, merged.second
    apart = f"{statements} statement{'' if statements == 1 else 's'}" if statements else "no more than hosts"
    return finding(
        "SEG402",
        f"zones `{one.name}` and `{other.name}` are nearly the same: {apart} tell them apart",
        other.span,
        also=(Label(one.span, "nearly this one"),),
        notes=certificate(merged),
        help=f"if what differs is an accident, `segc suggest merge {one.name} {other.name}` shows the edit",
    )
