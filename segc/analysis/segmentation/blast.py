"""Zones from which much of the network is one hop away (`SEG412`)."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator

from segc.analysis.segmentation.onehop import OneHop
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.wording import listing
from segc.diagnostics.model import Diagnostic, finding

FEWEST = 5  # zones, or shares say nothing
TOLD = 3


def check_blast(outline: Outline) -> Iterator[Diagnostic]:
    """The zones that reach most. A pair that a deny touches as well is left to `segc suggest exposure`."""
    others, most = len(outline.inner) - 1, outline.limits["blast-radius"]
    if others + 1 < FEWEST:
        return
    reach = OneHop(outline)
    cells = {zone: reach.surely(zone) for zone in outline.inner}
    bounds = sorted((-reach.runs(reached).bit_count(), zone) for zone, reached in cells.items())
    wide: list[tuple[int, int, list[int]]] = []
    for bound, zone in bounds:
        enough = len(wide) >= TOLD and wide[TOLD - 1][0] < bound
        if enough or -bound * 100 <= most * others:
            break
        reached = reach.zones(cells[zone], but=zone)
        if len(reached) * 100 > most * others:
            insort(wide, (-len(reached), zone, reached))
    for _, zone, reached in wide[:TOLD]:
        yield _told(outline, zone, reached)


def _told(outline: Outline, zone: int, reached: list[int]) -> Diagnostic:
    others, most = len(outline.inner) - 1, outline.limits["blast-radius"]
    names = listing([f"`{outline.zones[each].name}`" for each in reached])
    return finding(
        "SEG412",
        f"from zone `{outline.zones[zone].name}` at least {len(reached)} of {others} others are one hop away",
        outline.zones[zone].span,
        f"{len(reached) * 100 // others}%, and blast-radius is {most}%",
        notes=(
            f"these are {names}; `segc suggest exposure` tells what is behind them",
            "whoever takes over one host of the zone may go on from there without another rule being wrong",
        ),
        help="narrow its flows to the hosts and services that are needed",
    )
