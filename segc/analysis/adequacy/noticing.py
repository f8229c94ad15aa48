"""Which lines of a policy notice that a statement has changed: tests, promises and workflows.

A line is run again only where the changed statement may touch it, and only on the statements that touch the
line. A test that wants a denial, or a promise, can only notice that more is open; a test that wants access,
or a workflow, only that less is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial

from segc.analysis.adequacy.mutants import Mutant
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.index import Index
from segc.analysis.conflicts.survey import Clause
from segc.analysis.expectations import wrong
from segc.analysis.promises import check_nevers, check_workflows
from segc.analysis.reach.grants import asked, question
from segc.analysis.reach.hops import Hops
from segc.analysis.reach.questions import around, horizon, question_of
from segc.frozen import entity
from segc.policy.model import Expectation, Flow, Never, Policy, Step, Workflow
from segc.space.services import ServiceSet

Masks = tuple[int, int]  # classes of the source, and of the destination


@entity
class Line:
    """Something that holds of a policy, or not, with what it speaks of."""

    asked: Flow
    holds: Callable[[Policy], bool]
    opens: bool  # whether it notices that more is open; else, that less is
    far: bool = False  # whether statements count that do not touch it


class Scene:
    """A policy surveyed together with its mutants and the lines that might notice them."""

    def __init__(self, policy: Policy, mutated: Iterable[Mutant]) -> None:
        self.policy = policy
        self.lines = tuple(_lines(policy))
        shadows = {each: replace(each.into or each.flow, staged=True) for each in mutated}
        self.context = asked(policy, [*(line.asked for line in self.lines), *shadows.values()])
        self.survey = self.context.survey
        self.clauses = {mutant: self.survey.by_flow[flow] for mutant, flow in shadows.items()}
        self._small: dict[tuple[Masks, ServiceSet], Policy] = {}

    @cached_property
    def _index(self) -> Index:
        return Index(self.survey, (c for line in self.lines for c in self.survey.by_flow[line.asked]))

    @cached_property
    def _by_question(self) -> dict[Flow, Line]:
        return {line.asked: line for line in self.lines}

    def difference(self, mutant: Mutant) -> Gap | None:
        """Traffic that the mutant decides otherwise; None where it means the same."""
        find = self._lost if mutant.flow.action == "allow" else self._gained
        return next((gap for clause in self.clauses[mutant] for gap in find(clause, mutant)), None)

    def _lost(self, clause: Clause, mutant: Mutant) -> Iterator[Gap]:
        """What an allow decides that no other statement does."""
        gap, _ = self.context.decisions.of_clause(clause, lambda each: _stays(each, mutant))
        if gap is not None:
            yield gap

    def _gained(self, clause: Clause, mutant: Mutant) -> Iterator[Gap]:
        """What a deny takes from allows that no other deny does."""
        region = self.survey.region(clause)
        for other in self.context.allows.touching(clause):
            both = self.survey.meet(region, other)
            if both is not None:
                gap, _ = self.context.denies.of_region(both, lambda each: _stays(each, mutant))
                if gap is not None:
                    yield gap

    def noticed(self, mutant: Mutant) -> bool:
        """Whether any line that holds of the policy does not hold of the mutant."""
        return any(not self.holds(line, mutant) for line in self._near(mutant))

    def _near(self, mutant: Mutant) -> Iterator[Line]:
        source, destination = self.masks(self.clauses[mutant])
        touching = dict.fromkeys(each.by for each in around(self._index, source, destination))
        for by in touching:
            line = self._by_question.get(by) if isinstance(by, Flow) else None
            if line is not None and line.opens == mutant.opens and not line.far:
                yield line
        for line in self.lines:
            if line.far and mutant.opens and self._may_lead(line, source, destination):
                yield line

    def holds(self, line: Line, mutant: Mutant) -> bool:
        if line.far:
            return line.holds(mutated(self.policy, mutant))
        masks = self.masks(self.survey.by_flow[line.asked])
        return line.holds(mutated(self.around(masks, line.asked.services), mutant))

    def _may_lead(self, line: Line, source: int, destination: int) -> bool:
        """Whether a chain could pass from `source` to `destination`: what is reached now, and what leads to
        the end of the line now, both without the mutant."""
        start, goal = self._chains[line]
        return bool(source & start and destination & goal)

    @cached_property
    def _chains(self) -> dict[Line, Masks]:
        hops = Hops(self.context)
        return {line: horizon(question_of(self.context, line.asked), hops) for line in self.lines if line.far}

    def masks(self, clauses: Iterable[Clause]) -> Masks:
        """The classes of each side, of all clauses together."""
        source = destination = 0
        for each in clauses:
            source |= self.survey.masks[each.source]
            destination |= self.survey.masks[each.destination]
        return source, destination

    def around(self, masks: Masks, services: ServiceSet) -> Policy:
        """The policy, as far as it speaks of some services between some classes."""
        key = masks, services
        if key not in self._small:
            by = dict.fromkeys(each.by for each in around(self.context.decisions.index, *masks))
            flows = tuple(f for f in by if isinstance(f, Flow) and f.services.overlaps(services))
            either = masks[0] | masks[1]
            zones = {
                name: zone
                for name, zone in self.policy.zones.items()
                if name in self.survey.zones and self.survey.masks[self.survey.zones[name]] & either
            }
            self._small[key] = replace(self.policy, flows=flows, zones=zones, tests=())
        return self._small[key]


def mutated(policy: Policy, mutant: Mutant) -> Policy:
    """The policy with the mutant in place of the statement."""
    flows = [flow for flow in policy.flows if flow is not mutant.flow]
    if mutant.into is not None:
        flows.append(mutant.into)
    return replace(policy, flows=tuple(flows))


def _lines(policy: Policy) -> Iterator[Line]:
    for test in policy.tests:
        for each in test.expectations:
            yield Line(_question(each), partial(passes, each), each.action == "deny")
    for never in policy.nevers:
        yield Line(_question(never), partial(_kept, never), opens=True, far=never.transitive)
    for workflow in policy.workflows:
        for step in workflow.steps:
            yield Line(_question(step), partial(_open, workflow, step), opens=False)


def _stays(clause: Clause, mutant: Mutant) -> bool:
    """Whether a mutant leaves a clause in place; one that deletes a statement takes its clauses away."""
    return mutant.into is not None or clause.by is not mutant.flow


def _question(line: Expectation | Never | Step) -> Flow:
    return question(line.source, line.destination, line.services, line.span)


def passes(expectation: Expectation, policy: Policy) -> bool:
    return next(wrong(expectation, policy), None) is None


def _kept(never: Never, policy: Policy) -> bool:
    return next(check_nevers(replace(policy, nevers=(never,))), None) is None


def _open(workflow: Workflow, step: Step, policy: Policy) -> bool:
    alone = replace(workflow, steps=(step,))
    return next(check_workflows(replace(policy, workflows=(alone,))), None) is None
