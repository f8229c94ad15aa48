"""Promises: what must never be open, and the work that must be possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.survey import Survey
from segc.analysis.reach.grants import Box, asked, gap_of, question
from segc.analysis.reach.hops import Hop, Hops
from segc.analysis.reach.questions import Question, begins, chains, one_hop, question_of
from segc.analysis.witness import witness
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Never, Policy, Step, Workflow, Zone
from segc.space import traffic


def check_nevers(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG304`: what somebody could do at some time although it was promised that nobody ever can; `SEG324`
    for a promise that is none."""
    questions = [question(each.source, each.destination, each.services, each.span) for each in policy.nevers]
    if not questions:
        return
    context = asked(policy, questions)
    hops = Hops(context)
    for never, flow in zip(policy.nevers, questions, strict=True):
        promised = question_of(context, flow)
        if never.transitive and not begins(promised):
            yield _empty(never)
        elif never.transitive:
            reached = next(chains(context, promised, hops), None)
            if reached is not None:
                yield _chain(never, reached.chain, context)
        else:
            yield from _direct(never, promised, context)


def _direct(never: Never, promised: Question, context: Context) -> Iterator[Diagnostic]:
    told: set[Flow | Zone] = set()
    for grant in one_hop(context, promised):
        within = isinstance(grant.by, Zone)
        if grant.by not in told and not (within and never.source is never.destination):
            told.add(grant.by)
            word = "hosts of one zone may talk without a flow" if within else "opens it"
            yield _broken(never, Label(grant.by.span, word), packet(grant.box, context))


def packet(box: Box, context: Context) -> str:
    """One allowed packet of a grant's box, in words."""
    gap = gap_of(box, context)
    assert gap is not None, "what is granted is not always denied"
    return context.wording.witness(gap).text


def _broken(never: Never, label: Label, packet: str) -> Diagnostic:
    return finding(
        "SEG304",
        "this promise is broken",
        never.span,
        "must never be open",
        also=(label,),
        notes=(f"for instance: {packet} is allowed",),
        help="narrow the flow, add a `deny`, or take the promise back",
    )


def _empty(never: Never) -> Diagnostic:
    return finding(
        "SEG324",
        "this promise holds whatever the policy says",
        never.span,
        "no chain begins in the end that it must not reach",
        help="write `->` for every packet between the two, or leave the destination out of the source",
    )


def _chain(never: Never, chain: list[Hop], context: Context) -> Diagnostic:
    labels = tuple(
        Label(hop.grant.by.span, f"hop {n}: {packet(hop_box(hop), context)}")
        for n, hop in enumerate(chain, start=1)
    )
    return finding(
        "SEG304",
        f"this promise is broken by a chain of {len(chain)} hop{'s' * (len(chain) > 1)}",
        never.span,
        "must not be reachable",
        also=labels,
        help="close one of the hops, or take the promise back" + _passed_on_outside(chain, context),
    )


def _passed_on_outside(chain: list[Hop], context: Context) -> str:
    """Whoever publishes anything and lets people out has such a chain."""
    survey = context.survey
    between = survey.space_of(mask_of([hop.destination for hop in chain[:-1]]))
    outside = next((zone for zone in survey.policy.zones.values() if zone.external), None)
    if outside is None or not between.overlaps(outside.space):
        return ""
    return f"; `{outside.name}` passes it on: with `->` for `~>` only the direct way is meant"


def hop_box(hop: Hop) -> Box:
    """The traffic of one hop between its two classes."""
    return hop.grant.box._replace(source=1 << hop.source, destination=1 << hop.destination)


def check_workflows(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG305`: what of a step no session and no time could open; `SEG319` where there is no step."""
    for workflow in policy.workflows:
        if not workflow.steps:
            yield finding(
                "SEG319",
                f"the workflow `{workflow.name}` has no step, so it holds whatever the policy says",
                workflow.span,
                "needs nothing",
                help="write its steps, as in `hr -> app.portal : https`, or delete it",
            )
    yield from _blocked(
        [(workflow, step) for workflow in policy.workflows for step in workflow.steps], policy
    )


def _blocked(steps: Sequence[tuple[Workflow, Step]], policy: Policy) -> Iterator[Diagnostic]:
    if not steps:
        return
    questions = [question(step.source, step.destination, step.services, step.span) for _, step in steps]
    context = asked(policy, questions)
    for (workflow, step), flow in zip(steps, questions, strict=True):
        missing = next(_missing(question_of(context, flow), context), None)
        if missing is not None:
            yield finding(
                "SEG305",
                f"the workflow `{workflow.name}` is blocked at this step",
                step.span,
                "not open as a whole",
                also=(Label(workflow.span, "in this workflow"),),
                notes=(f"for instance: {missing} is denied, whoever asks",),
                help="add a flow for the step, or take it out of the workflow",
            )


def _missing(step: Question, context: Context) -> Iterator[str]:
    left = list(step.boxes)
    for grant in one_hop(context, step):
        left = [rest for box in left for rest in box.outside(box & grant.box)]
    for box in left:
        for family in (4, 6):
            part = _addresses(box, family, context.survey)
            if part:
                yield witness(part)


def _addresses(box: Box, family: int, survey: Survey) -> traffic.Box:
    """A box of classes as addresses of one family."""
    gateways = mask_of(list(survey.gateways))
    source, destination = (survey.space_of(m & ~gateways).only(family) for m in (box.source, box.destination))
    names = [frozenset(survey.gateways[i] for i in bits(m & gateways)) for m in (box.source, box.destination)]
    return traffic.Box(source, destination, box.services.in_family(family), *names)
