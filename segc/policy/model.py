"""The resolved policy: every name an object, every end a set. What all later passes ask.

One relation is behind it: *(source, destination, service, condition) -> verdict*. Default deny; a deny
beats an allow; nothing depends on the order of statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from typing import NamedTuple

from segc.source import Span
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet

InterfaceAddress = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    zone: str
    space: PrefixSet
    mac: str | None
    tags: frozenset[str]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Zone:
    """A named part of the network. `space` of an external zone is all that no other zone claims."""

    name: str
    vlan: int | None
    space: PrefixSet
    external: bool
    hosts: tuple[Host, ...]
    tags: frozenset[str]
    isolated: bool  # `intra deny`: hosts of the zone need a flow to reach each other
    refuse: str  # drop, reject
    about: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """`users` with those of nested groups and of directory groups that the snapshot holds, which are `known`.

    `directories` are the directory groups of which nobody knows who is in them.
    """

    name: str
    users: frozenset[str]
    directories: frozenset[str]
    members: frozenset[str]  # every group nested in it, itself included
    span: Span = field(compare=False, repr=False)
    known: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()  # those of `users` that the policy itself names


@dataclass(frozen=True, slots=True)
class PostureFact:
    """What is asked of a fact about a device. `type` says how the two are compared: versions number by
    number; a `date` by its age, `value` being the greatest in seconds and `operator` `within`.
    """

    name: str
    operator: str
    value: str | bool | int
    type: str  # boolean, integer, version, string, date


@dataclass(frozen=True, slots=True)
class Posture:
    name: str
    facts: tuple[PostureFact, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SessionRule:
    """How long, in seconds, a verified binding of a member of `group` is trusted; None is unbounded."""

    group: str
    max_age: int | None
    idle: int | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Who vouches for sessions in `zones`. `max_age`, in seconds, bounds its claims; None is unbounded."""

    name: str
    kind: str  # a key of identity.kinds.KINDS
    zones: tuple[str, ...]
    mfa: bool
    postures: tuple[str, ...]
    max_age: int | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Directory:
    """Where people come from: asked every `sync` seconds who has left, given up on after `timeout`.

    `users` and `groups` are those of the policy that the snapshot says are its own; None without a snapshot.
    """

    name: str
    sync: int
    timeout: int
    users: frozenset[str] | None
    groups: frozenset[str] | None
    span: Span = field(compare=False, repr=False)


class Subject(NamedTuple):
    """Who: `kind` is `group` or `user`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f'user "{self.name}"' if self.kind == "user" else f"group {self.name}"


@dataclass(frozen=True, slots=True)
class Revocation:
    """A promise: who leaves `group`, or the directory, sends no packet `within` seconds later."""

    group: str | None
    within: int
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """IEEE 802.1X puts the subject into the zone; where there is none, its hosts by their MAC addresses."""

    zone: str
    subject: Subject | None
    span: Span = field(compare=False, repr=False)


class Part(NamedTuple):
    """Addresses in `space`; with a `subject`, only while a session binds them to it.

    `unless` takes out addresses of a space while a session binds them to a subject (`except group G`).
    """

    space: PrefixSet
    subject: Subject | None = None
    unless: tuple[tuple[Subject, PrefixSet], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """One end of a flow: the union of its parts and of gateways themselves. Equal ends are one object."""

    text: str
    parts: tuple[Part, ...]
    gateways: tuple[str, ...] = ()
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


@dataclass(frozen=True, slots=True, eq=False)
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


@dataclass(frozen=True, slots=True, eq=False)
class Never:
    source: End
    destination: End
    services: ServiceSet
    transitive: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    source: End
    destination: End
    services: ServiceSet
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    name: str
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """`at` in Unix seconds; None says: at every time."""

    action: str
    source: End
    destination: End
    services: ServiceSet
    mfa: bool
    postures: tuple[str, ...]
    at: int | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    title: str
    expectations: tuple[Expectation, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a bridge or a switch: `access` is its untagged zone, `trunk` its tagged ones.

    One that asks (`dot1x`) has neither: IEEE 802.1X puts it into one of the zones of `Policy.admissions`.
    """

    name: str
    access: str | None
    trunk: tuple[str, ...]
    isolated: bool
    span: Span = field(compare=False, repr=False)
    dot1x: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """A device of a gateway. `zone` sits on it untagged, `trunk` on `name.<vlan>`; a bridge has ports."""

    name: str
    zone: str | None
    trunk: tuple[str, ...]
    bridge: bool
    ports: tuple[Port, ...]
    dhcp: bool
    addresses: tuple[InterfaceAddress, ...]
    masquerade: bool
    span: Span = field(compare=False, repr=False)


