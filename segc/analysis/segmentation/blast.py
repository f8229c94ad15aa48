"""Zones from which much of the network is one hop away (`SEG412`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.reach import Reach
from segc.analysis.segmentation.wording import listing
from segc.diagnostics.model import Diagnostic, finding

FEWEST = 5  # zones, or shares say nothing
TOLD = 3


def check_blast(outline: Outline) -> Iterator[Diagnostic]:
    """The zones that reach most. Those are looked at first whose allows alone would reach most."""
    others, most = len(outline.inner) - 1, outline.limits["blast-radius"]
    if others + 1 < FEWEST:
        return
    reach, told = Reach(outline), 0
    bounds = {zone: _bound(reach, zone, most * others) for zone in outline.inner}
    for zone in sorted(outline.inner, key=lambda each: (-bounds[each], each)):
        if told == TOLD or bounds[zone] * 100 <= most * others:
            return
        reached = reach.zones(reach.of_zone(zone)[0], but=zone)
        if len(reached) * 100 > most * others:
            told += 1
            yield _told(outline, reach, zone, reached)


def _bound(reach: Reach, zone: int, enough: int) -> int:
    """No less than the number of zones that are one hop away; cells are counted first, for there are more."""
    cells = reach.most(zone)
    count = cells.bit_count()
    return len(reach.zones(cells, but=zone)) if count * 100 > enough else count


def _told(outline: Outline, reach: Reach, zone: int, reached: list[int]) -> Diagnostic:
    others, most = len(outline.inner) - 1, outline.limits["blast-radius"]
    last = len(reach.zones(reach.of_zone(zone)[2], but=zone))
    names = listing([f"`{outline.zones[each].name}`" for each in reached])
    return finding(
        "SEG412",
        f"from zone `{outline.zones[zone].name}`, {len(reached)} of {others} other zones are one hop away",
        outline.zones[zone].span,
        f"{len(reached) * 100 // others}%, and blast-radius is {most}%",
        notes=(
            f"these are {names}; in any number of hops there are {last}",
            "whoever takes over one host of the zone may go on from there without another rule being wrong",
        ),
        help="narrow its flows to the hosts and services that are needed",
    )
