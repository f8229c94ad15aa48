"""How long somebody who was removed can still send packets, at worst, and the promises of it (`SEG315`).

Access ends when the first of these ends it: the greatest age of the session, that of the source, and the
directory that is asked again and again. The packet after that is refused by the kernel, exact to a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from segc.analysis.identity.granting import Seats, granting, people
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.identity.kinds import KINDS
from segc.policy.model import Directory, Flow, Group, Part, Policy, Revocation, Source, Subject
from segc.source import Span
from segc.space.words import duration_text

SLACK = 1  # seconds: the kernel counts timeouts in jiffies, the daemon acts once a second
MOST_SHOWN = 3


class Cause(NamedTuple):
    """What ends access after so many seconds, and where the policy says so."""

    seconds: int
    words: str
    span: Span


Ending = Cause | None  # None: nothing ever ends it


@dataclass(frozen=True, slots=True)
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


def check_revocations(policy: Policy) -> Iterator[Diagnostic]:
    for promise in policy.revocations:
        late: dict[Ending, list[Bound]] = {}
        for bound in bounds(policy, promise.group):
            if bound.seconds is None or bound.seconds > promise.within:
                late.setdefault(bound.cause, []).append(bound)
        for found in late.values():
            yield _broken(policy, promise, found)


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
        """Users that the policy lists, and directory groups."""
        if subject.kind == "user":
            listed, drawn = frozenset((subject.name,)), frozenset[str]()
        else:
            group = self.policy.groups[subject.name]
            listed, drawn = group.listed, group.known | group.directories
        if self.among is None:
            return listed, drawn
        return listed & self.among.users, drawn & (self.among.known | self.among.directories)

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


def _broken(policy: Policy, promise: Revocation, late: list[Bound]) -> Diagnostic:
    first = late[0]
    more = f", and {len(late) - 1} more like it" if len(late) > 1 else ""
    keeps = f"keeps `{first.flow.id}` open for {_words(first)}" if first.cause else _forever(first)
    labels = [Label(each.flow.span, f"{each.who} keeps this") for each in late[:MOST_SHOWN]]
    if first.cause:
        labels.append(Label(first.cause.span, f"nothing ends it sooner: {first.cause.words}"))
    return finding(
        "SEG315",
        f"whoever is removed {keeps}{more}",
        promise.span,
        f"promises {promise.within} s",
        also=tuple(labels),
        help=_help(policy, promise, first),
    )


def _forever(bound: Bound) -> str:
    return f"keeps `{bound.flow.id}` open for as long as the source vouches"


def _words(bound: Bound) -> str:
    assert bound.seconds is not None
    return f"{bound.seconds} s ({duration_text(bound.seconds)})"


def _help(policy: Policy, promise: Revocation, bound: Bound) -> str:
    """The least that keeps the promise."""
    within = duration_text(max(promise.within - SLACK, 1))
    subjects = (part.subject for part in people(bound.flow))
    group = next((each.name for each in subjects if each and each.kind == "group"), "GROUP")
    if bound.cause is None and bound.who.startswith("directory") and not policy.directories:
        return "say how often the directory is asked: `directory corp { sync 5m }`"
    if bound.cause is None:
        return f"bound the sessions: `session {group} {{ max {within} }}`"
    return f"shorten that to {within} or less, or promise {duration_text(bound.cause.seconds + SLACK)}"
