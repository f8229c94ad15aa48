"""Cells that a plain flow decides: elements of counter maps, where a hit counts for the flow.

Where several plain flows decide one cell, the first by its id counts. O(n log n) in the cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from segc.backends.nftables.document import Table
from segc.backends.nftables.labels import Labels
from segc.backends.nftables.lookups import key_type, map_name
from segc.backends.nftables.marks import MarkLayout
from segc.enforcement.program import Kind, Program, Slot


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
