"""Over-segmentation, and over-exposure: boundaries that cost more than they hold back, and too few of them.

`Outline` is what the checks share; each is in a file of its own and speaks up beyond a threshold of
`policy.limits`, with its figure, the cost and the benefit. What a merger of zones would do is computed
exactly (`merging`, `difference`); what can be reached from where is `segc.analysis.reach`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.segmentation.blast import check_blast
from segc.analysis.segmentation.broad import check_broad
from segc.analysis.segmentation.decorative import check_decorative
from segc.analysis.segmentation.equivalent import same_zones, told
from segc.analysis.segmentation.exceptions import check_exceptions
from segc.analysis.segmentation.merging import Merger
from segc.analysis.segmentation.near import check_near, nearly_same
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.persons import check_persons
from segc.analysis.segmentation.repeated import check_repeated
from segc.analysis.segmentation.small import check_small
from segc.analysis.segmentation.unused import check_unused
from segc.analysis.segmentation.workflows import check_workflows_length
from segc.diagnostics.model import Diagnostic
from segc.policy.model import Policy

CHECKS = (
    check_small,
    check_workflows_length,
    check_decorative,
    check_unused,
    check_exceptions,
    check_persons,
    check_repeated,
    check_broad,
    check_blast,
)


def check_segmentation(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG401` to `SEG412`: warnings and notes."""
    outline = Outline(policy)
    taken: set[str] = set()
    for merged in same_zones(outline):  # each holds a survey, so none is kept
        taken.update(zone.name for zone in merged.others)
        yield told(merged)
    yield from check_near(outline, taken)
    for check in CHECKS:
        yield from check(outline)


def suggestions(outline: Outline) -> Iterator[tuple[str, Merger]]:
    """The zones of `SEG401` and `SEG402`, each class or pair with what tells them apart."""
    taken: set[str] = set()
    for merged in same_zones(outline):
        taken.update(zone.name for zone in merged.others)
        yield "the same", merged
    for merged, statements in nearly_same(outline, taken):
        yield f"nearly the same, {statements} said of one only", merged
