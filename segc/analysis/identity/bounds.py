"""How long somebody who was removed can still send packets, at worst.

Access ends when the first of these ends it: the greatest age of the session, that of the source, and the
directory that is asked again and again. The kernel refuses what comes more than `SLACK` later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.analysis.identity.granting import Seats, granting, people
from segc.frozen import frozen
from segc.identity.kinds import KINDS
from segc.policy.model import Directory, Flow, Group, Part, Policy, Source, Subject
from segc.source import Span
from segc.space.words import duration_text

SLACK = 1  # seconds: the daemon sees to it within one, and the kernel asks about open connections twice


class Cause(NamedTuple):
    """What ends access after so many seconds, and where the policy says so."""

    seconds: int
    words: str
    span: Span


Ending = Cause | None  # None: nothing ever ends it


@frozen
class Bound:
    """The worst case of a flow: of its people `who` keeps access the longest, ended by `cause`."""

    flow: Flow
    who: str
    cause: Ending

    @property
    def seconds(self) -> int | None:
        return None if self.cause is None else self.cause.seconds + SLACK


class Person(NamedTuple):
    """A user that the policy names, or anybody of a directory group."""

    words: str
    ending: Ending


class _EndingOf(NamedTuple):
    """A cause with those whose access it ends: users, and all members of directory groups."""

    cause: Cause
    users: frozenset[str]
    directories: frozenset[str]


def bounds(policy: Policy, group: str | None = None) -> Iterator[Bound]:
    """The worst case of every flow that people open; of the members of `group` where one is named."""
    revoking = _Revoking(policy, policy.groups.get(group) if group else None)
    for flow in granting(policy):
        found = [each for part in people(flow) if (each := revoking.worst(part)) is not None]
        if found:
            yield Bound(flow, *max(found, key=lambda each: _rank(each[1])))


def _rank(ending: Ending) -> float:
    return float("inf") if ending is None else ending.seconds


def _first(endings: Iterable[Ending]) -> Ending:
    return min(endings, key=_rank)


def _last(endings: Iterable[Ending]) -> Ending:
    return max(endings, key=_rank)


class _Revoking:
    """The endings that a policy has; `among` leaves all but its members out."""

    def __init__(self, policy: Policy, among: Group | None) -> None:
        self.policy, self.among = policy, among
        self.seats = Seats(policy)
        self.sources = [each for each in policy.sources.values() if KINDS[each.kind].assurance is not None]
        self.endings = sorted(_endings(policy), key=lambda each: (each.cause.seconds, each.cause.words))
        self._persons: dict[Subject, tuple[Person, ...]] = {}
        self._source: dict[object, Ending] = {}

    def worst(self, part: Part) -> tuple[str, Ending] | None:
        """Who of the part keeps access the longest, and what ends it; None where it holds nobody."""
        assert part.subject is not None
        source = self._of_sources(part)
        endings = [(person.words, _first((person.ending, source))) for person in self._of(part.subject)]
        return max(endings, key=lambda each: _rank(each[1]), default=None)

    def _of(self, subject: Subject) -> tuple[Person, ...]:
        """The users that keep access the longest, and each directory group."""
        if subject not in self._persons:
            self._persons[subject] = tuple(self._find(subject))
        return self._persons[subject]

    def _find(self, subject: Subject) -> Iterator[Person]:
        listed, drawn = self._members(subject)
        if listed:
            yield self._longest(listed)
        for name in sorted(drawn):
            endings = (each.cause for each in self.endings if name in each.directories)
            yield Person(f'directory "{name}"', next(endings, None))

    def _members(self, subject: Subject) -> tuple[frozenset[str], frozenset[str]]:
        """Users that the policy lists, and directory groups, of which some member may be among these."""
        if subject.kind == "user":
            listed, drawn, members = frozenset((subject.name,)), frozenset[str](), frozenset[str]()
        else:
            group = self.policy.groups[subject.name]
            listed, drawn = group.listed, group.known | group.directories
            members = group.users - listed
        if self.among is None:
            return listed, drawn
        if not members & self.among.users:
            drawn &= self.among.known | self.among.directories
        return listed & self.among.users, drawn

    def _longest(self, users: frozenset[str]) -> Person:
        """The user whom nothing ends, or what ends the last of them."""
        for each in self.endings:
            if users <= each.users:
                return Person(f'user "{min(users)}"', each.cause)
            users -= each.users
        return Person(f'user "{min(users)}"', None)

    def _of_sources(self, part: Part) -> Ending:
        """The longest that any source of the zones lets a claim live."""
        zones = self.seats.zones(part.space)
        if zones not in self._source:
            names = {zone.name for zone in zones}
            vouching = [each for each in self.sources if names.intersection(each.zones)]
            self._source[zones] = _last(map(_age, vouching)) if vouching else None
        return self._source[zones]


def _age(source: Source) -> Ending:
    return _max(f"source {source.name}", source.max_age, source.span)


def _max(what: str, seconds: int | None, span: Span) -> Ending:
    return None if seconds is None else Cause(seconds, f"{what}: max {duration_text(seconds)}", span)


def _endings(policy: Policy) -> Iterator[_EndingOf]:
    """What ends access for whom, whatever the flow."""
    for rule in policy.sessions:
        group = policy.groups[rule.group]
        if cause := _max(f"session {rule.group}", rule.max_age, rule.span):
            yield _EndingOf(cause, group.users, group.known | group.directories)
    drawn = frozenset[str]().union(*(each.known | each.directories for each in policy.groups.values()))
    for directory in policy.directories.values():
        yield _EndingOf(_of_directory(directory), directory.users or frozenset(), frozenset())
    for name in drawn:
        if owners := [
            each for each in policy.directories.values() if each.groups is None or name in each.groups
        ]:
            yield _EndingOf(max(map(_of_directory, owners)), frozenset(), frozenset((name,)))


def _of_directory(directory: Directory) -> Cause:
    sync, timeout = duration_text(directory.sync), duration_text(directory.timeout)
    words = f"directory {directory.name}: sync {sync}, timeout {timeout}"
    return Cause(directory.sync + directory.timeout, words, directory.span)
