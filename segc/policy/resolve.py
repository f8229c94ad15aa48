"""From syntax trees to the policy: names become objects, values are checked, all findings at once."""

from __future__ import annotations

from collections.abc import Sequence

from segc.diagnostics.model import Diagnostic, Label
from segc.policy import calendar
from segc.policy.ends import EndTable
from segc.policy.flows import FlowReader
from segc.policy.gateways import IMPLICIT, GatewayReader
from segc.policy.identities import resolve_groups, resolve_postures, resolve_sessions
from segc.policy.implied import ImpliedFlows
from segc.policy.model import Policy
from segc.policy.ports import PortReader
from segc.policy.scope import Findings, collect
from segc.policy.services import ServiceTable
from segc.policy.switches import resolve_switches
from segc.policy.zones import resolve_zones, subnets
from segc.syntax import tree


def resolve(files: Sequence[tree.File]) -> tuple[Policy, tuple[Diagnostic, ...]]:
    """The policy that these files state together, and what is wrong with them.

    The policy holds whatever made sense; it is only fit for compiling where no finding is an error.
    """
    findings = Findings()
    scope = collect(files, findings)
    timezone = _timezone(scope.timezones, findings)
    services = ServiceTable(scope.services, findings)
    named_services = services.resolve_all()
    groups = resolve_groups(scope.groups, findings)
    zones = resolve_zones(scope.zones, findings)
    postures = resolve_postures(scope.postures, findings)
    unread = {name for name, node in scope.zones.items() if subnets(node) and not zones[name].space}
    ends = EndTable(zones, scope.sets, groups, tuple(scope.gateways) or (IMPLICIT,), findings, unread)
    sets = ends.resolve_all()
    ports = PortReader(zones, findings)
    implied = ImpliedFlows(zones, ends, services, findings)
    gateways, implied_flows = GatewayReader(zones, ports, implied, findings).gateways(scope.gateways)
    reader = FlowReader(ends, services, postures, timezone, findings)
    flows = [*reader.flows(scope.flows), *implied_flows]
    policy = Policy(
        timezone=timezone,
        zones=zones,
        sets=sets,
        services=named_services,
        groups=groups,
        postures=postures,
        sessions=resolve_sessions(scope.sessions, groups, findings),
        flows=tuple(sorted(flows, key=lambda flow: (flow.id, flow.span))),
        nevers=reader.nevers(scope.nevers),
        workflows=reader.workflows(scope.workflows),
        tests=reader.tests(scope.tests),
        gateways=gateways,
        switches=resolve_switches(scope.switches, ports),
    )
    return policy, tuple(findings.diagnostics)


def _timezone(statements: Sequence[tree.Timezone], findings: Findings) -> str:
    for again in statements[1:]:
        if again.name.text != statements[0].name.text:
            findings.add(
                "SEG105",
                "the policy has two time zones",
                again.span,
                "again here",
                also=(Label(statements[0].span, "first here"),),
                help="keep one of them: it holds for all files",
            )
    if not statements:
        return "UTC"
    name = statements[0].name
    if name.text not in calendar.timezone_names():
        findings.unknown("time zone", name, calendar.timezone_names(), "write an IANA name: `Europe/Berlin`")
        return "UTC"
    return name.text
