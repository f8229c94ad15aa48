"""The partition of addresses into endpoint classes: what no given set can tell apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from segc.frozen import frozen
from segc.space.intervals import Interval, Intervals
from segc.space.prefixes import PrefixSet


@frozen
class EndpointClass:
    """Addresses that belong to exactly the same sets; `members` are the indices of these."""

    space: PrefixSet
    members: frozenset[int]


def partition(sets: Sequence[PrefixSet]) -> tuple[EndpointClass, ...]:
    """Split the union of `sets` into classes by membership, in the order of their lowest address.

    IPv4 stands before IPv6; addresses of both families with one membership are one class. A sweep over
    the sorted ends of all intervals: O(n log n) for n of them, and the size of each stretch's membership.
    """
    spaces: dict[frozenset[int], tuple[list[Interval], list[Interval]]] = {}
    for side, family in enumerate(([each.v4 for each in sets], [each.v6 for each in sets])):
        for members, stretch in _sweep(family):
            spaces.setdefault(members, ([], []))[side].append(stretch)
    return tuple(
        EndpointClass(PrefixSet(tuple(v4), tuple(v6)), members) for members, (v4, v6) in spaces.items()
    )


def _sweep(family: list[Intervals]) -> Iterator[tuple[frozenset[int], Interval]]:
    """The stretches of one family, in order, with the indices of the sets that hold each.

    Intervals of a set never touch, so at each place where a set begins or ends its membership flips
    once, and two stretches side by side always differ.
    """
    flips: defaultdict[int, list[int]] = defaultdict(list)
    for index, pairs in enumerate(family):
        for first, last in pairs:
            flips[first].append(index)
            flips[last + 1].append(index)
    places = sorted(flips)
    active: set[int] = set()
    for place, following in pairwise(places):
        active.symmetric_difference_update(flips[place])
        if active:
            yield frozenset(active), (place, following - 1)
