"""What the checks of this folder share: the policy surveyed, and its clauses indexed by what they do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from segc.analysis.conflicts.cover import Cover, Gap
from segc.analysis.conflicts.index import Index
from segc.analysis.conflicts.survey import Clause, Survey
from segc.analysis.conflicts.wording import Wording
from segc.policy.model import Flow, Policy, Zone


def is_deny(by: Flow | Zone) -> bool:
    return isinstance(by, Flow) and by.action == "deny"


class Context:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.survey = Survey(policy)
        self.wording = Wording(self.survey)
        self.flows = sorted(policy.flows, key=lambda flow: (flow.span.path, flow.span.start, flow.id))

    def enforced(self, action: str) -> Iterator[Flow]:
        return (flow for flow in self.flows if flow.action == action and not flow.staged)

    def doing(self, *actions: str) -> Iterator[Clause]:
        """The clauses that have one of these effects: staged ones have none, open zones allow."""
        return (each for each in self.survey.clauses if _effect(each.by) in actions)

    @cached_property
    def denies(self) -> Cover:
        return Cover(Index(self.survey, self.doing("deny")))

    @cached_property
    def allows(self) -> Index:
        """What opens anything: allows, and zones whose hosts may talk."""
        return Index(self.survey, self.doing("allow"))

    @cached_property
    def decisions(self) -> Cover:
        """All that decides: what is enforced, and open zones."""
        return Cover(Index(self.survey, self.doing("allow", "deny")))

    def undenied(self, flow: Flow) -> Gap | None:
        """Traffic of a flow that no enforced deny takes."""
        for clause in self.survey.by_flow[flow]:
            gap, _ = self.denies.of_clause(clause, lambda each: True)
            if gap is not None:
                return gap
        return None


def _effect(by: Flow | Zone) -> str:
    if isinstance(by, Flow):
        return "" if by.staged else by.action
    return "allow"
