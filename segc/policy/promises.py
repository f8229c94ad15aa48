"""Promises, workflows and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segc.policy import calendar
from segc.policy.conditions import ConditionReader
from segc.policy.ends.table import EndTable
from segc.policy.model import Expectation, Never, Step, Test, Workflow
from segc.policy.scope import Findings
from segc.policy.services import ServiceTable
from segc.space.services import ANY_SERVICE
from segc.syntax import tree


@dataclass
class PromiseReader:
    ends: EndTable
    services: ServiceTable
    conditions: ConditionReader
    findings: Findings

    def nevers(self, nodes: Sequence[tree.Never]) -> tuple[Never, ...]:
        return tuple(
            Never(
                self.ends.end(node.source),
                self.ends.end(node.destination),
                self.services.union(node.services) if node.services else ANY_SERVICE,
                node.transitive,
                node.span,
            )
            for node in nodes
        )

    def workflows(self, nodes: Sequence[tree.Workflow]) -> tuple[Workflow, ...]:
        return tuple(
            Workflow(node.name.text, tuple(self._step(step) for step in node.steps), node.name.span)
            for node in nodes
        )

    def _step(self, node: tree.Step) -> Step:
        ends = self.ends.end(node.source), self.ends.end(node.destination)
        return Step(*ends, self.services.union(node.services), node.span)

    def tests(self, nodes: Sequence[tree.Test]) -> tuple[Test, ...]:
        return tuple(
            Test(
                node.title.text, tuple(self._expectation(line) for line in node.expectations), node.title.span
            )
            for node in nodes
        )

    def _expectation(self, node: tree.Expectation) -> Expectation:
        mfa, postures = self.conditions.facts(node.facts)
        at = None
        if node.at is not None:
            try:
                at = calendar.parse_moment(node.at.text, self.conditions.timezone)
            except ValueError as error:
                self.findings.add("SEG104", str(error), node.at.span, "not a moment")
        source, destination = self.ends.end(node.source), self.ends.end(node.destination)
        services = self.services.union(node.services)
        return Expectation(node.action, source, destination, services, mfa, postures, at, node.span)
