"""The people behind a change, by name, where it is known who is in the groups that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping

from segc.analysis.conflicts.people import Who
from segc.plan.subjects import FORMER
from segc.policy.model import Group, Subject


def people_of(who: Who, groups: Mapping[str, Group]) -> frozenset[str] | None:
    """Everybody who proves all that is asked for, and nothing else; None where that may be others as well."""
    held = [_members(each, groups) for each in who.subjects]
    if not held or None in held:
        return None
    found = frozenset.intersection(*(each for each in held if each is not None))
    return found.difference(*(_members(each, groups) or () for each in who.without))


def _members(subject: Subject, groups: Mapping[str, Group]) -> frozenset[str] | None:
    if subject.kind == "user":
        return frozenset((subject.name,))
    group = groups[subject.name]
    return None if group.directories else group.users


def base(subject: Subject) -> Subject:
    """A group as the policy calls it, be it that of the former policy or of the wanted one."""
    return subject._replace(name=subject.name.removesuffix(FORMER))
