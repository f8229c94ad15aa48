"""The resolved policy: every name an object, every end a set. What all later passes ask.

One relation is behind it: *(source, destination, service, condition) -> verdict*. Default deny; a deny
beats an allow; nothing depends on the order of statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from segc.frozen import entity
from segc.policy.model.flows import NO_CONDITIONS, Conditions, End, Flow, Limit, Part, Schedule
from segc.policy.model.identities import (
    Admission,
    Directory,
    Group,
    Posture,
    PostureFact,
    Revocation,
    SessionRule,
    Source,
    Subject,
)
from segc.policy.model.network import Attachment, Gateway, Interface, InterfaceAddress, Port, Publish, Switch
from segc.policy.model.promises import Expectation, Never, Step, Test, Workflow
from segc.policy.model.zones import Host, Zone
from segc.source import Span
from segc.space.services import ServiceSet

__all__ = [
    "NO_CONDITIONS", "Admission", "Attachment", "Conditions", "Directory", "End", "Expectation", "Flow",
    "Gateway", "Group", "Host", "Interface", "InterfaceAddress", "Limit", "Never", "Part", "Policy",
    "Port", "Posture", "PostureFact", "Publish", "Revocation", "Schedule", "SessionRule", "Source",
    "Step", "Subject", "Switch", "Test", "Unused", "Workflow", "Zone",
]  # fmt: skip


class Unused(NamedTuple):
    """A set, service, group or posture (`kind`) that nothing needs."""

    kind: str
    name: str
    span: Span


@entity
class Policy:
    timezone: str
    zones: Mapping[str, Zone]
    sets: Mapping[str, End]
    services: Mapping[str, ServiceSet]
    groups: Mapping[str, Group]
    postures: Mapping[str, Posture]
    sessions: tuple[SessionRule, ...]
    flows: tuple[Flow, ...]
    nevers: tuple[Never, ...]
    workflows: tuple[Workflow, ...]
    tests: tuple[Test, ...]
    gateways: Mapping[str, Gateway]
    switches: Mapping[str, Switch]
    limits: Mapping[str, int] = field(default_factory=dict)  # by the names of policy.limits.THRESHOLDS
    unused: tuple[Unused, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    directories: Mapping[str, Directory] = field(default_factory=dict)
    revocations: tuple[Revocation, ...] = ()
    admissions: tuple[Admission, ...] = ()

    def users_of(self, subject: Subject) -> frozenset[str]:
        """Everybody known to be the subject."""
        return self.groups[subject.name].users if subject.kind == "group" else frozenset((subject.name,))
