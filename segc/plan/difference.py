"""The exact difference of two policies: disjoint boxes of packets, each with what becomes of it.

All addresses that clauses tell apart are classes. Sources on which the same clauses lie form a block. For
each block the destinations are cut by these few clauses, so the work follows what meets at a pair of classes
and not how many there are. What changes on a pair depends only on which clauses lie there: it is worked out
once for each such combination.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.analysis.conflicts.atoms import Services, bits, mask_of
from segc.plan.align import Aligned, Clause, Place
from segc.plan.guards import Guard, Guards
from segc.plan.model import Kind
from segc.plan.verdicts import changes, speaks_of
from segc.space.partition import partition
from segc.space.prefixes import EMPTY, PrefixSet, union
from segc.space.services import ServiceSet


class Rectangle(NamedTuple):
    """Masks of classes and of service atoms."""

    source: int
    destination: int
    services: int


class Cause(NamedTuple):
    """Rectangles of one cause are told together: what becomes of them, when, and the clauses behind it."""

    kind: Kind
    guard: Guard
    clauses: tuple[int, ...]


class Piece(NamedTuple):
    """What changes on a pair of classes for some services."""

    cause: Cause
    services: int


class Difference:
    """`found` holds all that changes; rectangles of one kind never overlap under guards that do."""

    def __init__(self, aligned: Aligned) -> None:
        self.clauses = aligned.clauses
        self.own = aligned.own
        self.guards = Guards(
            aligned.subjects.people({who for clause in self.clauses for who in clause.guard[3:]})
        )
        self.services = Services()
        self._numbers = [self.services.number(clause.services) for clause in self.clauses]
        self._classify()
        self._masks = [self.services.mask(number) for number in self._numbers]
        self._known: dict[tuple[int, ...], list[Piece]] = {}
        self.found: dict[Cause, list[Rectangle]] = {}
        self._sweep()

    # -- classes -----------------------------------------------------------------------------------

    def _classify(self) -> None:
        places = dict.fromkeys(
            place for clause in self.clauses for place in (clause.source, clause.destination)
        )
        named = [place for place in places if place.space]
        gateways = [place for place in places if place.gateway]
        cells = partition([place.space for place in named])
        holders: dict[Place, list[int]] = {place: [] for place in places}
        for index, cell in enumerate(cells):
            for member in cell.members:
                holders[named[member]].append(index)
        for index, place in enumerate(gateways, start=len(cells)):
            holders[place].append(index)
        self.spaces: list[PrefixSet] = [*(cell.space for cell in cells), *(EMPTY for _ in gateways)]
        self.gateways = {index: place.gateway for index, place in enumerate(gateways, start=len(cells))}
        self._sources, self._destinations = (
            [mask_of(holders[place]) for place in side]
            for side in ([c.source for c in self.clauses], [c.destination for c in self.clauses])
        )
        both = mask_of(list(self.gateways))
        self.families = {
            family: both | mask_of([i for i, space in enumerate(self.spaces) if space.ranges(family)])
            for family in (4, 6)
        }

    def space_of(self, mask: int) -> PrefixSet:
        return union(self.spaces[each] for each in bits(mask))

    def names_of(self, mask: int) -> tuple[str, ...]:
        """The gateways of a mask."""
        return tuple(sorted(name for index, name in self.gateways.items() if mask >> index & 1))

    def service_set(self, mask: int) -> ServiceSet:
        return self.services.of_mask(mask)

    # -- blocks ------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        rows: dict[tuple[Cause, int, int], int] = {}
        for source, present in self._blocks():
            for destination, atoms, lying in self._cut(source, present):
                for cause, services in self._pieces(lying):
                    if services & atoms:
                        row = cause, destination, services
                        rows[row] = rows.get(row, 0) | source
        for (cause, destination, services), source in rows.items():
            self.found.setdefault(cause, []).append(Rectangle(source, destination, services))
        self.found = {cause: merged(rectangles) for cause, rectangles in self.found.items()}

    def _blocks(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Sources on which the same clauses lie, one of them changed at least."""
        lying: list[list[int]] = [[] for _ in self.spaces]
        for number, mask in enumerate(self._sources):
            for index in bits(mask):
                lying[index].append(number)
        blocks: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for index, found in enumerate(lying):
            blocks.setdefault((self._profile(index), tuple(found)), []).append(index)
        for (_, numbers), indices in blocks.items():
            if any(self.clauses[number].changed for number in numbers):
                yield mask_of(indices), numbers

    def _profile(self, index: int) -> int:
        return sum(family for family, classes in self.families.items() if classes >> index & 1)

    def _cut(self, source: int, present: tuple[int, ...]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Destinations within the changed clauses, by the clauses that lie on them, and the service atoms
        that exist between them and the source."""
        wanted = 0
        for number in present:
            if self.clauses[number].changed:
                wanted |= self._destinations[number]
        families = [f for f, classes in self.families.items() if source & classes]
        blocks: list[tuple[int, int, tuple[int, ...]]] = []
        for mask, atoms in self._by_family(wanted, families):
            blocks.append((mask, atoms, ()))
        for number in present:
            mask, cut = self._destinations[number], []
            for block, atoms, lying in blocks:
                if inside := block & mask:
                    cut.append((inside, atoms, (*lying, number)))
                if outside := block & ~mask:
                    cut.append((outside, atoms, lying))
            blocks = cut
        return iter(blocks)

    def _by_family(self, wanted: int, families: list[int]) -> Iterator[tuple[int, int]]:
        v4, v6 = (self.families[family] if family in families else 0 for family in (4, 6))
        exists = self.services.exists
        for mask, atoms in ((v4 & ~v6, exists[4]), (v6 & ~v4, exists[6]), (v4 & v6, exists[4] | exists[6])):
            if wanted & mask:
                yield wanted & mask, atoms

    # -- one pair ----------------------------------------------------------------------------------

    def _pieces(self, lying: tuple[int, ...]) -> list[Piece]:
        """Services that a pair's family lacks are left in: then what is alike in both families merges."""
        known = self._known.get(lying)
        if known is None:
            known = self._known[lying] = list(self._find_pieces(lying))
        return known

    def _find_pieces(self, lying: tuple[int, ...]) -> Iterator[Piece]:
        """By services, in stretches that the same clauses hold."""
        rest = 0
        for number in lying:
            if self.clauses[number].changed:
                rest |= self._masks[number]
        pieces: dict[Cause, int] = {}
        while rest:
            atom = rest & -rest
            alike, here = rest, []
            for number in lying:
                mask = self._masks[number]
                alike &= mask if mask & atom else ~mask
                here += [number] * bool(mask & atom)
            for cause in self._causes(here):
                pieces[cause] = pieces.get(cause, 0) | alike
            rest &= ~alike
        return (Piece(cause, services) for cause, services in pieces.items())

    def _causes(self, here: list[int]) -> Iterator[Cause]:
        """What changes where exactly these clauses lie."""
        lying = [self.clauses[number] for number in here]
        for kind, guard in changes(lying, self.guards):
            behind = (n for n in here if self._takes_part(self.clauses[n], kind, guard))
            yield Cause(kind, guard, tuple(behind))

    def _takes_part(self, clause: Clause, kind: Kind, guard: Guard) -> bool:
        return clause.changed and speaks_of(clause, kind) and self.guards.possible(clause.guard & guard)


def merged(rectangles: Iterable[Rectangle]) -> list[Rectangle]:
    """Fewer rectangles that hold the same: side by side in services, then in sources, then destinations."""
    found = list(rectangles)
    for side in ("services", "source", "destination"):
        groups: dict[Rectangle, int] = {}
        for each in found:
            key = each._replace(**{side: 0})
            groups[key] = groups.get(key, 0) | getattr(each, side)
        found = [key._replace(**{side: mask}) for key, mask in groups.items()]
    return found
