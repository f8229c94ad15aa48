"""Who may reach what: ends, conditions, and the flows between ends."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from segc.frozen import entity
from segc.policy.model.identities import Subject
from segc.source import Span
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet


class Part(NamedTuple):
    """Addresses in `space`; with a `subject`, only while a session binds them to it.

    `unless` takes out addresses of a space while a session binds them to a subject (`except group G`).
    """

    space: PrefixSet
    subject: Subject | None = None
    unless: tuple[tuple[Subject, PrefixSet], ...] = ()


@entity
class End:
    """One end of a flow: the union of its parts and of gateways themselves. Equal ends are one object.

    `zones` are those that its terms name, also by a host, a set, an `in`, or by addresses or a tag that no
    other zone has; those of `except` are not among them.
    """

    text: str
    parts: tuple[Part, ...]
    gateways: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    anybody: bool = field(init=False)  # whether who sits at an address never matters

    def __post_init__(self) -> None:
        anybody = not any(part.subject or part.unless for part in self.parts)
        object.__setattr__(self, "anybody", anybody)

    @property
    def space(self) -> PrefixSet:
        """Every address that may ever match."""
        space = PrefixSet()
        for part in self.parts:
            space = space | part.space
        return space

    @property
    def identified(self) -> bool:
        """Whether nothing matches without a session."""
        return bool(self.parts) and all(part.subject for part in self.parts) and not self.gateways


class Schedule(NamedTuple):
    """Weekly hours in local time: `days` 0 is Monday, minutes of the day; past midnight if end <= start.

    A span that passes midnight belongs to the day it starts on.
    """

    days: tuple[int, ...]
    start: int
    end: int
    timezone: str


class Conditions(NamedTuple):
    """All must hold. `not_before` and `not_after` bound a half-open range of Unix seconds."""

    mfa: bool = False
    postures: tuple[str, ...] = ()
    schedule: Schedule | None = None
    not_before: int | None = None
    not_after: int | None = None

    @property
    def timed(self) -> bool:
        return self.starts or self.not_after is not None

    @property
    def starts(self) -> bool:
        """Whether there are times at which they begin to hold."""
        return self.schedule is not None or self.not_before is not None


NO_CONDITIONS = Conditions()


class Limit(NamedTuple):
    """New connections per `unit` (second, minute, hour, day), over the whole flow."""

    rate: int
    unit: str


@entity
class Flow:
    """An allow or a deny. `kind` says which statement it stems from: flow, serve, manage or publish.

    `id` names it everywhere (counters, plans): from `as`, or from its meaning; never from its place.
    """

    id: str
    action: str
    staged: bool
    source: End
    destination: End
    services: ServiceSet
    conditions: Conditions
    limit: Limit | None
    log: bool
    kind: str
    span: Span = field(repr=False)

    @property
    def certain(self) -> bool:
        """Whether it decides every packet of its three sets, always, and nothing but decides."""
        return (
            self.source.anybody
            and self.destination.anybody
            and self.conditions == NO_CONDITIONS
            and not (self.staged or self.limit or self.log)
        )

    @property
    def looming(self) -> bool:
        """Whether it may come to forbid connections that stand."""
        changes = self.conditions.starts or not (self.source.anybody and self.destination.anybody)
        return self.action == "deny" and changes and not self.staged

    @property
    def ends(self) -> tuple[End, End]:
        return self.source, self.destination
