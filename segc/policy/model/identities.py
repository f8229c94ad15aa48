"""Who people are, what is asked of their devices, who vouches for them and for how long."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from segc.frozen import frozen
from segc.source import Span


@frozen
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


@frozen
class PostureFact:
    """What is asked of a fact about a device. `type` says how the two are compared: versions number by
    number; a `date` by its age, `value` being the greatest in seconds and `operator` `within`.
    """

    name: str
    operator: str
    value: str | bool | int
    type: str  # boolean, integer, version, string, date


@frozen
class Posture:
    name: str
    facts: tuple[PostureFact, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class SessionRule:
    """How long, in seconds, a verified binding of a member of `group` is trusted; None is unbounded."""

    group: str
    max_age: int | None
    idle: int | None
    span: Span = field(compare=False, repr=False)


@frozen
class Source:
    """Who vouches for sessions in `zones`. `max_age`, in seconds, bounds its claims; None is unbounded."""

    name: str
    kind: str  # a key of identity.kinds.KINDS
    zones: tuple[str, ...]
    mfa: bool
    postures: tuple[str, ...]
    max_age: int | None
    span: Span = field(compare=False, repr=False)


@frozen
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


@frozen
class Revocation:
    """A promise: who leaves `group`, or the directory, sends no packet `within` seconds later."""

    group: str | None
    within: int
    span: Span = field(compare=False, repr=False)


@frozen
class Admission:
    """IEEE 802.1X puts the subject into the zone; where there is none, its hosts by their MAC addresses."""

    zone: str
    subject: Subject | None
    span: Span = field(compare=False, repr=False)
