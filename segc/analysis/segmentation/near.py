"""Zones that nearly no statement tells apart (`SEG402`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import chain

from segc.analysis.segmentation.alike import kinds, merge, parted
from segc.analysis.segmentation.merging import Merger
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.wording import certificate
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Conditions, End, Flow

PLAIN = Conditions()
TOLD = 50  # pairs
SHARING = 32  # zones with a rare statement in common, at most


def check_near(outline: Outline, taken: Collection[str]) -> Iterator[Diagnostic]:
    """`taken` are the zones that may go altogether."""
    return (_near(merged, statements) for merged, statements in nearly_same(outline, taken))


def nearly_same(outline: Outline, taken: Collection[str]) -> Iterator[tuple[Merger, int]]:
    """Mergers, with how many statements they would blur."""
    told = 0
    for one, other, statements in near_zones(outline):
        if told < TOLD and not {outline.zones[one].name, outline.zones[other].name} & set(taken):
            told += 1
            yield merge(outline, one, other), statements


def near_zones(outline: Outline) -> Iterator[tuple[int, int, int]]:
    """Pairs with the number of statements that are said of one only, the fewest first.

    Sets that differ in at most k members share one of their k + 1 rarest (the prefix filter of Bayardo, Ma
    and Srikant, Scaling Up All Pairs Similarity Search, 2007), so only those that do are compared.
    """
    most, share = outline.limits["near-statements"], outline.limits["near-share"]
    said = _statements(outline, most)
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


def _statements(outline: Outline, most: int) -> dict[int, set[int]]:
    """What is said of the rest of each zone, numbered: flows without the end that the zone is on.

    Zones of which more than `most` flows say what none says elsewhere are left out: nothing is near them.
    """
    meanings: dict[object, int] = {}
    what = {flow: meanings.setdefault(_what(flow), len(meanings)) for flow in outline.policy.flows}
    lone = _lone(outline, what)
    numbers: dict[object, int] = {}

    @cache
    def said_of(end: End) -> set[int]:
        who = tuple((part.subject, part.unless) for part in end.parts)
        items = [(0, who, f.destination, what[f]) for f in outline.by_source.get(end, ())]
        items += [(1, who, f.source, what[f]) for f in outline.by_destination.get(end, ())]
        return {numbers.setdefault(item, len(numbers)) for item in items}

    found: dict[int, set[int]] = {}
    for zone in outline.inner:
        ends = dict.fromkeys(chain.from_iterable(outline.holders[c] for c in outline.rests[zone].values()))
        if sum(lone[end] for end in ends) <= most:
            found[zone] = set().union(*map(said_of, ends))
    return found


def _lone(outline: Outline, what: Mapping[Flow, int]) -> Counter[End]:
    """How many flows say something of an end, which holds one zone, that no other flow says."""
    often = Counter(what.values())
    single = {end for end in outline.ends if not _shared(outline, end)}
    unique = (flow for flow, said in what.items() if often[said] == 1)
    return Counter(end for flow in unique for end in flow.ends if end in single)


def _shared(outline: Outline, end: End) -> bool:
    """Whether an end may hold more than one zone."""
    mask = outline.wide[end]
    first = (mask & -mask).bit_length() - 1
    return bool(mask and first in outline.zone_at and mask & ~outline.masks[outline.zone_at[first]])


def _what(flow: Flow) -> object:
    if flow.conditions == PLAIN and not (flow.staged or flow.limit or flow.log):
        return flow.services, flow.action
    return flow.services, flow.action, flow.staged, flow.conditions, flow.limit, flow.log


def _near(merged: Merger, statements: int) -> Diagnostic:
    one, other = merged.zones
    apart = f"{statements} statement{'' if statements == 1 else 's'}" if statements else "no more than hosts"
    return finding(
        "SEG402",
        f"zones `{one.name}` and `{other.name}` are nearly the same: {apart} tell them apart",
        other.span,
        also=(Label(one.span, "nearly this one"),),
        notes=certificate(merged),
        help=f"if what differs is an accident, `segc suggest merge {one.name} {other.name}` shows the edit",
    )
