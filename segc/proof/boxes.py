"""Sets of packets as boxes: an interval set for each field that matters, all others free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from segc.space.intervals import Intervals, intersect, subtract

Box = Mapping[str, Intervals]
EVERY: Box = {}
WHOLE: Intervals = ((0, 2**128 - 1),)
DOMAINS: Mapping[str, Intervals] = {
    "family": ((4, 4), (6, 6)),
    "protocol": ((0, 255),),
    "sport": ((0, 65535),),
    "dport": ((0, 65535),),
    "type": ((0, 255),),
    "state": ((0, 4),),
    **dict.fromkeys(("direction", "translated", "local", "rst", "recent"), ((0, 1),)),
    **dict.fromkeys(("label 118", "label 119"), ((0, 1),)),
}


def domain(field: str) -> Intervals:
    return DOMAINS.get(field, WHOLE)


def meet(a: Box, b: Box) -> Box | None:
    """What both hold; None where that is nothing."""
    found = dict(a)
    for field, values in b.items():
        common = intersect(found[field], values) if field in found else values
        if not common:
            return None
        found[field] = common
    return found


def minus(a: Box, b: Box) -> Iterator[Box]:
    """What of `a` is not in `b`, as disjoint boxes: at most one for each field of `b`."""
    rest = dict(a)
    for field, values in b.items():
        held = rest.get(field, domain(field))
        outside = subtract(held, values)
        if outside:
            yield {**rest, field: outside}
        inside = intersect(held, values)
        if not inside:
            return
        rest[field] = inside


def covers(a: Box, b: Box) -> bool:
    """Whether all of `b` is in `a`."""
    return next(minus(b, a), None) is None


def left(box: Box, taken: Iterable[Box]) -> Box | None:
    """Some part of `box` that is in none of `taken`; None where there is none."""
    boxes = [box]
    for each in taken:
        boxes = [rest for held in boxes for rest in minus(held, each)]
        if not boxes:
            return None
    return boxes[0]
