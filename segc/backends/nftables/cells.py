"""Cells as elements of maps: who may reach what is data, the rules that look it up are few.

A cell that one plain flow decides is an element of a counter map: the hit counts for the flow, and the
rule that looked it up gives the verdict. Anything else (sessions, times, limits, logs) is an element of a
verdict map that jumps to a chain of conditions; where none of them holds, the chain returns and the
next lookup goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from segc.backends.nftables.conditions import grant_matches, time_matches
from segc.backends.nftables.document import NAME_LENGTH, Table, comment, quoted
from segc.backends.nftables.marks import MarkLayout
from segc.enforcement.program import Cell, Hook, Kind, Level, LevelKey, Phase, Program, Rule, Slot
from segc.policy.model import Flow

LABEL = 119  # the connection label of flows whose permission may end before they do
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 132: "sctp", 136: "udplite"}
VERDICT = {Phase.ALLOW: "goto accepted", Phase.DENY: "goto refuse", Phase.STAGED: ""}
REPLY_TYPES = {(1, 8): 0, (1, 13): 14, (1, 15): 16, (1, 17): 18, (58, 128): 129, (58, 139): 140}
STILL = "still"


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

    def write(self) -> None:
        self._comments = [comment(self.place(flow)) for flow in self.program.flows]
        self._names = [f' : "{counter_name(flow)}"' for flow in self.program.flows]
        for flow in self.program.flows:
            self.table.object("counter", counter_name(flow))
            if flow.limit:
                body = f"rate {flow.limit.rate}/{flow.limit.unit} burst {flow.limit.rate} packets"
                self.table.object("limit", counter_name(flow), body)
        for slot in sorted(self.program.cells):
            self._write_slot(slot)

    def _write_slot(self, slot: Slot) -> None:
        plain: list[str] = []
        conditional: list[str] = []
        still: list[str] = []
        certain = [flow.certain for flow in self.program.flows]
        for cell, rules in sorted(self.program.cells[slot].items()):
            key = self._key(slot.kind, cell)
            unconditional = [rule.flow for rule in rules if certain[rule.flow]]
            if unconditional:
                first = min(unconditional)
                remark = self._comments[first] if len(rules) == 1 else self._comment(rules)
                plain.append(key + remark + self._names[first])
            rest = tuple(sorted((rule for rule in rules if not certain[rule.flow]), key=_order))
            if rest:
                chain = self._chain(str(slot.phase), rest)
                conditional.append(f"{key}{self._comment(rest)} : jump {chain}")
            fleeting = tuple(rule for rule in rest if slot.phase is Phase.ALLOW and self._may_end(rule))
            if fleeting:
                chain = self._chain(STILL, fleeting)
                still.extend(f"{each} : jump {chain}" for each in self._keys_both_ways(slot, cell))
        flags = "interval" if slot.kind is Kind.RANGE else ""
        for name, elements, value in (
            (map_name(slot), plain, "counter"),
            (map_name(slot, "_if"), conditional, "verdict"),
            (still_name(slot), still, "verdict"),
        ):
            if elements:
                self.table.set(name, f"{_key_type(slot)} : {value}", elements, flags=flags)

    def _may_end(self, rule: Rule) -> bool:
        return bool(rule.grants) or self.program.flows[rule.flow].conditions.timed

    def _key(self, kind: Kind, cell: Cell) -> str:
        mark = f"0x{self.marks.pair(cell.source, cell.destination):08x}"
        if kind is Kind.ALL:
            return mark
        return f"{mark} . {cell.first}" if cell.first == cell.last else f"{mark} . {cell.first}-{cell.last}"

    def _keys_both_ways(self, slot: Slot, cell: Cell) -> Iterator[str]:
        """Ports of a reply are looked up as the sender's. An echo's reply has a type of its own, and no
        other type opens a connection."""
        if slot.kind is not Kind.TYPE:
            yield self._key(slot.kind, cell)
        elif (slot.protocol, cell.first) in REPLY_TYPES:
            reply = REPLY_TYPES[slot.protocol, cell.first]
            yield self._key(slot.kind, cell)
            yield self._key(slot.kind, cell._replace(first=reply, last=reply))

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
        action = "goto accepted" if established else self._action(flow, self._may_end(rule))
        for time in time_matches(flow.conditions):
            for session in grant_matches(rule, established):
                yield f"{session}{time}{action}{comment(self.place(flow))}"

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
        if flow.action == "allow":
            words += [f"ct label set {LABEL}"] if fleeting else []
            return " ".join([*words, "goto accepted"])
        return " ".join([*words, "goto refuse_now" if flow.log else "goto refuse"])


def _prefix(what: str, flow: Flow) -> str:
    return quoted(f"segc {what} {flow.id}"[:120] + " ")


def _order(rule: Rule) -> tuple[int, str]:
    """Rules by flow; one flow may have a way with a session and one without."""
    return rule.flow, repr(rule[1:])


def counter_name(flow: Flow) -> str:
    return f"flow_{flow.id}"


def map_name(slot: Slot, suffix: str = "") -> str:
    """`allow_tcp`, `deny_udp_range_if`, `staged_all`."""
    return f"{slot.phase}_{_slot_word(slot)}{suffix}"


def still_name(slot: Slot) -> str:
    return f"{STILL}_{_slot_word(slot)}"


def _slot_word(slot: Slot) -> str:
    if not slot.protocol:
        return str(slot.kind)
    return PROTOCOLS[slot.protocol] + ("_range" if slot.kind is Kind.RANGE else "")


def _key_type(slot: Slot) -> str:
    match slot.kind:
        case Kind.PORT | Kind.RANGE:
            return "mark . inet_service"
        case Kind.TYPE:
            return f"mark . {PROTOCOLS[slot.protocol]}_type"
        case Kind.PROTOCOL:
            return "mark . inet_proto"
        case Kind.ALL:
            return "mark"


def lookup_key(slot: Slot, marks: MarkLayout, level: Level, port: str = "dport") -> str:
    mask = marks.mask(level)
    mark = "meta mark" if mask == 0xFFFFFFFF else f"meta mark & 0x{mask:08x}"
    match slot.kind:
        case Kind.PORT | Kind.RANGE:
            return f"{mark} . {PROTOCOLS[slot.protocol]} {port}"
        case Kind.TYPE:
            return f"{mark} . {PROTOCOLS[slot.protocol]} type"
        case Kind.PROTOCOL:
            return f"{mark} . meta l4proto"
        case Kind.ALL:
            return mark


def lookups(
    hook: Hook, levels: Mapping[LevelKey, Sequence[Level]], phase: Phase, marks: MarkLayout
) -> Iterator[str]:
    """The rules that look a packet up in one phase, conditions before what needs none."""
    keys = [key for key in levels if key[0] is hook and key[1].phase is phase]
    for at, slot, certain in sorted(keys, key=_lookup_order):
        for level in levels[at, slot, certain]:
            key = lookup_key(slot, marks, level)
            if certain:
                yield f"counter name {key} map @{map_name(slot)} {VERDICT[phase]}"
            else:
                yield f"{key} vmap @{map_name(slot, '_if')}"


def _lookup_order(key: LevelKey) -> tuple[bool, int, int]:
    _, slot, certain = key
    return certain, list(Kind).index(slot.kind), slot.protocol
