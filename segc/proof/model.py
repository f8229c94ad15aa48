"""A ruleset as it was read: what nftables would do, nothing of what is meant.

Every field of a packet has a number for each of its values; sets of them are `Intervals`. Names follow
nft(8). An expression implies others: `tcp dport` that the protocol is TCP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from segc.frozen import frozen
from segc.space.intervals import Intervals

ALL_BITS = 0xFFFFFFFF
STATES = ("new", "established", "related", "invalid", "untracked")


class Field(NamedTuple):
    """What a rule looks at: `ip saddr`, `meta mark`, `th dport`; `mask` is what is kept of it."""

    name: str
    mask: int | None = None


class Match(NamedTuple):
    """`values` are numbers, names of devices, or the name of a set where `named`."""

    field: Field
    values: Intervals | frozenset[str] | str
    negated: bool = False

    @property
    def named(self) -> bool:
        return isinstance(self.values, str)


class Lookup(NamedTuple):
    """A map asked for the value of the fields: the verdict to follow, or the counter to count."""

    fields: tuple[Field, ...]
    map: str
    counts: bool


class Mark(NamedTuple):
    """`mark = mark & keep | add`."""

    keep: int
    add: int


class Effect(NamedTuple):
    """What a rule does beside deciding: `counter`, `limit`, `rate`, `over`, `log`, `label`, `remember`.

    `limit` is one with a name, `rate` one of the rule's own, `over` matches what is beyond the rate.
    `remember` adds one way of a connection to a set, as in `ip tcp recent4_tcp`.
    """

    kind: str
    value: str


class Verdict(NamedTuple):
    """`accept`, `drop`, `reject`, `continue`, `return`, `jump`, `goto`, `dnat` or `masquerade`.

    `target` is a chain, how to reject, or where to translate to.
    """

    kind: str
    target: str = ""


Item = Match | Lookup | Mark | Effect | Verdict


class Rule(NamedTuple):
    items: tuple[Item, ...]
    line: int


class Hook(NamedTuple):
    kind: str  # filter, nat
    hook: str
    priority: str
    policy: str


@frozen
class Chain:
    name: str
    rules: tuple[Rule, ...]
    hook: Hook | None
    line: int


class Element(NamedTuple):
    """`key` has an interval for each field; `value` is a verdict, the name of a counter, or nothing."""

    key: tuple[tuple[int, int], ...]
    value: Verdict | str | None
    line: int


@frozen
class Table:
    """A set or map: the types of its key, and what it leads to (`verdict`, `counter` or nothing).

    `timeout` is in milliseconds, of what packets add; 0 where they add nothing.
    """

    name: str
    key: tuple[str, ...]
    value: str
    flags: frozenset[str]
    elements: tuple[Element, ...]
    line: int
    timeout: int = 0


@frozen
class Ruleset:
    """`limits` are rate, unit and burst by name; lines count from 1."""

    counters: frozenset[str]
    limits: Mapping[str, tuple[int, str, int]]
    tables: Mapping[str, Table]
    chains: Mapping[str, Chain]


class Problem(NamedTuple):
    """What is wrong, in which line, of which flow; both sides say what becomes of the witness."""

    message: str
    line: int = 0
    witness: str = ""
    policy: str = ""
    ruleset: str = ""
    flow: str = ""


class UnreadableError(Exception):
    """The ruleset holds something whose meaning is not known here."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.problem = Problem(message, line)
