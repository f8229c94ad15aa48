"""Port ranges of certain flows as elements of interval maps, mark and ports to counter.

Such a map takes overlapping elements without a word and then decides by their order, so what goes in is made
disjoint. It is slower to ask the more it holds (measured in docs/decisions/0004), so the pairs of places are
dealt out to several maps: a hash of the pair leads to the chain that asks the right one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

from segc.enforcement.places import Place

SHARD_LENGTH = 256  # elements that a map should hold
MAX_SHARDS = 64  # loading is quadratic in the number of maps
Pair = tuple[Place, Place]


class PortRange(NamedTuple):
    """Ports `first` to `last` that `flow` decides, an index into `Program.flows`."""

    first: int
    last: int
    flow: int

    @property
    def key(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def disjoint(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The same ports, each held once: by the lowest of the flows that had it. O(n log n)."""
    waiting = sorted(ranges, reverse=True)
    edges = sorted({edge for each in waiting for edge in (each.first, each.last + 1)})
    holders: list[tuple[int, int]] = []  # flow and last port of the ranges around the present edge
    found: list[PortRange] = []
    for edge, after in pairwise(edges):
        while waiting and waiting[-1].first <= edge:
            heappush(holders, (waiting[-1].flow, waiting.pop().last))
        while holders and holders[0][1] < edge:
            heappop(holders)
        if holders:
            _extend(found, PortRange(edge, after - 1, holders[0][0]))
    return tuple(found)


def _extend(found: list[PortRange], more: PortRange) -> None:
    if found and (found[-1].last + 1, found[-1].flow) == (more.first, more.flow):
        found[-1] = found[-1]._replace(last=more.last)
    else:
        found.append(more)


def shards(ranges: Mapping[Pair, tuple[PortRange, ...]]) -> Iterator[list[Pair]]:
    """The pairs dealt out by the numbers of their places, so that a new flow moves none of the others."""
    length = sum(map(len, ranges.values()))
    number = min(MAX_SHARDS, 1 << max(0, (length - 1) // SHARD_LENGTH).bit_length())
    found: dict[int, list[Pair]] = defaultdict(list)
    for source, destination in ranges:
        found[sum(source + destination) % number].append((source, destination))
    yield from (found[each] for each in sorted(found))
