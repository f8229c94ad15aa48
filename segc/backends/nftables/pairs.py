"""What lies between two places beside single values: port ranges, and what hosts of one zone may.

A hash of the two places leads to a chain for this pair, whose rules compare ports (docs/decisions/0004).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segc.backends.nftables.document import Table, comment
from segc.backends.nftables.labels import Labels
from segc.backends.nftables.lookups import pairs_name, verdict
from segc.backends.nftables.marks import MarkLayout
from segc.enforcement.places import Place, Places
from segc.enforcement.program import Phase, PlainCell, Slot
from segc.space.protocols import PROTOCOL_NAMES

Pair = tuple[Place, Place]


@dataclass
class PairWriter:
    places: Places
    marks: MarkLayout
    table: Table
    labels: Labels
    _rules: dict[Phase, dict[Pair, list[str]]] = field(default_factory=lambda: defaultdict(dict))

    def add_ranges(self, slot: Slot, cells: Iterable[PlainCell]) -> None:
        """Where several flows have a port, the first by its id counts: the order of the rules is theirs."""
        protocol = PROTOCOL_NAMES[slot.protocol]
        for source, destination, first, last, flow in sorted(cells, key=_by_flow):
            ports = f"{first}" if first == last else f"{first}-{last}"
            counted = f'counter name "{self.labels.names[flow]}"'
            rule = f"{protocol} dport {ports} {counted} {verdict(slot.phase)}{self.labels.comments[flow]}"
            self._rules[slot.phase].setdefault((source, destination), []).append(rule)

    def write_chains(self, name: str, chains: Mapping[Pair, Iterable[str]]) -> None:
        """A chain for each pair, and the map `name` that leads to them."""
        elements = (
            f"{self._key(pair)} : jump {self._chain(name, pair, rules)}" for pair, rules in chains.items()
        )
        self._write_map(name, elements)

    def write(self, intra: Iterable[int]) -> None:
        """What leads to all that was added; hosts of the zones `intra` may talk among themselves."""
        open_ = {((number, 0), (number, 0)) for number in intra}
        for pair in open_:
            self._rules[Phase.ALLOW].setdefault(pair, [])
        for phase, of_pairs in self._rules.items():
            name = pairs_name(phase)
            leads = (
                self._lead(name, pair, rules, phase is Phase.ALLOW and pair in open_)
                for pair, rules in sorted(of_pairs.items())  # so that a new flow moves no chain
            )
            self._write_map(name, leads)

    def _lead(self, name: str, pair: Pair, rules: Sequence[str], within: bool) -> str:
        if not within:
            return f"{self._key(pair)} : jump {self._chain(name, pair, rules)}"
        accept, why = verdict(Phase.ALLOW), comment(f"within {self.places.name(pair[0])}")
        if not rules:
            return f"{self._key(pair)}{why} : {accept}"
        return f"{self._key(pair)}{why} : jump {self._chain(name, pair, [*rules, f'{accept}{why}'])}"

    def _key(self, pair: Pair) -> str:
        return f"0x{self.marks.pair(*pair):08x}"

    def _chain(self, name: str, pair: Pair, rules: Iterable[str]) -> str:
        source, destination = map(self.places.name, pair)
        return self.table.chain(f"{name}/{source}/{destination}", rules)  # no name of a zone holds a slash

    def _write_map(self, name: str, elements: Iterable[str]) -> None:
        listed = sorted(elements)
        if listed:
            self.table.set(name, "mark : verdict", listed)


def _by_flow(cell: PlainCell) -> tuple[int, int]:
    _, _, first, _, flow = cell
    return flow, first
