"""Connections that may have to end: at their packets, what opened them is looked up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from segc.backends.nftables.cells import END, LABEL, LOOMING, REPLY
from segc.backends.nftables.document import Table
from segc.backends.nftables.lookups import BEGUN, STANDING, STILL, lookup_key, standing_name
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.recent import REMEMBER, remembered
from segc.enforcement.program import Hook, Level, Phase, Program, Slot

Levels = Mapping[tuple[Hook, Phase], Sequence[tuple[Slot, Level]]]
ASKED_AGAIN = ((STILL, LABEL, Phase.ALLOW), (BEGUN, LOOMING, Phase.DENY))
ANSWERS = {Hook.INPUT: Hook.OUTPUT, Hook.OUTPUT: Hook.INPUT, Hook.FORWARD: Hook.FORWARD}


@dataclass
class AskedAgain:
    """Of a table that holds the cells already: the maps that are in it say what there is to look up."""

    program: Program
    marks: MarkLayout
    table: Table
    _levels: Levels = field(init=False)

    def __post_init__(self) -> None:
        self._levels = _standing_levels(self.program, self.table)

    @property
    def ever(self) -> bool:
        """Whether any connection may have to end: its permission may, or a deny may come."""
        return bool(self._levels)

    def rules(self, hook: Hook) -> Iterator[str]:
        """Where to ask, by the label that a connection has."""
        for word, label, _ in self._at(hook):
            yield f"ct state established ct label {label} goto {word}_{hook}"

    def write(self, hook: Hook, marking: Sequence[str]) -> None:
        """Unless that was done a moment ago, look the packet up that opened the connection; in an answer,
        both ends are exchanged. `marking` are the rules that mark the ends of a packet."""
        for word, _, phase in self._at(hook):
            original = f"ct direction original goto {word}_{hook}_original"
            self.table.chain(
                f"{word}_{hook}", [*remembered(), *marking, original, f"goto {word}_{hook}{REPLY}"]
            )
            for answer, way in ((False, "_original"), (True, REPLY)):
                self.table.chain(f"{word}_{hook}{way}", self._lookups(hook, phase, answer))

    def _at(self, hook: Hook) -> Iterator[tuple[str, int, Phase]]:
        """What packets at a hook may have to be asked: their own hook's flows, or those that they answer."""
        for each in ASKED_AGAIN:
            phase = each[2]
            if (hook, phase) in self._levels or (ANSWERS[hook], phase) in self._levels:
                yield each

    def _lookups(self, hook: Hook, phase: Phase, answer: bool) -> Iterator[str]:
        """Denies come before allows, as they do for new connections; who has an allow that lasts has to
        pass no others."""
        opened = ANSWERS[hook] if answer else hook
        asked = (Phase.DENY, Phase.ALLOW) if phase is Phase.ALLOW else (Phase.DENY,)
        for each in asked:
            for slot, level in self._levels.get((opened, each), ()):
                yield self._lookup(slot, level, answer)
        yield END if phase is Phase.ALLOW else REMEMBER

    def _lookup(self, slot: Slot, level: Level, answer: bool) -> str:
        level, port = (level.exchanged, "sport") if answer else (level, "dport")
        way = REPLY if answer else ""
        return f"{lookup_key(slot, self.marks, level, port)} vmap @{standing_name(slot)}{way}"


def _standing_levels(program: Program, table: Table) -> Levels:
    """Which maps of standing connections are asked at a hook, and by which levels of the mark."""
    present = {each.name for each in table.sets}
    found: dict[tuple[Hook, Phase], list[tuple[Slot, Level]]] = {}
    for hook, slot, certain in sorted(program.levels):
        if slot.phase in STANDING and not certain and standing_name(slot) in present:
            levels = program.levels[hook, slot, certain]
            found.setdefault((hook, slot.phase), []).extend((slot, level) for level in levels)
    return found
