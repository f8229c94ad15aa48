"""Rules for sessions that bound nobody (`SEG316`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Group, Policy, SessionRule


def check_lifetimes(policy: Policy) -> Iterator[Diagnostic]:
    users, groups = _asked(policy) if policy.sessions else (set(), [])
    for rule in policy.sessions:
        group = policy.groups[rule.group]
        if rule.max_age is None and rule.idle is None:
            yield _bounds_nothing(rule)
        elif not users & group.users and not any(_meet(group, other) for other in groups):
            yield _nobody(rule)


def _asked(policy: Policy) -> tuple[set[str], list[Group]]:
    """The people that flows speak of: users by name, and groups."""
    subjects = {
        subject
        for flow in policy.flows
        for end in flow.ends
        if not end.anybody
        for part in end.parts
        for subject in (part.subject, *(each for each, _ in part.unless))
        if subject
    }
    groups = [policy.groups[name] for kind, name in subjects if kind == "group"]
    users = {name for kind, name in subjects if kind == "user"}
    return users.union(*(group.users for group in groups)), groups


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
