"""What one gateway must do, free of any target's syntax."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from segc.enforcement.places import Place, Places, depth
from segc.frozen import frozen
from segc.policy.model import Flow, Policy, Subject
from segc.policy.topology import Position


class Phase(StrEnum):
    """Packets pass the phases in this order; within a phase nothing depends on an order."""

    STAGED = "staged"
    DENY = "deny"
    ALLOW = "allow"


class Hook(StrEnum):
    """Traffic through the gateway, to it and from it."""

    FORWARD = "forward"
    INPUT = "input"
    OUTPUT = "output"


class Kind(StrEnum):
    """How a service is looked up: by port, port range, ICMP type, protocol, or not at all."""

    PORT = "port"
    RANGE = "range"
    TYPE = "type"
    PROTOCOL = "protocol"
    ALL = "all"


class Grant(NamedTuple):
    """A claim that a session may prove of an address: the subject with what else is required of it."""

    subject: Subject
    mfa: bool
    postures: tuple[str, ...]


class Rule(NamedTuple):
    """One way for a flow to match a cell: `flow` indexes the flows of the policy.

    The source and destination must hold their grant and none of the `without` grants.
    """

    flow: int
    source: Grant | None = None
    destination: Grant | None = None
    source_without: tuple[Grant, ...] = ()
    destination_without: tuple[Grant, ...] = ()

    @property
    def grants(self) -> tuple[Grant, ...]:
        given = tuple(grant for grant in (self.source, self.destination) if grant)
        return given + self.source_without + self.destination_without


class Slot(NamedTuple):
    """One table of a phase; `protocol` is 0 where the kind is not of one protocol."""

    phase: Phase
    kind: Kind
    protocol: int


class Cell(NamedTuple):
    """Packets from a place to a place. The values are ports or types; for kind PROTOCOL the protocol."""

    source: Place
    destination: Place
    first: int
    last: int

    @property
    def exchanged(self) -> Cell:
        """With both ends exchanged, as an answer has them."""
        return self._replace(source=self.destination, destination=self.source)


class Level(NamedTuple):
    """How closely a lookup sees each end: 0 not at all, 1 its zone, 2 its class."""

    source: int
    destination: int

    @classmethod
    def of(cls, source: Place, destination: Place) -> Level:
        return cls(depth(source), depth(destination))

    @property
    def exchanged(self) -> Level:
        """With both ends exchanged, as an answer has them."""
        return Level(self.destination, self.source)


Cells = Mapping[Cell, tuple[Rule, ...]]
PlainCell = tuple[Place, Place, int, int, int]  # a cell that one plain flow decides, and that flow
LevelKey = tuple[Hook, Slot, bool]


@frozen
class Program:
    """A gateway's part of the policy.

    A packet is looked up in each slot of a phase at every level that is in `levels`, where the last of
    the key says whether for plain flows. Cells may overlap: a phase is a union. Flows count as in the policy;
    `enforced` are those in which the gateway has a part.
    `intra` are numbers of the zones whose hosts may talk among themselves. Of the `grants`, those that are
    in `opening` let something through for whoever holds them, and those in `closing` keep something shut.
    """

    policy: Policy
    position: Position
    places: Places
    enforced: tuple[int, ...]
    plain: Mapping[Slot, Sequence[PlainCell]]
    cells: Mapping[Slot, Cells]
    levels: Mapping[LevelKey, tuple[Level, ...]]
    intra: tuple[int, ...]
    grants: tuple[Grant, ...]
    opening: frozenset[Grant]
    closing: frozenset[Grant]

    def flows(self) -> Iterator[Flow]:
        """The flows that are enforced, in order."""
        return (self.policy.flows[index] for index in self.enforced)
