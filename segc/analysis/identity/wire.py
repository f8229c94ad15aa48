"""802.1X: nobody belongs in two zones (`SEG220`), and what asks finds zones to put people into (`SEG221`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Admission, Policy, Port, Switch

Puts = tuple[str, Admission]  # somebody, and what puts them into a zone


def check_wire(policy: Policy) -> Iterator[Diagnostic]:
    yield from _two_zones(policy)
    asking = [(switch, port) for switch in policy.switches.values() for port in switch.ports if port.dot1x]
    if asking and not policy.admissions:
        yield _nobody_comes_in(*asking[0])
    if policy.admissions and policy.switches and not asking:
        yield _nobody_asks(policy.admissions[0])


def _two_zones(policy: Policy) -> Iterator[Diagnostic]:
    """One finding for each pair of statements that meet in somebody."""
    found: dict[tuple[Admission, Admission], list[str]] = {}
    first: dict[str, Admission] = {}
    for who, admission in _puts(policy):
        other = first.setdefault(who, admission)
        if other.zone != admission.zone:
            found.setdefault((other, admission), []).append(who)
    for (other, admission), people in found.items():
        yield _ambiguous(other, admission, people)


def _puts(policy: Policy) -> Iterator[Puts]:
    for admission in policy.admissions:
        if admission.subject is None:
            zone = policy.zones[admission.zone]
            yield from ((host.mac, admission) for host in zone.hosts if host.mac)
        else:
            yield from ((user, admission) for user in sorted(policy.users_of(admission.subject)))
            yield from ((f"directory {each}", admission) for each in sorted(_unknown(policy, admission)))


def _unknown(policy: Policy, admission: Admission) -> frozenset[str]:
    """Directory groups that nobody knows the members of: one in two zones is as bad as a person in two."""
    subject = admission.subject
    return policy.groups[subject.name].directories if subject and subject.kind == "group" else frozenset()


def _ambiguous(first: Admission, again: Admission, people: list[str]) -> Diagnostic:
    more = f" and {len(people) - 1} more" if len(people) > 1 else ""
    return finding(
        "SEG220",
        f"802.1X puts `{people[0]}`{more} into zone `{first.zone}` and zone `{again.zone}`",
        again.span,
        f"into zone `{again.zone}`",
        also=(Label(first.span, f"into zone `{first.zone}`"),),
        notes=("a port is in one VLAN at a time, so RADIUS can answer with one zone",),
        help="take them out of one of the two, or name a smaller group",
    )


def _nobody_comes_in(switch: Switch, port: Port) -> Diagnostic:
    return finding(
        "SEG221",
        f"switch `{switch.name}` asks who is at its ports, and no zone takes anybody in",
        port.span,
        "lets nobody in",
        help="say who belongs where: `dot1x group NAME` or `dot1x mac` in a zone",
    )


def _nobody_asks(admission: Admission) -> Diagnostic:
    return finding(
        "SEG221",
        "no port of a switch asks who is there, so 802.1X puts nobody anywhere",
        admission.span,
        f"would be put into zone `{admission.zone}`",
        help='let ports ask: `port "NAME" dot1x`',
    )
