"""From syntax trees to the policy: names become objects, values are checked, all findings at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

from segc.cache import FORGETFUL, Memo
from segc.diagnostics.model import Diagnostic, Label, Severity
from segc.policy import calendar
from segc.policy.admissions import resolve_admissions
from segc.policy.conditions import ConditionReader
from segc.policy.ends.table import EndTable
from segc.policy.flows import FlowReader, check_names
from segc.policy.gateways.implied import ImpliedFlows
from segc.policy.gateways.reader import IMPLICIT, GatewayReader
from segc.policy.identities import resolve_groups, resolve_postures, resolve_sessions
from segc.policy.limits import resolve_limits
from segc.policy.model import Flow, Policy
from segc.policy.packed import pack, unpack
from segc.policy.ports import PortReader
from segc.policy.promises import PromiseReader
from segc.policy.scope import Findings, collect, context
from segc.policy.services import ServiceTable
from segc.policy.sources import resolve_directories, resolve_revocations, resolve_sources
from segc.policy.switches import resolve_switches
from segc.policy.usage import unused_names
from segc.policy.vlans import check_vlans
from segc.policy.zones import resolve_zones, subnets
from segc.source import Span
from segc.syntax import tree
from segc.syntax.store import AnyFile


def resolve(files: Sequence[AnyFile], memo: Memo = FORGETFUL) -> tuple[Policy, tuple[Diagnostic, ...]]:
    """The policy that these files state together, and what is wrong with them.

    The policy holds whatever made sense; it is only fit for compiling where no finding is an error.
    Flows of a file are taken from `memo` if neither it nor any definition has changed.
    """
    findings = Findings()
    scope = collect(files, findings)
    timezone = _timezone(scope.timezones, findings)
    services = ServiceTable(scope.services, findings)
    named_services = services.resolve_all()
    groups = resolve_groups(scope.groups, scope.snapshots, findings)
    zones = resolve_zones(scope.zones, findings)
    postures = resolve_postures(scope.postures, findings)
    unread = {name for name, node in scope.zones.items() if subnets(node) and not zones[name].space}
    ends = EndTable(zones, scope.sets, groups, tuple(scope.gateways) or (IMPLICIT,), findings, unread)
    sets = ends.resolve_all()
    ports = PortReader(zones, findings)
    implied = ImpliedFlows(zones, ends, services, findings)
    gateways, implied_flows = GatewayReader(zones, ports, implied, findings).gateways(scope.gateways)
    switches = resolve_switches(scope.switches, ports)
    admissions = resolve_admissions(scope.zones, zones, groups, findings)
    check_vlans(zones, gateways, switches, admissions, findings)
    conditions = ConditionReader(postures, timezone, findings)
    reader = FlowReader(ends, services, conditions, findings)
    promises = PromiseReader(ends, services, conditions, findings)
    flows = [*_flows(files, reader, memo), *implied_flows]
    policy = Policy(
        timezone=timezone,
        zones=zones,
        sets=sets,
        services=named_services,
        groups=groups,
        postures=postures,
        sessions=resolve_sessions(scope.sessions, groups, findings),
        flows=tuple(sorted(flows, key=attrgetter("id"))),  # those of one id in the order of paths
        nevers=promises.nevers(scope.nevers),
        workflows=promises.workflows(scope.workflows),
        tests=promises.tests(scope.tests),
        gateways=gateways,
        switches=switches,
        limits=resolve_limits([file.rest for file in files], findings),
        unused=unused_names(files, scope, memo),
        sources=resolve_sources(scope.sources, zones, postures, findings),
        directories=resolve_directories(scope.directories, scope.groups, scope.snapshots, findings),
        revocations=resolve_revocations(scope.revocations, groups, findings),
        admissions=admissions,
    )
    return policy, tuple(findings.diagnostics)


def _flows(files: Sequence[AnyFile], reader: FlowReader, memo: Memo) -> Iterator[Flow]:
    """Only flows without a finding, among definitions without an error, are kept for the next time."""
    findings = reader.findings
    among = context(files, memo)
    sound = not any(each.severity is Severity.ERROR for each in findings.diagnostics)
    names: list[tuple[str, Span]] = []
    for file in sorted(files, key=attrgetter("path")):
        packed = memo.get(file.path, "resolved", among) if sound else None
        if packed is not None:
            found = unpack(packed, file.path, reader.ends)
        else:
            before = len(findings.diagnostics)
            found = reader.flows(file.flows)
            if sound and len(findings.diagnostics) == before:
                memo.put(file.path, "resolved", among, pack(found, reader.ends.zones))
        names += found.names
        yield from found.flows
    check_names(names, findings)


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
        known = calendar.timezone_names()
        city = next((each for each in known if each.lower().endswith(f"/{name.text.lower()}")), None)
        help = f"did you mean `{city}`?" if city else "write an IANA name: `Europe/Berlin`"
        findings.unknown("time zone", name, () if city else known, help)
        return "UTC"
    return name.text
