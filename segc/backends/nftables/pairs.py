"""What lies between two places beside single values: certain port ranges, and what hosts of one zone may.

Certain ranges are elements of interval maps, from mark and ports to a counter. Such a map is slower to ask
the more it holds (docs/decisions/0004), so the pairs are dealt out to several: a hash of the pair leads to
the chain that asks the right one. Ranges with conditions are rules in a chain for each pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from segc.backends.nftables.document import Table, comment
from segc.backends.nftables.labels import Labels
from segc.backends.nftables.lookups import hit, key_type, lookup_key, map_name, pairs_name, verdict
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.ranges import PortRange, disjoint
from segc.enforcement.places import Place, Places
from segc.enforcement.program import Level, Phase, Slot

SHARD_LENGTH = 256  # elements that a map should hold
MAX_SHARDS = 64  # loading is quadratic in the number of maps
Pair = tuple[Place, Place]


@dataclass
class PairWriter:
    places: Places
    marks: MarkLayout
    table: Table
    labels: Labels
    _leads: dict[Phase, dict[Pair, list[str]]] = field(default_factory=lambda: defaultdict(dict))

    def add_ranges(self, slot: Slot, ranges: Mapping[Pair, Iterable[PortRange]]) -> None:
        """Interval maps, each with a chain that asks it; its pairs will lead there."""
        levels: dict[Level, dict[Pair, tuple[PortRange, ...]]] = defaultdict(dict)
        for pair, found in ranges.items():
            levels[Level.of(*pair)][pair] = disjoint(found)
        dealt = [(level, pairs) for level in sorted(levels) for pairs in shards(levels[level])]
        for number, (level, pairs) in enumerate(dealt):
            name = f"{map_name(slot)}_{number}"
            elements = [line for pair in pairs for line in self._elements(pair, levels[level][pair])]
            self.table.set(name, f"{key_type(slot)} : counter", elements, flags="interval")
            key = lookup_key(slot, self.marks, level)
            self.table.chain(name, [f"counter name {key} map @{name} {hit(slot.phase, self.marks)}"])
            for pair in pairs:
                self._leads[slot.phase].setdefault(pair, []).append(f"jump {name}")

    def write_chains(self, name: str, chains: Mapping[Pair, Iterable[str]]) -> None:
        """A chain for each pair, and the map `name` that leads to them."""
        elements = (
            f"{self._key(pair)} : jump {self._chain(name, pair, rules)}" for pair, rules in chains.items()
        )
        self._write_map(name, elements)

    def write(self, intra: Iterable[int]) -> None:
        """What leads to all that was added; hosts of the zones `intra` may talk among themselves."""
        for number in intra:
            here = (number, 0)
            self._leads[Phase.ALLOW].setdefault((here, here), []).append(verdict(Phase.ALLOW))
        for phase, leads in self._leads.items():
            name = pairs_name(phase)
            self._write_map(name, (self._lead(name, pair, steps) for pair, steps in leads.items()))

    def _lead(self, name: str, pair: Pair, steps: Sequence[str]) -> str:
        within = comment(f"within {self.places.name(pair[0])}") if steps[-1] == verdict(Phase.ALLOW) else ""
        lead = steps[0] if len(steps) == 1 else f"jump {self._chain(name, pair, steps)}"
        return f"{self._key(pair)}{within} : {lead}"

    def _elements(self, pair: Pair, ranges: Iterable[PortRange]) -> Iterator[str]:
        mark = self._key(pair)
        for each in ranges:
            yield f'{mark} . {each.key}{self.labels.comments[each.flow]} : "{self.labels.names[each.flow]}"'

    def _key(self, pair: Pair) -> str:
        return f"0x{self.marks.pair(*pair):08x}"

    def _chain(self, name: str, pair: Pair, rules: Iterable[str]) -> str:
        source, destination = map(self.places.name, pair)
        return self.table.chain(f"{name}/{source}/{destination}", rules)  # no name of a zone holds a slash

    def _write_map(self, name: str, elements: Iterable[str]) -> None:
        listed = sorted(elements)
        if listed:
            self.table.set(name, "mark : verdict", listed)


def shards(ranges: Mapping[Pair, tuple[PortRange, ...]]) -> Iterator[list[Pair]]:
    """The pairs dealt out by the numbers of their places, so that a new flow moves none of the others."""
    length = sum(map(len, ranges.values()))
    number = min(MAX_SHARDS, 1 << max(0, (length - 1) // SHARD_LENGTH).bit_length())
    found: dict[int, list[Pair]] = defaultdict(list)
    for source, destination in ranges:
        found[sum(source + destination) % number].append((source, destination))
    yield from (found[each] for each in sorted(found))
