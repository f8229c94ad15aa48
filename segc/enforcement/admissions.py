"""Whom IEEE 802.1X puts into which VLAN, one by one, free of any server's syntax."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segc.frozen import frozen
from segc.policy.model import Admission, Policy
from segc.source import Span


@frozen
class Entrant:
    """A user, or a device by its MAC address: six pairs of lower-case hex digits with colons.

    `seconds` is how long a session of the user may last; None is unbounded.
    """

    name: str
    seconds: int | None
    span: Span


@frozen
class Intake:
    """Who gets into one zone: users and devices, each in order of names."""

    zone: str
    vlan: int
    users: tuple[Entrant, ...]
    devices: tuple[Entrant, ...]


def intakes(policy: Policy) -> Iterator[Intake]:
    """One for each zone that takes anybody in, in order of names."""
    longest = _longest(policy)
    by_zone: dict[str, list[Admission]] = {}
    for admission in policy.admissions:
        by_zone.setdefault(admission.zone, []).append(admission)
    for name, admissions in sorted(by_zone.items()):
        zone = policy.zones[name]
        assert zone.vlan is not None, "the resolver puts nobody into a zone without a VLAN"
        yield Intake(name, zone.vlan, _users(policy, admissions, longest), _devices(policy, admissions))


def _longest(policy: Policy) -> dict[str, int]:
    """The greatest age of each user's sessions: the least of the groups that the user is in."""
    found: dict[str, int] = {}
    for rule in policy.sessions:
        if rule.max_age is not None:
            for user in policy.groups[rule.group].users:
                found[user] = min(found.get(user, rule.max_age), rule.max_age)
    return found


def _users(policy: Policy, admissions: list[Admission], longest: Mapping[str, int]) -> tuple[Entrant, ...]:
    spans: dict[str, Span] = {}
    for admission in admissions:
        for user in policy.users_of(admission.subject) if admission.subject else ():
            spans.setdefault(user, admission.span)
    return tuple(Entrant(user, longest.get(user), spans[user]) for user in sorted(spans))


def _devices(policy: Policy, admissions: list[Admission]) -> tuple[Entrant, ...]:
    if all(admission.subject for admission in admissions):
        return ()
    hosts = policy.zones[admissions[0].zone].hosts
    spans = {host.mac: host.span for host in hosts if host.mac}
    return tuple(Entrant(mac, None, spans[mac]) for mac in sorted(spans))
