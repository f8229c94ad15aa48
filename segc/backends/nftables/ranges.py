"""Port ranges made disjoint: an interval map takes overlapping elements without a word, and then decides by
their order."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple


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
