"""Whom IEEE 802.1X puts into which zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segc.diagnostics.model import Label
from segc.policy.model import Admission, Group, Subject, Zone
from segc.policy.scope import Findings
from segc.syntax import tree


def resolve_admissions(
    definitions: Mapping[str, tree.ZoneDef],
    zones: Mapping[str, Zone],
    groups: Mapping[str, Group],
    findings: Findings,
) -> tuple[Admission, ...]:
    """Sorted by zone, its hosts first, then by subject."""
    found: dict[tuple[str, Subject | None], Admission] = {}
    for name, node in definitions.items():
        if node.dot1x and zones[name].vlan is None:
            _no_vlan(node, findings)
        for given in node.dot1x:
            for admission in _admissions(zones[name], given, groups, findings):
                found.setdefault((name, admission.subject), admission)
    return tuple(sorted(found.values(), key=lambda each: (each.zone, each.subject or ())))


def _admissions(
    zone: Zone, given: tree.Dot1x, groups: Mapping[str, Group], findings: Findings
) -> Iterator[Admission]:
    if given.kind == "mac":
        if not any(host.mac for host in zone.hosts):
            _no_mac(zone, given, findings)
        yield Admission(zone.name, None, given.span)
    for word in given.names:
        if given.kind == "user":
            yield Admission(zone.name, Subject("user", findings.person(word)), word.span)
        elif word.text in groups:
            yield Admission(zone.name, Subject("group", word.text), word.span)
        else:
            findings.unknown("group", word, groups)


def _no_vlan(node: tree.ZoneDef, findings: Findings) -> None:
    name = node.name.text
    findings.add(
        "SEG208",
        f"the zone `{name}` has no VLAN, so 802.1X can put nobody into it",
        node.dot1x[0].span,
        also=(Label(node.name.span, "defined without `vlan`"),),
        help=f"add `vlan NUMBER` to zone `{name}`",
    )


def _no_mac(zone: Zone, given: tree.Dot1x, findings: Findings) -> None:
    findings.add(
        "SEG109",
        f"no host of zone `{zone.name}` has a MAC address to be let in by",
        given.span,
        help="give its hosts one: `host NAME = ADDRESS { mac 02:00:00:00:00:1e }`",
    )