class Attachment(NamedTuple):
    """A zone on a layer-3 device of a gateway; `vlan` is set where the device is a sub-interface."""

    device: str
    zone: str
    interface: str
    vlan: int | None


@dataclass(frozen=True, slots=True)
class Publish:
    """DNAT: ports `first` to `last` of the interface's address go to `target`, from `target_first` on."""

    interface: str
    protocol: int
    first: int
    last: int
    target: PrefixSet
    target_first: int
    span: Span = field(compare=False, repr=False)

    @property
    def outer(self) -> ServiceSet:
        """What is asked for on the interface's address."""
        return ServiceSet(((self.protocol, ((self.first, self.last),)),))

    @property
    def inner(self) -> ServiceSet:
        """What the target gets."""
        ports = (self.target_first, self.target_first + self.last - self.first)
        return ServiceSet(((self.protocol, (ports,)),))

    def where(self, gateway: str) -> str:
        """`tcp/443 on wan0 of gw1`."""
        return f"{self.outer} on {self.interface} of {gateway}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """An enforcement point. With no `gateway` statement one is assumed: `implicit`, without interfaces."""

    name: str
    implicit: bool
    interfaces: tuple[Interface, ...]
    attachments: tuple[Attachment, ...]
    addresses: Mapping[str, tuple[InterfaceAddress, ...]]  # by zone
    own: PrefixSet  # every address known to be the gateway's
    dhcp_zones: tuple[str, ...]
    publishes: tuple[Publish, ...]
    mark: int  # the bits of the packet mark that the ruleset may use
    span: Span | None = field(compare=False, repr=False)

    def interface(self, name: str) -> Interface:
        """The interface of that name, which it has."""
        return next(each for each in self.interfaces if each.name == name)


@dataclass(frozen=True, slots=True)
class Switch:
    name: str
    platform: str
    ports: tuple[Port, ...]
    span: Span = field(compare=False, repr=False)


class Unused(NamedTuple):
    """A set, service, group or posture (`kind`) that nothing needs."""

    kind: str
    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    timezone: str
    zones: Mapping[str, Zone]
    sets: Mapping[str, End]
    services: Mapping[str, ServiceSet]
    groups: Mapping[str, Group]
    postures: Mapping[str, Posture]
    sessions: tuple[SessionRule, ...]
    flows: tuple[Flow, ...]
    nevers: tuple[Never, ...]
    workflows: tuple[Workflow, ...]
    tests: tuple[Test, ...]
    gateways: Mapping[str, Gateway]
    switches: Mapping[str, Switch]
    limits: Mapping[str, int] = field(default_factory=dict)  # by the names of policy.limits.THRESHOLDS
    unused: tuple[Unused, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    directories: Mapping[str, Directory] = field(default_factory=dict)
    revocations: tuple[Revocation, ...] = ()
    admissions: tuple[Admission, ...] = ()

    def users_of(self, subject: Subject) -> frozenset[str]:
        """Everybody known to be the subject."""
        return self.groups[subject.name].users if subject.kind == "group" else frozenset((subject.name,))
