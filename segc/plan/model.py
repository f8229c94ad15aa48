"""A plan: what changes between a former state and the wanted policy. Apply acts from this and nothing else.

It is bound to both sides. `policy` is `compile.digest` of the wanted texts, `state` the digest of the state
that the differences were taken against. Whoever acts on a plan observes the state anew and refuses where its
digest is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

VERSION = 1  # of a saved plan


class Kind(StrEnum):
    """What becomes of packets: verdicts first, then what is logged, then what is only tried out."""

    OPENS = "opens"  # was denied under all conditions, and now is allowed
    LOOSENS = "loosens"  # was allowed already, but not under these conditions
    CLOSES = "closes"
    TIGHTENS = "tightens"  # stays allowed, but not under these conditions
    LOGS = "logs"  # the verdict stays, and now a log line tells of it
    UNLOGS = "unlogs"
    STAGES = "stages"  # a staged flow begins to count it
    UNSTAGES = "unstages"


GAINS = frozenset((Kind.OPENS, Kind.LOOSENS))
LOSSES = frozenset((Kind.CLOSES, Kind.TIGHTENS))


class Statement(NamedTuple):
    """A statement that takes part in a change. `side` is the policy that it stands in: before or after."""

    side: str
    file: str
    line: int
    text: str
    id: str  # of the flow; empty for a zone


class Witness(NamedTuple):
    """One packet that shows a change: `segc trace` denies it in one policy and allows it in the other.

    `source` and `destination` are addresses, or `gateway NAME` where no address of it is known. The groups
    are what `trace --group` takes: memberships that a policy does not list, in the former policy and in
    the wanted one. `at` is in Unix seconds.
    """

    source: str
    destination: str
    service: str
    user: str | None
    groups_before: tuple[str, ...]
    groups_after: tuple[str, ...]
    mfa: bool
    postures: tuple[str, ...]
    peer: str | None
    peer_groups_before: tuple[str, ...]
    peer_groups_after: tuple[str, ...]
    at: int
    text: str


class Part(NamedTuple):
    """Every packet from any of `source` to any of `destination`, where they share an address family.

    The ends are addresses, prefixes, ranges and `gateway NAME`; the last stands for all its addresses."""

    source: tuple[str, ...]
    destination: tuple[str, ...]
    services: str


@dataclass(frozen=True, slots=True)
class Access:
    """One exact set of packets that all change alike: the union of its disjoint `parts`, under `conditions`.

    The sets of one plan are disjoint for each kind, but for staged ones, where allows and denies are counted
    apart. `pairs` counts pairs of source and destination address, a gateway as one of each family; `source`,
    `destination` and `services` are the set in words (with several parts, all that is in any of them). Zones
    and tags, for `--fail-on`, are those that any address lies in.
    """

    kind: Kind
    source: str
    destination: str
    services: str
    conditions: tuple[str, ...]
    pairs: int
    parts: tuple[Part, ...]
    statements: tuple[Statement, ...]
    witness: Witness
    from_zones: tuple[str, ...]
    to_zones: tuple[str, ...]
    from_tags: tuple[str, ...]
    to_tags: tuple[str, ...]


class Alteration(NamedTuple):
    """A change beside the sets: a `limit`, what a `posture` proves, how long a `session` is trusted, what
    becomes of refused packets (`refuse`). `looser` says whether anybody may gain by it."""

    kind: str
    name: str
    before: str
    after: str
    looser: bool
    statement: Statement | None


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Change(NamedTuple):
    """One item of an artifact. `kind` says what `name`, `before` and `after` hold (empty where absent):

    In a ruleset `before` and `after` are compact JSON, as `nft -j` lists it but for the names of table and
    family, handles and the values of counters; against a build or a revision, where no kernel is asked, they
    are lines of `ruleset.nft`.

    - `element`: `name` is its set or map; a set's element, or `[key, value]` of a map, comment included.
      A changed one has the same key. Nothing here ever names an element that a session set in a timed set.
    - `set`, `map`, `counter`, `limit`: `name`; what it is declared as, without elements. An added set brings
      its elements as changes of their own.
    - `chain`: `name`; its declaration. An added or removed chain's rules are a change `rules` of its own.
    - `rules`: `name` is the chain; the list of all its rules. Whoever applies it flushes the chain and adds
      all of `after` in this order.

    In a `links.json`, as the facts that hold or should (see `plan.links`):

    - `bridge`, `device`, `port`, `vlan`, `address`: `name` is the device.

    In any other file:

    - `file`: the whole file is new or gone; `line`: `name` is the file; a line.
    """

    action: Action
    kind: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What changes on one gateway or switch, in order: objects, sets, chains, rules, elements; links; lines.

    `whole` names what cannot be altered in place (a set's type, a base chain's hook): where it holds
    anything, the table has to be loaded as a whole, from `ruleset.nft`.
    """

    node: str
    changes: tuple[Change, ...]
    whole: tuple[str, ...] = ()


class WantedFile(NamedTuple):
    """An artifact of the wanted policy, as `segc compile` writes it."""

    node: str
    name: str
    text: str


class Against(NamedTuple):
    """The former state: `kind` is live, build or revision; `name` the namespace, folder or revision.

    `policy` is the digest of the former policy, None where it is not known. Then `Plan.access` is empty
    because nothing can be said, not because nothing changes.
    """

    kind: str
    name: str
    policy: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`unchanged` counts the flows that both policies have. `access` is in order: gains before losses, the
    widest first. `files` are the artifacts of all `nodes`, so that a saved plan can be applied without the
    policy."""

    policy: str
    state: str
    against: Against
    unchanged: int
    access: tuple[Access, ...]
    alterations: tuple[Alteration, ...]
    nodes: tuple[NodePlan, ...]
    files: tuple[WantedFile, ...]

    @property
    def changes(self) -> bool:
        """Whether anything differs at all, be it in words or in artifacts."""
        return bool(self.access or self.alterations or any(node.changes for node in self.nodes))
