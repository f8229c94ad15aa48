"""The addresses that neither side tells apart, as bits of a number: a set of places is one integer.

An atom lies wholly in or out of every zone, end and class of the ruleset. The gateway itself is one more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_

from segc.space.intervals import Interval
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet

Span = tuple[int, int, int]  # first, last, atom


class Atoms:
    """The partition of `spaces`, which do not overlap, by all of `cuts`."""

    def __init__(self, spaces: Iterable[PrefixSet], cuts: Iterable[PrefixSet]) -> None:
        self.spaces = [space for space in spaces if space]
        self._index()
        pieces: dict[int, dict[PrefixSet, None]] = {}
        for cut in dict.fromkeys(cuts):
            for atom, held in self._touched(cut).items():
                if held < self.sizes[atom]:
                    pieces.setdefault(atom, {})[cut & self.spaces[atom]] = None
        if pieces:
            self.spaces = [space for atom in range(len(self.spaces)) for space in self._split(atom, pieces)]
            self._index()
        self.own = 1 << len(self.spaces)
        self.everywhere = self.own - 1
        by_family = {family: [bool(space.ranges(family)) for space in self.spaces] for family in (4, 6)}
        self.family = {
            family: _bits(i for i, has in enumerate(by_family[family]) if has) for family in (4, 6)
        }
        self._known: dict[PrefixSet, int] = {}

    def bits(self, space: PrefixSet) -> int:
        """The atoms of a set that is one of the cuts, or a union of them."""
        if space not in self._known:
            self._known[space] = _bits(self._touched(space))
        return self._known[space]

    def real(self, source: int, destination: int, family: int = 0) -> int:
        """A family in which a packet can go between the two, or 0; `family` if that is asked for."""
        for each in (family,) if family else (4, 6):
            held = self.family[each] | self.own
            if source & held and destination & held:
                return each
        return 0

    def _index(self) -> None:
        self.sizes = [space.size for space in self.spaces]
        self.spans: dict[int, list[Span]] = {
            family: sorted((*pair, i) for i, space in enumerate(self.spaces) for pair in space.ranges(family))
            for family in (4, 6)
        }
        self.lasts = {family: [last for _, last, _ in spans] for family, spans in self.spans.items()}

    def _split(self, atom: int, pieces: dict[int, dict[PrefixSet, None]]) -> Iterator[PrefixSet]:
        if atom not in pieces:
            yield self.spaces[atom]
            return
        yield from (each.space for each in partition([self.spaces[atom], *pieces[atom]]))

    def _touched(self, space: PrefixSet) -> dict[int, int]:
        """How many addresses of each atom the space holds."""
        found: dict[int, int] = {}
        for family in (4, 6):
            for pair in space.ranges(family):
                for atom, held in self._overlaps(family, pair):
                    found[atom] = found.get(atom, 0) + held
        return found

    def _overlaps(self, family: int, pair: Interval) -> Iterator[tuple[int, int]]:
        spans, (first, last) = self.spans[family], pair
        for at in range(bisect_left(self.lasts[family], first), len(spans)):
            start, end, atom = spans[at]
            if start > last:
                return
            yield atom, min(end, last) - max(start, first) + 1


def _bits(atoms: Iterable[int]) -> int:
    return reduce(or_, (1 << atom for atom in atoms), 0)


def members(bits: int) -> Iterator[int]:
    """The atoms of a set, in order."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


Rectangle = tuple[int, int]


def uncovered(wanted: Rectangle, rectangles: Iterable[Rectangle]) -> list[Rectangle]:
    """What of a product of sets is in none of the others, as disjoint products.

    Products with one side in common are joined first: a wide end is many products of one source each.
    """
    left = [wanted]
    for source, destination in _joined(_joined(rectangles, 0), 1):
        left = [rest for held in left for rest in _less(held, source, destination)]
        if not left:
            break
    return left


def _joined(rectangles: Iterable[Rectangle], side: int) -> list[Rectangle]:
    found: dict[int, int] = {}
    for each in rectangles:
        found[each[side]] = found.get(each[side], 0) | each[1 - side]
    return [(a, b) if side == 0 else (b, a) for a, b in found.items()]


def _less(held: Rectangle, source: int, destination: int) -> Iterator[Rectangle]:
    both = held[0] & source
    if not (both and held[1] & destination):
        yield held
        return
    if held[0] & ~source:
        yield held[0] & ~source, held[1]
    if held[1] & ~destination:
        yield both, held[1] & ~destination
