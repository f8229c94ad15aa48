"""Where packets that may be anything go: their states on the way, and how ways end."""

from __future__ import annotations

from typing import NamedTuple

from segc.proof.boxes import EVERY, Box, covers, meet
from segc.proof.model import Effect, Mark
from segc.space.intervals import Intervals
from segc.space.prefixes import PrefixSet


class Placing(NamedTuple):
    """A chain of address look-ups that a packet went through, and the address that was looked up."""

    chain: str
    side: str  # saddr, daddr, or EITHER


class State(NamedTuple):
    """Packets of `box` that are in none of `apart`; `mark` is what was written into it, in order."""

    box: Box = EVERY
    apart: tuple[Box, ...] = ()
    mark: tuple[Mark | Placing, ...] = ()
    effects: tuple[Effect, ...] = ()

    def within(self, guard: Box) -> State | None:
        """The packets that `guard` holds, too."""
        box = meet(self.box, guard)
        if box is None or any(covers(each, box) for each in self.apart):
            return None
        return self._replace(box=box, apart=tuple(each for each in self.apart if meet(each, box) is not None))

    def beyond(self, guard: Box) -> State | None:
        """The packets that `guard` does not hold."""
        if covers(guard, self.box):
            return None
        return self if meet(self.box, guard) is None else self._replace(apart=(*self.apart, guard))


class End(NamedTuple):
    """Where a way ends: a verdict, or (`decide`) the rule of chain `target` that asks the mark first."""

    kind: str
    target: str
    rule: int
    line: int


class Ended(NamedTuple):
    state: State
    end: End

    @property
    def refusal(self) -> Refusal:
        return self.state.effects, self.end.kind, self.end.target


Refusal = tuple[tuple[Effect, ...], str, str]


class Place(NamedTuple):
    """Addresses that one chain writes into the mark, or refuses; `devices` are those it accepts them on.

    `refusals` are what becomes of the others; `write` is None where all are refused.
    """

    space: PrefixSet
    write: Mark | None
    devices: Intervals
    refusals: tuple[Ended, ...]
    line: int


class Way(NamedTuple):
    """What is found while a chain is followed: ways that ended, and those that left it."""

    ended: list[Ended]
    out: list[State]
    depth: int
