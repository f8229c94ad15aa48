"""Who may sit at an address: sessions as a user with directory groups, and what ends ask of them.

A session is one user, named in the policy or not, who is in any of the directories' groups that the policy
draws on. Asking for groups, a second factor or a posture is monotone: who proves more is never held less,
but for `except group`. So a region of sessions lies within a union of others if its *least* sessions do,
and these are few; only directories behind an `except` have to be tried both ways.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import chain, combinations, product
from typing import NamedTuple

from segc.policy.model import Policy, Subject


class Who(NamedTuple):
    """Sessions that prove all of `subjects` and none of `without`; an address without one proves nothing."""

    subjects: frozenset[Subject] = frozenset()
    without: frozenset[Subject] = frozenset()

    def __and__(self, other: Who) -> Who:
        return self if self == other else Who(self.subjects | other.subjects, self.without | other.without)


ANYBODY = Who()
NO_SUBJECTS: frozenset[Subject] = frozenset()


class Person(NamedTuple):
    """`user` is None where the policy names nobody of the sort."""

    user: str | None = None
    directories: frozenset[str] = frozenset()


class People:
    """The sessions that a policy tells apart. What is asked twice is remembered.

    A directory group that is empty may have members tomorrow, but for a `now` that only asks who is in it.
    """

    def __init__(self, policy: Policy, used: Iterable[Who], now: bool = False) -> None:
        self.policy, self.now = policy, now
        self.directories = {name: self._directories(name) for name in policy.groups}
        self.used = frozenset(subject for who in used for each in who for subject in each)
        self._least: dict[tuple[Who, frozenset[Subject]], tuple[Person, ...]] = {}
        self._within: dict[tuple[Who, Who], bool] = {}

    def _directories(self, name: str) -> frozenset[str]:
        """Where unlisted members may come from; a group that lists nothing may be filled by anything."""
        groups = [self.policy.groups[member] for member in self.policy.groups[name].members]
        open_ended = {
            f" {g.name}" for g in groups if not (g.users or g.directories or (self.now and g.known))
        }
        return self.policy.groups[name].directories | open_ended

    def proves(self, person: Person, subject: Subject) -> bool:
        if subject.kind == "user":
            return person.user == subject.name
        group = self.policy.groups[subject.name]
        return person.user in group.users or bool(person.directories & self.directories[subject.name])

    def holds(self, who: Who, person: Person) -> bool:
        return all(self.proves(person, each) for each in who.subjects) and not any(
            self.proves(person, each) for each in who.without
        )

    def least(self, who: Who, negated: frozenset[Subject] = NO_SUBJECTS) -> tuple[Person, ...]:
        """The least sessions of `who`, with all ways in which they may also prove what is `negated`.

        2^d of them for d directories behind the negated groups; none if nobody can be so.
        """
        key = (who, negated)
        if key not in self._least:
            self._least[key] = tuple(dict.fromkeys(self._find(who, negated)))
        return self._least[key]

    def _find(self, who: Who, negated: frozenset[Subject]) -> Iterator[Person]:
        hidden = sorted({d for each in negated for d in self._drawn(each)})
        for user in self._candidates(who, negated):
            unmet = [s for s in sorted(who.subjects) if not self.proves(Person(user), s)]
            for needed in product(*(sorted(self._drawn(subject)) for subject in unmet)):
                for more in chain.from_iterable(combinations(hidden, n) for n in range(len(hidden) + 1)):
                    person = Person(user, frozenset((*needed, *more)))
                    if self.holds(who, person):
                        yield person

    def _candidates(self, who: Who, negated: frozenset[Subject]) -> list[str | None]:
        asked = who.subjects | negated
        held = [self._listed(each) for each in asked]
        found = {user for user in self._exemplars if any(user in users for users in held)}
        return [None, *sorted(found.union(*(self._listed(each) for each in asked - self.used)))]

    @cached_property
    def _exemplars(self) -> tuple[str, ...]:
        """Of all users who prove the same of what is used, the first one."""
        listed = [frozenset(self._listed(each)) for each in sorted(self.used)]
        alike = [frozenset[str]().union(*listed)]
        for users in listed:
            alike = [part for each in alike for part in (each & users, each - users) if part]
        return tuple(map(min, filter(None, alike)))

    def _listed(self, subject: Subject) -> Collection[str]:
        return (subject.name,) if subject.kind == "user" else self.policy.groups[subject.name].users

    def _drawn(self, subject: Subject) -> frozenset[str]:
        return self.directories[subject.name] if subject.kind == "group" else frozenset()

    def within(self, who: Who, other: Who) -> bool:
        """Whether everybody in `who` is in `other`."""
        if other == ANYBODY or who == other:
            return True
        key = (who, other)
        if key not in self._within:
            self._within[key] = all(self.holds(other, each) for each in self.least(who, other.without))
        return self._within[key]

    def groups_of(self, person: Person) -> frozenset[str]:
        """The groups that a session of these directories has beside those that list its user."""
        return frozenset(name for name, drawn in self.directories.items() if drawn & person.directories)
