"""What the policy that stands says of sessions: `sessions.json`, indexed by person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

from segc.frozen import frozen
from segc.identity.claim import MANUAL
from segc.identity.names import person
from segc.sessions.posture import Requirement
from segc.space.prefixes import PrefixSet, parse_prefixes, union

FORMAT = 1


class BookError(ValueError):
    """`sessions.json` is not of a format that we know."""


@frozen
class Membership:
    """A pair of kernel sets, and what a session must prove to have its addresses in them."""

    ipv4: str
    ipv6: str
    subjects: tuple[str, ...]  # `group finance`, `user bo@acme.example`
    mfa: bool
    postures: tuple[str, ...]
    opens: bool = True  # lets something through
    closes: bool = False  # keeps something shut

    @property
    def words(self) -> str:
        needs = (["mfa"] if self.mfa else []) + [f"posture {each}" for each in self.postures]
        return " or ".join(self.subjects) + (f" with {', '.join(needs)}" if needs else "")


class Bound(NamedTuple):
    """The least length of time, in seconds, that any group allows, and which; None where none does."""

    seconds: int | None
    words: str


UNBOUNDED = Bound(None, "")


@frozen
class Source:
    kind: str
    zones: tuple[str, ...]
    space: PrefixSet
    mfa: bool
    postures: frozenset[str]
    max: int | None


@frozen
class Book:
    """`by_user` has the numbers of the memberships that a person may have, each with the subjects that she
    is of. `longest` and `idle` bound a person's sessions. `space` is that of all zones, None where what an
    earlier segc compiled does not tell."""

    memberships: tuple[Membership, ...] = ()
    by_user: Mapping[str, tuple[tuple[int, tuple[str, ...]], ...]] = field(default_factory=dict)
    postures: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    longest: Mapping[str, Bound] = field(default_factory=dict)
    idle: Mapping[str, Bound] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    space: PrefixSet | None = None

    @property
    def sets(self) -> tuple[str, ...]:
        return tuple(name for each in self.memberships for name in (each.ipv4, each.ipv6))

    def open_to(self, name: str) -> bool:
        """Whether claims of this source are taken without a look at what the policy says of it."""
        return not self.sources or (name == MANUAL and name not in self.sources)


NOTHING = Book()


def read_book(text: str) -> Book:
    """BookError where it is not what this segc writes."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise BookError(f"`sessions.json` has format {document['format']}: this segc knows {FORMAT}")
        memberships = tuple(map(_membership, document["sets"]))
        return Book(
            memberships,
            _by_user(memberships, document["people"]),
            {name: tuple(map(_requirement, facts)) for name, facts in document["postures"].items()},
            _bounds(document["lifetimes"], "max"),
            _bounds(document["lifetimes"], "idle"),
            {name: _source(each) for name, each in document["sources"].items()},
            _space(document["prefixes"]) if "prefixes" in document else None,
        )
    except BookError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BookError("`sessions.json` cannot be read: apply the policy again") from error


def _membership(document: Mapping[str, Any]) -> Membership:
    return Membership(
        document["ipv4"],
        document["ipv6"],
        tuple(document["people"]),
        document["mfa"],
        tuple(document["postures"]),
        document.get("opens", True),
        document.get("closes", False),
    )


def _by_user(
    memberships: tuple[Membership, ...], people: Mapping[str, list[str]]
) -> dict[str, tuple[tuple[int, tuple[str, ...]], ...]]:
    found: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    for number, each in enumerate(memberships):
        subjects: dict[str, tuple[str, ...]] = {}
        for subject in each.subjects:
            for user in map(person, people.get(subject, ())):
                subjects[user] = (*subjects.get(user, ()), subject)
        for user, through in subjects.items():
            found.setdefault(user, []).append((number, through))
    return {user: tuple(each) for user, each in found.items()}


def _requirement(document: Mapping[str, Any]) -> Requirement:
    return Requirement(document["fact"], document["operator"], document["value"], document["type"])


def _bounds(lifetimes: Mapping[str, Any], which: str) -> dict[str, Bound]:
    found: dict[str, Bound] = {}
    for group, each in sorted(lifetimes.items()):
        seconds = each[which]
        for user in map(person, each["people"] if seconds is not None else ()):
            least = found.get(user, UNBOUNDED).seconds
            if least is None or seconds < least:
                found[user] = Bound(seconds, f"session {group}: {which} {seconds} s")
    return found


def _source(document: Mapping[str, Any]) -> Source:
    return Source(
        document["kind"],
        tuple(document["zones"]),
        _space(document["prefixes"]),
        document["mfa"],
        frozenset(document["postures"]),
        document["max"],
    )


def _space(prefixes: list[str]) -> PrefixSet:
    return union(map(parse_prefixes, prefixes))
