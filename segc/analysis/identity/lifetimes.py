"""Rules for sessions that bound nobody (`SEG316`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Group, Policy, SessionRule, Subject

People = tuple[set[str], list[Group]]  # by name, and groups of whom not all are known


def check_lifetimes(policy: Policy) -> Iterator[Diagnostic]:
    if not policy.sessions:
        return
    asked = _people(policy, _subjects(policy))
    admitted = _people(policy, {each.subject for each in policy.admissions if each.subject})
    for rule in policy.sessions:
        group = policy.groups[rule.group]
        if rule.max_age is None and rule.idle is None:
            yield _bounds_nothing(rule)
        elif not _of(group, asked) and (rule.max_age is None or not _of(group, admitted)):
            yield _nobody(rule)


def _subjects(policy: Policy) -> set[Subject]:
    """Of whom flows speak."""
    return {
        subject
        for flow in policy.flows
        for end in flow.ends
        if not end.anybody
        for part in end.parts
        for subject in (part.subject, *(each for each, _ in part.unless))
        if subject
    }


def _people(policy: Policy, subjects: Iterable[Subject]) -> People:
    groups = [policy.groups[name] for kind, name in subjects if kind == "group"]
    users = {name for kind, name in subjects if kind == "user"}
    return users.union(*(group.users for group in groups)), groups


def _of(group: Group, people: People) -> bool:
    """Whether any of them may be in the group."""
    users, groups = people
    return bool(users & group.users) or any(_meet(group, other) for other in groups)


def _meet(one: Group, other: Group) -> bool:
    """Whether members that the policy cannot name may be in both."""
    return bool(one.members & other.members or one.directories & other.directories)


def _bounds_nothing(rule: SessionRule) -> Diagnostic:
    return finding(
        "SEG316",
        f"the sessions of `{rule.group}` are bounded by nothing",
        rule.span,
        "neither `max` nor `idle`",
        help="add `max 10h`, or delete the block",
    )


def _nobody(rule: SessionRule) -> Diagnostic:
    return finding(
        "SEG316",
        f"this bounds nobody: no flow asks for anybody of `{rule.group}`",
        rule.span,
        help="bound a group that flows name, or delete the block",
    )
