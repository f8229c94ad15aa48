"""Zones that are the same to the policy (`SEG401`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segc.analysis.segmentation.alike import kinds, merge, parted, same
from segc.analysis.segmentation.merging import Merger
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.signature import Signatures
from segc.analysis.segmentation.wording import certificate
from segc.diagnostics.model import Diagnostic, Label, finding

COMPARED = 32  # zones of one signature that a zone is compared with, at most


def same_zones(outline: Outline) -> Iterator[Merger]:
    """Pairs that nobody outside can tell apart: each zone with the first that it is the same as.

    A zone is compared with at most `COMPARED` others that share its signature.
    """
    signatures = Signatures(outline)
    taken: set[int] = set()
    for kind in kinds(outline):
        for group in signatures.groups(kind):
            firsts: list[int] = []
            for zone in group:
                found = None if zone in taken else _first(signatures, zone, firsts)
                if found is not None:
                    taken.add(zone)
                    yield found
                elif len(firsts) < COMPARED:
                    firsts.append(zone)


def _first(signatures: Signatures, zone: int, firsts: Iterable[int]) -> Merger | None:
    outline = signatures.outline
    near = (each for each in firsts if not signatures.differ(each, zone))
    alike = (each for each in near if not parted(outline, each, zone) and same(outline, each, zone))
    return next((merge(outline, each, zone) for each in alike), None)


def told(merged: Merger) -> Diagnostic:
    one, other = merged.first, merged.second
    return finding(
        "SEG401",
        f"zones `{one.name}` and `{other.name}` are the same to the policy",
        other.span,
        "nothing outside tells it",
        also=(Label(one.span, "from this one"),),
        notes=certificate(merged),
        help=f"`segc suggest merge {one.name} {other.name}` writes the edit",
    )
