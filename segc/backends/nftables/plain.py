"""Cells that a plain flow decides: elements of counter maps, where a hit counts for the flow.

Where several plain flows decide one cell, the first by its id counts. O(n log n) in the cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from segc.backends.nftables.document import Table
from segc.backends.nftables.labels import Labels
from segc.backends.nftables.lookups import hit, key_type, lookup_key, map_name
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.ranges import Pair, PortRange, disjoint, shards
from segc.enforcement.program import Kind, Level, Program, Slot


@dataclass
class PlainWriter:
    program: Program
    marks: MarkLayout
    table: Table
    labels: Labels

    def write_elements(self, slot: Slot) -> None:
        """The map of a slot, if there is anything in it."""
        elements = tuple(self._elements(slot))
        if elements:
            self.table.set(map_name(slot), f"{key_type(slot)} : counter", elements)

    def _elements(self, slot: Slot) -> Iterator[str]:
        found, shared = self._deciding(slot)
        names, comments, by_port = self.labels.names, self.labels.comments, slot.kind is not Kind.ALL
        for key in sorted(found):
            flow = found[key]
            comment = self.labels.together(sorted(shared[key])) if key in shared else comments[flow]
            value = f" . {key & 0xFFFF}" if by_port else ""
            yield f'0x{key >> 16:08x}{value}{comment} : "{names[flow]}"'

    def _deciding(self, slot: Slot) -> tuple[dict[int, int], dict[int, set[int]]]:
        """The first flow of each mark and value, as one number; and all of them where there are several."""
        at_source, at_destination = cache(self.marks.source), cache(self.marks.destination)
        found: dict[int, int] = {}
        shared: dict[int, set[int]] = {}
        for source, destination, value, _, flow in self.program.plain.get(slot, ()):
            key = (at_source(source) | at_destination(destination)) << 16 | value
            first = found.setdefault(key, flow)
            if first != flow:
                shared.setdefault(key, {first}).add(flow)
                found[key] = min(first, flow)
        return found, shared

    def write_ranges(self, slot: Slot) -> dict[Pair, str]:
        """Interval maps, each with a chain that asks it; the chain of each pair."""
        ranges: dict[Pair, list[PortRange]] = defaultdict(list)
        for source, destination, first, last, flow in self.program.plain.get(slot, ()):
            ranges[source, destination].append(PortRange(first, last, flow))
        levels: dict[Level, dict[Pair, tuple[PortRange, ...]]] = defaultdict(dict)
        for pair in sorted(ranges):
            levels[Level.of(*pair)][pair] = disjoint(ranges[pair])
        chains: dict[Pair, str] = {}
        dealt = [(level, pairs) for level in sorted(levels) for pairs in shards(levels[level])]
        for number, (level, pairs) in enumerate(dealt):
            name = f"{map_name(slot)}_{number}"
            self._write_shard(name, slot, level, {pair: levels[level][pair] for pair in pairs})
            chains.update(dict.fromkeys(pairs, name))
        return chains

    def _write_shard(
        self, name: str, slot: Slot, level: Level, ranges: Mapping[Pair, Iterable[PortRange]]
    ) -> None:
        elements = [line for pair, found in ranges.items() for line in self._range_elements(pair, found)]
        self.table.set(name, f"{key_type(slot)} : counter", elements, flags="interval")
        key = lookup_key(slot, self.marks, level)
        self.table.chain(name, [f"counter name {key} map @{name} {hit(slot.phase, self.marks)}"])

    def _range_elements(self, pair: Pair, ranges: Iterable[PortRange]) -> Iterator[str]:
        mark = f"0x{self.marks.pair(*pair):08x}"
        for each in ranges:
            yield f'{mark} . {each.key}{self.labels.comments[each.flow]} : "{self.labels.names[each.flow]}"'
