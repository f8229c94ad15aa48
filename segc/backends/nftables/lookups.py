"""The maps that hold the cells: what they are called, their keys, and the rules that look packets up."""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.nftables.marks import ALL_BITS, MarkLayout
from segc.enforcement.program import Hook, Kind, Level, Phase, Program, Slot
from segc.space.protocols import PROTOCOL_NAMES

STILL, BEGUN = "still", "begun"  # what is looked up of connections that stand: allows, and denies
STANDING = {Phase.ALLOW: STILL, Phase.DENY: BEGUN}
ZONES = Level(1, 1)


def verdict(phase: Phase) -> str:
    """What a flow that matches leads to."""
    return {Phase.ALLOW: "goto accepted", Phase.DENY: "goto refuse", Phase.STAGED: "continue"}[phase]


def hit(phase: Phase, marks: MarkLayout) -> str:
    """The same behind a look-up, where an allow is spelled out: most packets end so, and it saves a chain."""
    return f"{marks.clear()} accept" if phase is Phase.ALLOW else verdict(phase)


def map_name(slot: Slot, suffix: str = "") -> str:
    """`allow_tcp`, `deny_udp_range_if`, `staged_all`."""
    return f"{slot.phase}_{_slot_word(slot)}{suffix}"


def pairs_name(phase: Phase) -> str:
    """The map from two places to a chain of the ranges between them, and of zones whose hosts may talk."""
    return f"{phase}_pairs"


def standing_name(slot: Slot) -> str:
    """`still_tcp` for what may keep a connection open, `begun_tcp` for what may end it."""
    return f"{STANDING[slot.phase]}_{_slot_word(slot)}"


def _slot_word(slot: Slot) -> str:
    if not slot.protocol:
        return str(slot.kind)
    return PROTOCOL_NAMES[slot.protocol] + ("_range" if slot.kind is Kind.RANGE else "")


def key_type(slot: Slot) -> str:
    match slot.kind:
        case Kind.PORT:
            return "mark . inet_service"
        case Kind.TYPE:
            return f"mark . {PROTOCOL_NAMES[slot.protocol]}_type"
        case Kind.PROTOCOL:
            return "mark . inet_proto"
        case Kind.RANGE | Kind.ALL:
            return "mark"


def _mark_key(marks: MarkLayout, level: Level) -> str:
    mask = marks.mask(level)
    return "meta mark" if mask == ALL_BITS else f"meta mark & 0x{mask:08x}"


def lookup_key(slot: Slot, marks: MarkLayout, level: Level, port: str = "dport") -> str:
    mark = _mark_key(marks, level)
    match slot.kind:
        case Kind.PORT:
            return f"{mark} . {PROTOCOL_NAMES[slot.protocol]} {port}"
        case Kind.RANGE:  # behind it chains compare ports
            return f"meta l4proto {slot.protocol} {mark}"
        case Kind.TYPE:
            return f"{mark} . {PROTOCOL_NAMES[slot.protocol]} type"
        case Kind.PROTOCOL:
            return f"{mark} . meta l4proto"
        case Kind.ALL:
            return mark


def lookups(hook: Hook, program: Program, phase: Phase, marks: MarkLayout) -> Iterator[str]:
    """The rules that look a packet up in one phase, conditions before what is certain."""
    order = tuple(Kind)[::-1]
    wanted = {}
    for (at, slot, certain), found in program.levels.items():
        if at is hook and slot.phase is phase and not (certain and slot.kind is Kind.RANGE):
            wanted.update(
                {(not certain, order.index(slot.kind), -slot.protocol, each): slot for each in found}
            )
    for (unsure, _, _, level), slot in sorted(wanted.items(), reverse=True):
        key = lookup_key(slot, marks, level)
        if unsure:
            yield f"{key} vmap @{map_name(slot, '_if')}"
        else:
            yield f"counter name {key} map @{map_name(slot)} {hit(phase, marks)}"
    for level in _pair_levels(hook, program, phase):
        yield f"{_mark_key(marks, level)} vmap @{pairs_name(phase)}"


def _pair_levels(hook: Hook, program: Program, phase: Phase) -> list[Level]:
    """That of zones comes last: it lets through what hosts of one zone send each other, uncounted."""
    found = {
        level
        for (at, slot, certain), levels in program.levels.items()
        if at is hook and slot.phase is phase and slot.kind is Kind.RANGE and certain
        for level in levels
    }
    if hook is Hook.FORWARD and phase is Phase.ALLOW and program.intra:
        found.add(ZONES)
    return sorted(found, key=lambda level: (level != ZONES, level), reverse=True)
