"""A plan: what changes between a former state and the wanted policy. Apply acts from this and nothing else.

It is bound to both sides. `policy` is `compile.digest` of the wanted texts, `state` the digest of the state
that the differences were taken against. Whoever acts on a plan observes the state anew and refuses where its
digest is another one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from segc.frozen import frozen

VERSION = 1  # of a saved plan


class Kind(StrEnum):
    """What becomes of packets: verdicts first, then what is logged, then what is only tried out."""

    OPENS = "opens"  # nobody of them was allowed this under any conditions
    LOOSENS = "loosens"  # some of them were already, but not under these conditions
    CLOSES = "closes"
    TIGHTENS = "tightens"  # some of them still are, but not under these conditions
    LOGS = "logs"  # the verdict stays, and now a log line tells of it
    UNLOGS = "unlogs"
    STAGES = "stages"  # a staged flow begins to count it
    UNSTAGES = "unstages"


GAINS = frozenset((Kind.OPENS, Kind.LOOSENS))
PROMISES = frozenset(("never", "revoke", "workflow", "test", "accept"))  # kinds of alterations
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


@frozen
class Access:
    """One exact set of packets that all change alike: the union of its disjoint `parts`, under `conditions`.

    `people` are those at the source and `peers` those at the destination, where the policy or the snapshot of
    directories says who they are; the first thousand by name.

    Of thousands of parts only the first are listed; `unlisted` is how many are not, and `pairs` counts all.

    The sets of one plan are disjoint for each kind, but for staged ones, where allows and denies are counted
    apart. `pairs` counts pairs of source and destination address, a gateway as one of each family; `source`,
    `destination` and `services` are the set in words (with several parts, all that is in any of them). Zones
    and tags, for `--fail-on`, are those that any address lies in, in either policy.
    """

    kind: Kind
    source: str
    destination: str
    services: str
    conditions: tuple[str, ...]
    people: tuple[str, ...]
    peers: tuple[str, ...]
    pairs: int
    parts: tuple[Part, ...]
    unlisted: int
    statements: tuple[Statement, ...]
    witness: Witness
    from_zones: tuple[str, ...]
    to_zones: tuple[str, ...]
    from_tags: tuple[str, ...]
    to_tags: tuple[str, ...]


class Alteration(NamedTuple):
    """A change beside the sets: a `limit`, what a `posture` proves, how long a `session` is trusted, for
    what a `source` vouches, whom `dot1x` puts into a zone, where what is published leads (`publish`), whose
    addresses are hidden (`masquerade`), what becomes of refused packets (`refuse`), and what is promised or
    accepted (`PROMISES`). `looser` says whether anybody may gain by it. Zones and tags are those of
    everything that rests on it, in either policy."""

    kind: str
    name: str
    before: str
    after: str
    looser: bool
    statement: Statement | None
    from_zones: tuple[str, ...] = ()
    to_zones: tuple[str, ...] = ()
    from_tags: tuple[str, ...] = ()
    to_tags: tuple[str, ...] = ()


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class Change(NamedTuple):
    """One item of an artifact. `kind` says what `name`, `before` and `after` hold (empty where absent):

    In a ruleset, in the words of whatever the sides were read from: both are what nft lists (see
    `apply.live`), or both lines of `ruleset.nft`. Comments, counts and sessions are no difference.

    - `set`, `map`, `counter`, `limit`, `chain`: `name`; what it is declared as.
    - `element`: `name` is its set or map; the element, in a map with its value.
    - `rules`: `name` is the chain; a JSON list of all its rules.

    Elsewhere:

    - `link`: `name` is the device; one fact of `links.json` that holds or should. Against a live host `after`
      is the step to take.
    - `line`: `name` is the file; one line of it.
    """

    action: Action
    kind: str
    name: str
    before: str
    after: str


@frozen
class NodePlan:
    """What changes on one gateway or switch: ruleset, links, lines of other files."""

    node: str
    changes: tuple[Change, ...]


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


@frozen
class Cut:
    """Connections in use on the host that an apply would end: how many, and the first of them in words."""

    count: int
    examples: tuple[str, ...]


@frozen
class Plan:
    """`unchanged` counts the flows that both policies have. `access` is in order: gains before losses, the
    widest first. `files` are the wanted artifacts of all `nodes` and `sources` the policy's texts by path
    below the folder that they have in common, so that a saved plan can be applied without anything else.
    `cut` is None where the plan is not against a host, or the host does not track connections. `warnings` are
    what whoever applies it should know of the host before: what it does not enforce, who would be locked out.
    """

    policy: str
    state: str
    against: Against
    unchanged: int
    access: tuple[Access, ...]
    alterations: tuple[Alteration, ...]
    nodes: tuple[NodePlan, ...]
    files: tuple[WantedFile, ...]
    sources: tuple[tuple[str, str], ...]
    cut: Cut | None = None
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything differs at all, be it in words or in artifacts."""
        return bool(self.access or self.alterations or any(node.changes for node in self.nodes))
