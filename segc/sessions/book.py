"""What the policy that stands says of sessions: `sessions.json`, indexed by person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from segc.document import DocumentError, read_json, shaped
from segc.frozen import frozen
from segc.identity.claim import MANUAL
from segc.identity.names import person
from segc.sessions.posture import TYPES, Requirement
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
        found = read_json(text)
        format_ = shaped(_Format, found).format
        if format_ == FORMAT:
            return _book(shaped(_Document, found))
    except DocumentError as error:
        words = f"`sessions.json` cannot be read, as it {error.reason}: apply the policy again"
        raise BookError(words) from None
    raise BookError(f"`sessions.json` has format {format_}: this segc knows {FORMAT}")


class _Format(NamedTuple):
    format: int


class _Set(NamedTuple):
    """A membership; of whom, is in `_Document.people`."""

    ipv4: str
    ipv6: str
    people: tuple[str, ...]
    mfa: bool
    postures: tuple[str, ...]
    opens: bool = True
    closes: bool = False


class _Lifetime(NamedTuple):
    max: int | None
    idle: int | None
    people: tuple[str, ...]


class _Source(NamedTuple):
    kind: str
    zones: tuple[str, ...]
    prefixes: tuple[str, ...]
    mfa: bool
    postures: tuple[str, ...]
    max: int | None


class _Document(NamedTuple):
    """The file as the backend writes it."""

    sets: tuple[_Set, ...]
    people: Mapping[str, tuple[str, ...]]
    postures: Mapping[str, tuple[Requirement, ...]]
    lifetimes: Mapping[str, _Lifetime]
    sources: Mapping[str, _Source]
    prefixes: tuple[str, ...] | None = None


def _book(document: _Document) -> Book:
    memberships = tuple(Membership(*each) for each in document.sets)
    strange = {each.type for facts in document.postures.values() for each in facts} - TYPES.keys()
    if strange:
        raise DocumentError("asks for a fact of a type that this segc does not know")
    return Book(
        memberships,
        _by_user(memberships, document.people),
        document.postures,
        _bounds(document.lifetimes, "max"),
        _bounds(document.lifetimes, "idle"),
        {name: _source(each) for name, each in document.sources.items()},
        None if document.prefixes is None else _space(document.prefixes),
    )


def _by_user(
    memberships: tuple[Membership, ...], people: Mapping[str, tuple[str, ...]]
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


def _bounds(lifetimes: Mapping[str, _Lifetime], which: str) -> dict[str, Bound]:
    found: dict[str, Bound] = {}
    for group, each in sorted(lifetimes.items()):
        seconds: int | None = getattr(each, which)
        if seconds is None:
            continue
        for user in map(person, each.people):
            least = found.get(user, UNBOUNDED).seconds
            if least is None or seconds < least:
                found[user] = Bound(seconds, f"session {group}: {which} {seconds} s")
    return found


def _source(found: _Source) -> Source:
    postures = frozenset(found.postures)
    return Source(found.kind, found.zones, _space(found.prefixes), found.mfa, postures, found.max)


def _space(prefixes: tuple[str, ...]) -> PrefixSet:
    try:
        return union(map(parse_prefixes, prefixes))
    except ValueError:
        raise DocumentError("holds a prefix that is none") from None
