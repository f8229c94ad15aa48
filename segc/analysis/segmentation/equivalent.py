"""Zones that are the same to the policy (`SEG401`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from segc.analysis.segmentation.alike import kinds, merge, parted, same
from segc.analysis.segmentation.merging import Merger
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.signature import Signatures
from segc.analysis.segmentation.wording import certificate, listing
from segc.diagnostics.model import Diagnostic, Label, finding

COMPARED = 32  # classes of zones of one signature, at most
Block = tuple[int, ...]


def same_zones(outline: Outline) -> Iterator[Merger]:
    """Classes that nobody outside can tell apart, each with its first zone.

    Of zones that share a signature, those of the first `COMPARED` classes are found.
    """
    signatures = Signatures(outline)
    taken: set[int] = set()
    for group in chain.from_iterable(map(signatures.groups, kinds(outline))):
        left = [zone for zone in group if zone not in taken]
        for _ in range(COMPARED):
            if len(left) < 2:
                break
            first, *others = left
            near = tuple(zone for zone in others if not signatures.differ(first, zone))
            for block in _joined(outline, first, list(_alike(outline, first, near))):
                taken.update(block)
                yield merge(outline, first, *block)
            left = [zone for zone in others if zone not in taken]


def _alike(outline: Outline, first: int, zones: Block) -> Iterator[Block]:
    """Blocks that are the same as the first zone, found by halves: most often all are, or hardly any."""
    if zones and _one(outline, first, *zones):
        yield zones
    elif len(zones) > 1:
        half = len(zones) // 2
        yield from _alike(outline, first, zones[:half])
        yield from _alike(outline, first, zones[half:])


def _joined(outline: Outline, first: int, blocks: Sequence[Block]) -> Iterator[Block]:
    """As few blocks as can be: a promise may hold two of them apart that are each the same as the first."""
    while blocks:
        every = tuple(chain.from_iterable(blocks))
        if len(blocks) == 1 or _one(outline, first, *every):
            yield every
            return
        whole, apart = blocks[0], []
        for block in blocks[1:]:
            if _one(outline, first, *whole, *block):
                whole += block
            else:
                apart.append(block)
        yield whole
        blocks = apart


def _one(outline: Outline, *zones: int) -> bool:
    return not parted(outline, *zones) and same(outline, *zones)


def told(merged: Merger) -> Diagnostic:
    names = [zone.name for zone in merged.zones]
    return finding(
        "SEG401",
        f"zones {listing([f'`{name}`' for name in names])} are the same to the policy",
        merged.others[0].span,
        "nothing outside tells it",
        also=(Label(merged.first.span, "from this one"),),
        notes=certificate(merged),
        help=f"`segc suggest merge {' '.join(names)}` writes the edit",
    )
