"""Flows: who may reach what, and that no two have one name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segc.diagnostics.model import Label
from segc.policy.conditions import ConditionReader
from segc.policy.ends.table import EndTable
from segc.policy.making import make_flow
from segc.policy.model import NO_CONDITIONS, End, Flow
from segc.policy.packed import FileFlows
from segc.policy.scope import Findings
from segc.policy.services import ServiceTable
from segc.source import Span
from segc.syntax import tree

NO_OPTIONS = tree.Options()


@dataclass
class FlowReader:
    ends: EndTable
    services: ServiceTable
    conditions: ConditionReader
    findings: Findings

    def flows(self, nodes: Sequence[tree.Flow]) -> FileFlows:
        """The flows of one file, in order of their ids."""
        names = [(node.name.text, node.name.span) for node in nodes if node.name]
        flows = sorted(map(self.flow, nodes), key=lambda flow: (flow.id, flow.span))
        return FileFlows(flows, names)

    def flow(self, node: tree.Flow) -> Flow:
        source, destination = self.ends.end(node.source), self.ends.end(node.destination)
        options = node.options
        plain = options == NO_OPTIONS
        conditions = NO_CONDITIONS if plain else self.conditions.read(options, source)
        self._check_families(node, source, destination)
        return make_flow(
            action=node.action,
            staged=node.staged,
            name=node.name.text if node.name else None,
            source=source,
            destination=destination,
            services=self.services.union(node.services),
            conditions=conditions,
            limit=self.conditions.limit(options.limit, node.action) if options.limit else None,
            log=options.log is not None,
            span=node.span,
        )

    def _check_families(self, node: tree.Flow, source: End, destination: End) -> None:
        if source.gateways or destination.gateways or not source.parts or not destination.parts:
            return
        families = [_families(source), _families(destination)]
        if families[0] & families[1]:
            return
        self.findings.add(
            "SEG206",
            "the ends of this flow have no address family in common: it never matches",
            node.span,
            also=(
                Label(node.source.span, _family_text(families[0])),
                Label(node.destination.span, _family_text(families[1])),
            ),
            help="give both ends addresses of one family",
        )


def check_names(names: Iterable[tuple[str, Span]], findings: Findings) -> None:
    """`SEG102`: two flows of one name."""
    named: dict[str, Span] = {}
    for name, span in names:
        first = named.setdefault(name, span)
        if first is not span:
            findings.add(
                "SEG102",
                f"two flows are named `{name}`",
                span,
                "again here",
                also=(Label(first, "first here"),),
                help="a name counts one flow: rename one of them",
            )


def _families(end: End) -> frozenset[int]:
    return frozenset(family for part in end.parts for family in part.space.families)


def _family_text(families: frozenset[int]) -> str:
    return "only IPv4" if families == {4} else "only IPv6"
