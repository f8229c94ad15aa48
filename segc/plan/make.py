"""A plan from two policies and what their artifacts differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from segc.backends.artifact import Artifact
from segc.compile import digest, relative
from segc.frozen import frozen
from segc.plan.access import access_changes, worded
from segc.plan.alterations import alterations
from segc.plan.model import Against, NodePlan, Plan, Statement, WantedFile
from segc.plan.promises import promise_changes
from segc.policy.model import Policy
from segc.source import SourceFile, Span


@frozen
class Told:
    """A policy with the texts that it was read from."""

    policy: Policy
    sources: tuple[SourceFile, ...]

    @property
    def by_path(self) -> Mapping[str, SourceFile]:
        return {source.path: source for source in self.sources}


def make_plan(
    wanted: Told, artifacts: Sequence[Artifact], former: Told | None, against: tuple[str, str], state: str,
    nodes: tuple[NodePlan, ...],
) -> Plan:  # fmt: skip
    """`against` is kind and name of the former state, `state` its digest, `nodes` what differs on each."""
    named = {node.node for node in nodes}
    files = tuple(WantedFile(*each) for each in artifacts if each.node in named)
    former_digest = digest(former.sources) if former else None
    plan = Plan(
        policy=digest(wanted.sources), state=state, against=Against(*against, former_digest), unchanged=0,
        access=(), alterations=(), nodes=nodes, files=files, sources=_texts(wanted.sources),
    )  # fmt: skip
    return _with_access(plan, wanted, former) if former else plan


def _with_access(plan: Plan, wanted: Told, former: Told) -> Plan:
    texts = former.by_path, wanted.by_path
    access, aligned = access_changes(former.policy, wanted.policy, texts)

    def statement(span: Span, ident: str) -> Statement:
        return Statement("after", span.path, span.line, worded(span, texts[1]), ident)

    altered = alterations(former.policy, wanted.policy, aligned.same, statement)
    if plan.against.kind != "live":  # a host holds no promises
        altered += promise_changes((former.policy, wanted.policy), texts)
    return replace(plan, access=access, alterations=altered, unchanged=len(aligned.same))


def _texts(sources: Sequence[SourceFile]) -> tuple[tuple[str, str], ...]:
    names = relative(sources)
    return tuple(sorted((names[source.path], source.text) for source in sources))
