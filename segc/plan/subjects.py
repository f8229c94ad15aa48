"""Groups of two policies under one set of names: equal membership is one group, whatever it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segc.analysis.conflicts.people import People, Who
from segc.policy.model import Group, Policy, Subject

FORMER = " (before)"  # no name of a policy holds a blank
Members = tuple[frozenset[str], frozenset[str]]


class Subjects:
    """`people` are those of both policies; `names` maps a policy's groups (0 before, 1 after) to theirs."""

    def __init__(self, before: Policy, after: Policy) -> None:
        sides = [People(policy, (), now=True) for policy in (before, after)]
        self._sides = sides
        members = [_members(people) for people in sides]
        known = {found: name for name, found in reversed(members[1].items())}
        renamed = {}
        for name, found in members[0].items():
            same = members[1].get(name) == found
            renamed[name] = name if same else known.get(found, name + FORMER * (name in members[1]))
        self.names: tuple[Mapping[str, str], ...] = (renamed, {name: name for name in members[1]})
        self.groups: dict[str, Group] = {}
        for policy, found_, names in zip((before, after), members, self.names, strict=True):
            for name, (users, directories) in found_.items():
                own = names[name]
                group = replace(policy.groups[name], name=own, users=users, directories=directories)
                self.groups[own] = replace(group, members=frozenset((own,)))
        self._policy = replace(after, groups=self.groups)

    def of(self, subject: Subject, side: int) -> Subject:
        if subject.kind == "user":
            return subject
        return Subject("group", self.names[side][subject.name])

    def people(self, used: set[Who]) -> People:
        return People(self._policy, used, now=True)

    def groups_of(self, directories: frozenset[str], side: int) -> tuple[str, ...]:
        """The groups of a policy that a session of these directories has beside those that list its user."""
        drawn = self._sides[side].directories
        return tuple(sorted(name for name, found in drawn.items() if found & directories))


def _members(people: People) -> dict[str, Members]:
    """Users and directories of each group; one that lists nothing may be filled by anything of its name."""
    groups = people.policy.groups
    return {name: (group.users, people.directories[name]) for name, group in groups.items()}
