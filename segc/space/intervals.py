"""Sets of integers as sorted, disjoint, non-adjacent, inclusive intervals.

The form is canonical: two equal sets are equal tuples. Every function here takes and returns it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

Interval = tuple[int, int]
Intervals = tuple[Interval, ...]

_first = itemgetter(0)
_last = itemgetter(1)


def normalize(pairs: Iterable[Interval]) -> Intervals:
    """The canonical form of any (first, last) pairs, first <= last, in any order."""
    merged: list[Interval] = []
    for first, last in sorted(pairs):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def union(a: Intervals, b: Intervals) -> Intervals:
    if not a or a == b:
        return b
    # Sorting two sorted runs one after the other is a linear merge.
    return normalize(a + b) if b else a


def intersect(a: Intervals, b: Intervals) -> Intervals:
    if a == b:
        return a
    a, b = _near(a, b), _near(b, a)
    found: list[Interval] = []
    i = j = 0
    while i < len(a) and j < len(b):
        first, last = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if first <= last:
            found.append((first, last))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def subtract(a: Intervals, b: Intervals) -> Intervals:
    """What of `a` is not in `b`."""
    cuts = _near(b, a)
    if not cuts:
        return a
    left: list[Interval] = []
    j = 0
    for first, last in a:
        while j < len(cuts) and cuts[j][1] < first:
            j += 1
        # A cut may reach into the next interval of `a`, so `j` stays on the last one that touches.
        while j < len(cuts) and cuts[j][0] <= last:
            if first < cuts[j][0]:
                left.append((first, cuts[j][0] - 1))
            first = cuts[j][1] + 1
            if first > last:
                break
            j += 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


def covers(a: Intervals, b: Intervals) -> bool:
    """Whether all of `b` is within `a`."""
    return a == b or all(_covers_one(a, first, last) for first, last in b)


def overlaps(a: Intervals, b: Intervals) -> bool:
    if len(a) > len(b):
        a, b = b, a
    return any(_touching(b, first, last) for first, last in a)


def contains(a: Intervals, x: int) -> bool:
    return _covers_one(a, x, x)


def count(a: Intervals) -> int:
    """How many integers there are in `a`."""
    return sum(last - first + 1 for first, last in a)


def _covers_one(a: Intervals, first: int, last: int) -> bool:
    at = bisect_right(a, first, key=_first) - 1
    return at >= 0 and last <= a[at][1]


def _touching(a: Intervals, first: int, last: int) -> Intervals:
    """The intervals of `a` that meet first..last, uncut."""
    return a[bisect_left(a, first, key=_last) : bisect_right(a, last, key=_first)]


def _near(a: Intervals, b: Intervals) -> Intervals:
    """The intervals of `a` between the ends of `b`: a small set against a large one stays cheap."""
    return _touching(a, b[0][0], b[-1][1]) if a and b else ()
