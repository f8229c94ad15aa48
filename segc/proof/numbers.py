"""Numbers in the mark: which places a value stands for, and what is left of the mark in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segc.proof.atoms import Atoms, Rectangle
from segc.proof.model import ALL_BITS, Mark, UnreadableError
from segc.proof.ways import Place, Placing

Values = Mapping[int, int]  # the bits of the atoms that have a value in the mark


class Numbers:
    """`source` and `destination` are the values of each end's places; `keep` the bits that are not ours."""

    def __init__(self, source: Values, destination: Values, keep: int) -> None:
        self.source, self.destination, self.keep = source, destination, keep
        self.source_bits, self.destination_bits = _union(source), _union(destination)
        if self.source_bits & self.destination_bits or (self.source_bits | self.destination_bits) & keep:
            raise UnreadableError("the two places of a packet share bits of the mark")
        self.sources, self.destinations = (
            _union(dict.fromkeys(side.values())) for side in (source, destination)
        )
        self._indexes: dict[tuple[bool, int], dict[int, int]] = {}
        self._found: dict[tuple[int, int], Rectangle | None] = {}

    def places(self, mask: int | None, key: int, line: int) -> Rectangle | None:
        """The places of both ends whose masked mark is `key`; None where there are none."""
        mask = ALL_BITS if mask is None else mask
        if (mask, key) not in self._found:
            if mask & self.keep:
                raise UnreadableError("bits of the mark are compared that belong to others", line)
            self._found[mask, key] = self._places(mask, key)
        return self._found[mask, key]

    def _places(self, mask: int, key: int) -> Rectangle | None:
        if key & ~(mask & (self.source_bits | self.destination_bits)):
            return None
        source = self._index(True, mask & self.source_bits).get(key & self.source_bits)
        destination = self._index(False, mask & self.destination_bits).get(key & self.destination_bits)
        return (source, destination) if source and destination else None

    def _index(self, source: bool, mask: int) -> dict[int, int]:
        found = self._indexes.get((source, mask))
        if found is None:
            found = self._indexes[source, mask] = {}
            for value, places in (self.source if source else self.destination).items():
                found[value & mask] = found.get(value & mask, 0) | places
        return found

    def accepted(self, marks: Sequence[Mark]) -> str:
        """`accept` where our bits of the mark are cleared on the way out."""
        clear = len(marks) == 1 and marks[0] == Mark(self.keep, 0)
        return "accept" if clear else "accept, with a mark that is left behind"


def _union(values: Mapping[int, int] | dict[int, None]) -> int:
    found = 0
    for value in values:
        found |= value
    return found


def written(
    mark: Sequence[Mark | Placing], placed: Mapping[str, tuple[Place, ...]]
) -> tuple[int, int, tuple[Placing, ...]]:
    """The mark as `old & keep | add`, and the look-ups whose places stand in it."""
    keep, add = ALL_BITS, 0
    standing: dict[Placing, int] = {}
    for each in mark:
        if isinstance(each, Placing):
            kept, bits, _ = values(placed[each.chain])
            each_add = 0
        else:
            kept, bits, each_add = each.keep, 0, each.add
        keep, add = keep & kept, add & kept | each_add
        if any(held & kept not in (0, held) for held in standing.values()):
            raise UnreadableError("a part of a place is cleared from the mark")
        standing = {placing: held for placing, held in standing.items() if held & kept}
        if isinstance(each, Placing):
            standing[each] = bits
    return keep, add, tuple(standing)


def values(places: tuple[Place, ...]) -> tuple[int, int, dict[int, list[Place]]]:
    """What all of the chains keep of the mark, the bits that they may set, and the places by value."""
    writes = {place.write for place in places if place.write is not None}
    keeps = {write.keep for write in writes}
    if len(keeps) > 1:
        odd = min(
            places,
            key=lambda p: sum(
                p.write is not None and q.write is not None and p.write.keep == q.write.keep for q in places
            ),
        )
        raise UnreadableError("the chains of places clear different bits of the mark", odd.line)
    found: dict[int, list[Place]] = {}
    for place in places:
        if place.write is not None:
            found.setdefault(place.write.add, []).append(place)
    return keeps.pop() if keeps else ALL_BITS, _union(dict.fromkeys(found)), found


def numbered(places: tuple[Place, ...], atoms: Atoms) -> dict[int, int]:
    """The atoms of each value."""
    _, _, by_value = values(places)
    found: dict[int, int] = {}
    for value, each in by_value.items():
        for place in each:
            found[value] = found.get(value, 0) | atoms.bits(place.space)
    return found
