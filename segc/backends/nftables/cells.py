"""Cells as elements of maps: who may reach what is data, the rules that look it up are few.

A cell that one certain flow decides is an element of a counter map: the hit counts for the flow, and the
rule that looked it up gives the verdict. Where sessions, times, limits or logs come in, it is an element of
a verdict map that jumps to a chain of conditions; where none of them holds, the chain returns and the next
look-up goes on. Port ranges with conditions are such a chain, too; certain ones are in interval maps.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from segc.backends.nftables.conditions import grant_matches, time_matches
from segc.backends.nftables.document import NAME_LENGTH, Table, comment, quoted
from segc.backends.nftables.lookups import (
    STILL,
    key_type,
    map_name,
    still_name,
    verdict,
)
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.pairs import Pair, PairWriter
from segc.backends.nftables.ranges import PortRange
from segc.enforcement.program import Cell, Kind, Phase, Program, Rule, Slot
from segc.policy.model import Flow

LABEL = 119  # the connection label of flows whose permission may end before they do
REPLY_TYPES = {(1, 8): 0, (1, 13): 14, (1, 15): 16, (1, 17): 18, (58, 128): 129, (58, 139): 140}
PREFIX_LENGTH = 120  # of a log; the kernel keeps 127 bytes
REPLY = "_reply"
Found = Sequence[tuple[Cell, tuple[Rule, ...]]]


@dataclass
class CellWriter:
    """Writes the cells of a program into a table."""

    program: Program
    marks: MarkLayout
    table: Table
    place: Callable[[Flow], str]
    _chains: dict[tuple[str, tuple[Rule, ...]], str] = field(default_factory=dict)
    _comments: list[str] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _certain: list[bool] = field(default_factory=list)
    _pairs: PairWriter = field(init=False)

    def write(self) -> None:
        self._comments = [comment(self.place(flow)) for flow in self.program.flows]
        self._names = [counter_name(flow) for flow in self.program.flows]
        self._certain = [flow.certain for flow in self.program.flows]
        self._pairs = PairWriter(self.program.places, self.marks, self.table, self._names, self._comments)
        for flow, name in zip(self.program.flows, self._names, strict=True):
            self.table.object("counter", name)
            if flow.limit:
                body = f"rate {flow.limit.rate}/{flow.limit.unit} burst {flow.limit.rate} packets"
                self.table.object("limit", name, body)
        for slot in sorted(self.program.cells):
            found = sorted(self.program.cells[slot].items())
            if slot.kind is Kind.RANGE:
                self._write_ranges(slot, found)
            else:
                self._write_elements(slot, found)
        self._pairs.write(self.program.intra)

    def _write_elements(self, slot: Slot, found: Found) -> None:
        plain: list[str] = []
        conditional: list[str] = []
        still: list[str] = []
        certain, comments, names = self._certain, self._comments, self._names
        for cell, rules in found:
            key = self._key(slot, cell)
            if len(rules) == 1 and certain[rules[0].flow]:
                flow = rules[0].flow
                plain.append(f'{key}{comments[flow]} : "{names[flow]}"')
                continue
            sure = [rule.flow for rule in rules if certain[rule.flow]]
            if sure:
                plain.append(f'{key}{self._comment(rules)} : "{names[min(sure)]}"')
            rest = self._uncertain(rules)
            if rest:
                conditional.append(f"{key}{self._comment(rest)} : jump {self._chain(str(slot.phase), rest)}")
            fleeting = self._fleeting(slot, rest)
            if fleeting:
                chain = self._chain(STILL, fleeting)
                still.extend(f"{each} : jump {chain}" for each in self._keys_both_ways(slot, cell))
        type_ = key_type(slot)
        self._set(map_name(slot), f"{type_} : counter", plain)
        self._set(map_name(slot, "_if"), f"{type_} : verdict", conditional)
        self._set(still_name(slot), f"{type_} : verdict", still)

    def _set(self, name: str, type_: str, elements: Iterable[str]) -> None:
        elements = tuple(elements)
        if elements:
            self.table.set(name, type_, elements)

    def _write_ranges(self, slot: Slot, found: Found) -> None:
        """Certain ranges as elements; for those with conditions a chain for each pair of places."""
        certain: dict[Pair, list[PortRange]] = defaultdict(list)
        chains: dict[Pair, dict[str, None]] = defaultdict(dict)
        still: dict[str, dict[Pair, dict[str, None]]] = {"": defaultdict(dict), REPLY: defaultdict(dict)}
        for cell, rules in found:
            pair = cell.source, cell.destination
            sure = [rule.flow for rule in rules if self._certain[rule.flow]]
            if sure:
                certain[pair].append(PortRange(cell.first, cell.last, min(sure)))
            rest = self._uncertain(rules)
            match = f"th dport {cell.first}-{cell.last} "
            for rule in rest:
                lines = self._lines(str(slot.phase), rule)
                chains[pair].update(dict.fromkeys(match + line for line in lines))
            for rule in self._fleeting(slot, rest):
                for line in self._lines(STILL, rule):
                    still[""][pair][match + line] = None
                    still[REPLY][pair][match.replace("dport", "sport") + line] = None
        self._pairs.add_ranges(slot, certain)
        self._pairs.write_chains(map_name(slot, "_if"), chains)
        for way, pairs in still.items():
            self._pairs.write_chains(still_name(slot) + way, pairs)

    def _uncertain(self, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        return tuple(sorted((rule for rule in rules if not self._certain[rule.flow]), key=_order))

    def _fleeting(self, slot: Slot, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        return tuple(rule for rule in rules if slot.phase is Phase.ALLOW and self._may_end(rule))

    def _may_end(self, rule: Rule) -> bool:
        return bool(rule.grants) or self.program.flows[rule.flow].conditions.timed

    def _key(self, slot: Slot, cell: Cell) -> str:
        mark = f"0x{self.marks.pair(cell.source, cell.destination):08x}"
        return mark if slot.kind is Kind.ALL else f"{mark} . {cell.first}"

    def _keys_both_ways(self, slot: Slot, cell: Cell) -> Iterator[str]:
        """Ports of a reply are looked up as the sender's. An echo's reply has a type of its own, and no
        other type opens a connection."""
        if slot.kind is not Kind.TYPE:
            yield self._key(slot, cell)
        elif (slot.protocol, cell.first) in REPLY_TYPES:
            reply = REPLY_TYPES[slot.protocol, cell.first]
            yield self._key(slot, cell)
            yield self._key(slot, cell._replace(first=reply, last=reply))

    def _comment(self, rules: Iterable[Rule]) -> str:
        places = dict.fromkeys(self.place(self.program.flows[rule.flow]) for rule in rules)
        shown, more = list(places)[:4], len(places) - 4
        return comment(" ".join(sorted(shown)) + (f" and {more} more" if more > 0 else ""))

    def _chain(self, prefix: str, rules: tuple[Rule, ...]) -> str:
        known = self._chains.get((prefix, rules))
        if known is None:
            known = self._chains[prefix, rules] = f"{prefix}_if_{self._chain_slug(rules)}"
            lines = [line for rule in rules for line in self._lines(prefix, rule)]
            self.table.chain(known, dict.fromkeys(lines))
        return known

    def _chain_slug(self, rules: tuple[Rule, ...]) -> str:
        meaning = [(self.program.flows[rule.flow].id, rule[1:]) for rule in rules]
        digest = hashlib.blake2b(repr(meaning).encode(), digest_size=4).hexdigest()
        return f"{self.program.flows[rules[0].flow].id[:NAME_LENGTH]}_{digest}"

    def _lines(self, prefix: str, rule: Rule) -> Iterator[str]:
        flow = self.program.flows[rule.flow]
        established = prefix == STILL
        action = verdict(Phase.ALLOW) if established else self._action(flow, self._may_end(rule))
        for time in time_matches(flow.conditions):
            for session in grant_matches(rule, established):
                yield f"{session}{time}{action}{self._comments[rule.flow]}"

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


def counter_name(flow: Flow) -> str:
    return f"flow_{flow.id}"
