"""Which clauses touch traffic.

The index is a tuple space: source expression -> destination expression -> clauses. A pair of classes lies
in a handful of expressions on each side, so what touches it takes a few dozen dictionary look-ups, however
many flows there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from segc.analysis.conflicts.survey import Clause, Survey

KEPT = 1 << 20  # expressions near others that are remembered, some 80 bytes each


class Index:
    """Clauses by the expressions of their ends."""

    def __init__(self, survey: Survey, clauses: Iterable[Clause]) -> None:
        self.survey = survey
        self.pairs: dict[int, dict[int, list[Clause]]] = {}
        for clause in clauses:
            inner = self.pairs.setdefault(clause.source, {})
            inner.setdefault(clause.destination, []).append(clause)
        destinations = sorted({each for inner in self.pairs.values() for each in inner})
        self.ends = (dict.fromkeys(self.pairs), dict.fromkeys(destinations))
        self._holding: tuple[dict[int, tuple[int, ...]], ...] = ({}, {})
        self._near: tuple[dict[int, dict[int, None]], ...] = ({}, {})
        self._room = KEPT

    def _expressions(self, side: int, index: int) -> tuple[int, ...]:
        """The expressions of a side that hold a class."""
        known = self._holding[side].get(index)
        if known is None:
            used = self.ends[side]
            known = tuple(each for each in self.survey.members[index] if each in used)
            self._holding[side][index] = known
        return known

    def at(self, source: int, destination: int) -> list[Clause]:
        """The clauses on a pair of classes."""
        found: list[Clause] = []
        there = self._expressions(1, destination)
        if there:
            for here in self._expressions(0, source):
                inner = self.pairs[here]
                for each in there:
                    if each in inner:
                        found += inner[each]
        return found

    def _touching(self, side: int, expression: int) -> dict[int, None]:
        """The expressions of a side that share a class with this one, kept while there is room."""
        known = self._near[side].get(expression)
        if known is None:
            holding = map(self._expressions, repeat(side), self.survey.holders[expression])
            known = dict.fromkeys(chain.from_iterable(holding))
            self._room -= len(known) + 1
            if self._room < 0:
                self._near = ({}, {})
                self._room = KEPT
            self._near[side][expression] = known
        return known

    def touching(self, clause: Clause) -> Iterator[Clause]:
        """The clauses whose classes meet those of another, by pairs of expressions."""
        there = self._touching(1, clause.destination)
        if not there:
            return
        for here in self._touching(0, clause.source):
            inner = self.pairs[here]
            fewer, more = (inner, there) if len(inner) < len(there) else (there, inner)
            for each in fewer:
                if each in more:
                    yield from inner[each]
