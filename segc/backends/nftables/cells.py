"""Cells as elements of maps: who may reach what is data, the rules that look it up are few.

A cell that one certain flow decides is an element of a counter map: the hit counts for the flow, and the
rule that looked it up gives the verdict. Where sessions, times, limits or logs come in, it is an element of
a verdict map that jumps to a chain of conditions; where none of them holds, the chain returns and the next
look-up goes on. Port ranges are rules in a chain for each pair of places.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from segc.backends.nftables.conditions import grant_matches, time_matches
from segc.backends.nftables.document import NAME_LENGTH, Table, quoted
from segc.backends.nftables.labels import Labels, counter_name
from segc.backends.nftables.lookups import BEGUN, STANDING, STILL, key_type, map_name, standing_name, verdict
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.pairs import Pair, PairWriter
from segc.backends.nftables.plain import PlainWriter
from segc.backends.nftables.recent import REMEMBER
from segc.enforcement.program import Cell, Kind, Phase, Program, Rule, Slot
from segc.policy.model import Flow

# A former person's connection, deleted with the session, must not be taken for one that this person begins.
MIDSTREAM = 'tcp flags & (fin | syn | rst | ack) != syn return comment "nobody saw it begin"'
LABEL = 119  # the connection label of flows whose permission may end before they do
LOOMING = 118  # and that of connections to which a deny may come that does not hold yet
END = "goto ended"
REPLY_TYPES = {(1, 8): 0, (1, 13): 14, (1, 15): 16, (1, 17): 18, (58, 128): 129, (58, 139): 140}
PREFIX_LENGTH = 120  # of a log; the kernel keeps 127 bytes
REPLY = "_reply"
Found = Sequence[tuple[Cell, tuple[Rule, ...]]]
Matched = tuple[str, Rule]  # the ports that a rule is for, where its chain is for more


@dataclass
class CellWriter:
    """Writes the cells of a program into a table."""

    program: Program
    marks: MarkLayout
    table: Table
    labels: Labels
    _chains: dict[tuple[str, tuple[Rule, ...]], str] = field(default_factory=dict)

    def write(self) -> None:
        self._write_objects()
        pairs = PairWriter(self.program.places, self.marks, self.table, self.labels)
        plain = PlainWriter(self.program, self.marks, self.table, self.labels)
        for slot in sorted({*self.program.cells, *self.program.plain}):
            found = sorted(self.program.cells.get(slot, {}).items())
            if slot.kind is Kind.RANGE:
                pairs.add_ranges(slot, self.program.plain.get(slot, ()))
                self._write_ranges(slot, found, pairs)
            else:
                plain.write_elements(slot)
                self._write_elements(slot, found)
        pairs.write(self.program.intra)

    def _write_objects(self) -> None:
        for index, name in self.labels.names.items():
            self.table.object("counter", name)
            limit = self.program.policy.flows[index].limit
            if limit:
                self.table.object("limit", name, f"rate {limit.rate}/{limit.unit} burst {limit.rate} packets")

    def _write_elements(self, slot: Slot, found: Found) -> None:
        conditional: list[str] = []
        still: dict[str, list[str]] = {"": [], REPLY: []}
        for cell, unordered in found:
            rules = tuple(sorted(unordered, key=_order))
            comment = self.labels.together(rule.flow for rule in rules)
            chain = self._chain(str(slot.phase), rules)
            conditional.append(f"{self._key(slot, cell)}{comment} : jump {chain}")
            asked = self._asked_again(slot, rules)
            if asked:
                chain = self._chain(STANDING[slot.phase], asked)
                for way, seen in self._both_ways(slot, cell):
                    still[way].append(f"{self._key(slot, seen)} : jump {chain}")
        type_ = f"{key_type(slot)} : verdict"
        if conditional:
            self.table.set(map_name(slot, "_if"), type_, tuple(conditional))
        for way in filter(still.get, still):
            self.table.set(standing_name(slot) + way, type_, tuple(still[way]))

    def _write_ranges(self, slot: Slot, found: Found, pairs: PairWriter) -> None:
        """For each pair of places a chain of ranges."""
        chains: dict[Pair, list[Matched]] = defaultdict(list)
        still: dict[str, dict[Pair, dict[str, None]]] = {"": defaultdict(dict), REPLY: defaultdict(dict)}
        for cell, unordered in found:
            pair = cell.source, cell.destination
            match = f"th dport {cell.first}-{cell.last} "
            chains[pair] += [(match, rule) for rule in unordered]
            for rule in self._asked_again(slot, sorted(unordered, key=_order)):
                for line in self._lines(STANDING[slot.phase], rule):
                    still[""][pair][match + line] = None
                    still[REPLY][pair[::-1]][match.replace("dport", "sport") + line] = None
        lines = {pair: self._all_lines(str(slot.phase), matched) for pair, matched in chains.items()}
        pairs.write_chains(map_name(slot, "_if"), lines)
        for way in filter(still.get, still):
            pairs.write_chains(standing_name(slot) + way, still[way])

    def _asked_again(self, slot: Slot, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """The rules that are asked of connections that stand."""
        changes = {Phase.ALLOW: self._may_end, Phase.DENY: self._may_begin}.get(slot.phase)
        return tuple(filter(changes, rules)) if changes else ()

    def _may_end(self, rule: Rule) -> bool:
        return bool(rule.grants) or self.program.policy.flows[rule.flow].conditions.timed

    def _may_begin(self, rule: Rule) -> bool:
        flow = self.program.policy.flows[rule.flow]
        return flow.looming and (bool(rule.grants) or flow.conditions.starts)

    def _key(self, slot: Slot, cell: Cell) -> str:
        mark = f"0x{self.marks.pair(cell.source, cell.destination):08x}"
        return mark if slot.kind is Kind.ALL else f"{mark} . {cell.first}"

    def _both_ways(self, slot: Slot, cell: Cell) -> Iterator[tuple[str, Cell]]:
        """The cell as packets of either way find it, each with the ending of its map's name. An echo's reply
        has a type of its own, and no other type opens a connection."""
        if slot.kind is not Kind.TYPE:
            yield from (("", cell), (REPLY, cell.exchanged))
        elif (slot.protocol, cell.first) in REPLY_TYPES:
            reply = REPLY_TYPES[slot.protocol, cell.first]
            yield from (("", cell), (REPLY, cell.exchanged._replace(first=reply, last=reply)))

    def _chain(self, prefix: str, rules: tuple[Rule, ...]) -> str:
        known = self._chains.get((prefix, rules))
        if known is None:
            known = self._chains[prefix, rules] = f"{prefix}_if_{self._chain_slug(rules)}"
            self.table.chain(known, self._all_lines(prefix, [("", rule) for rule in rules]))
        return known

    def _chain_slug(self, rules: tuple[Rule, ...]) -> str:
        meaning = [(self.program.policy.flows[rule.flow].id, rule[1:]) for rule in rules]
        digest = hashlib.blake2b(repr(meaning).encode(), digest_size=4).hexdigest()
        return f"{self.program.policy.flows[rules[0].flow].id[:NAME_LENGTH]}_{digest}"

    def _all_lines(self, prefix: str, matched: Sequence[Matched]) -> dict[str, None]:
        """What somebody's session lets in comes last, and is for connections that begin: who needs none is
        let in however little of the connection was seen. Else the first flow by its id counts."""
        allows = prefix == str(Phase.ALLOW)
        looming = (m for m, rule in matched if prefix == str(Phase.DENY) and self._may_begin(rule))
        free: list[Matched] = []
        held: list[Matched] = []
        for match, rule in sorted(matched, key=lambda each: _order(each[1])):
            (held if allows and (rule.source or rule.destination) else free).append((match, rule))
        middle = [MIDSTREAM] if held else []
        return dict.fromkeys(
            [
                *sorted(f"{match}ct label set {LOOMING}" for match in looming),
                *self._matched_lines(prefix, free),
                *middle,
                *self._matched_lines(prefix, held),
            ]
        )

    def _matched_lines(self, prefix: str, matched: Iterable[Matched]) -> Iterator[str]:
        for match, rule in matched:
            yield from (match + line for line in self._lines(prefix, rule))

    def _lines(self, prefix: str, rule: Rule) -> Iterator[str]:
        flow = self.program.policy.flows[rule.flow]
        asked_again = {STILL: REMEMBER, BEGUN: END}.get(prefix)
        action = asked_again or self._action(flow, self._may_end(rule))
        for time in time_matches(flow.conditions):
            for session in grant_matches(rule, asked_again is not None):
                yield f"{session}{time}{action}{self.labels.comments[rule.flow]}"

    def _action(self, flow: Flow, fleeting: bool) -> str:
        name = counter_name(flow)
        words = [f'limit name "{name}"'] if flow.limit else []
        words.append(f'counter name "{name}"')
        if flow.staged:
            words.append(
                f"limit rate 10/second burst 20 packets log prefix {_prefix('staged ' + flow.action, flow)}"
            )
            return " ".join(words)
        if flow.log:
            words.append(f"log prefix {_prefix(flow.action, flow)}")
        if flow.action == "allow" and fleeting:
            words.append(f"ct label set {LABEL}")
        silenced = flow.action == "deny" and flow.log  # it was logged by its name
        return " ".join([*words, "goto refuse_now" if silenced else verdict(Phase(flow.action))])


def _prefix(what: str, flow: Flow) -> str:
    return quoted(f"segc {what} {flow.id}"[:PREFIX_LENGTH] + " ")


def _order(rule: Rule) -> tuple[int, str]:
    """Rules by flow; one flow may have a way with a session and one without."""
    return rule.flow, repr(rule[1:])
