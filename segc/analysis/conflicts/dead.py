"""Flows that nothing matches (`SEG302`), and allows lost to denies: wholly (`SEG301`), in a term that their
author named (`SEG311`), or in some part (`SEG306`, told once for each deny)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.survey import Clause, Region
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Flow

COUNTED = 20


class Losses:
    """`never` match at all; `dead` allows have everything denied. Both are out of all other findings."""

    def __init__(self, context: Context) -> None:
        self.context = context
        survey = context.survey
        self.never = {
            flow for flow, clauses in survey.by_flow.items() if not any(map(survey.matches, clauses))
        }
        self.dead: dict[Flow, list[Clause]] = {}
        self.lost_terms: list[tuple[Flow, str, Region, list[Clause]]] = []
        if context.denies.index.pairs:
            for flow in context.enforced("allow"):
                if flow not in self.never:
                    self._judge(flow)
        self.told = {(flow, each.by) for flow, by in self.dead.items() for each in by}
        self.told |= {(flow, each.by) for flow, _, _, by in self.lost_terms for each in by}

    def _judge(self, flow: Flow) -> None:
        takers = self._takers(self.context.survey.by_flow[flow])
        if takers is None:
            self._judge_terms(flow)
        else:
            self.dead[flow] = takers

    def _judge_terms(self, flow: Flow) -> None:
        survey = self.context.survey
        for side, end in enumerate(flow.ends):
            for term, expression in survey.terms.get(end, ()):
                parts = [_with_end(clause, side, expression) for clause in survey.by_flow[flow]]
                takers = self._takers(parts)
                if takers:
                    self.lost_terms.append((flow, term, survey.region(parts[-1]), takers))

    def _takers(self, clauses: Iterable[Clause]) -> list[Clause] | None:
        """The denies that take all of these clauses together; None where something is left of one."""
        used: dict[Clause, None] = {}
        for clause in clauses:
            gap, by = self.context.denies.of_clause(clause, lambda each: True)
            if gap is not None:
                return None
            used.update(dict.fromkeys(by))
        return list(used)


def _with_end(clause: Clause, side: int, expression: int) -> Clause:
    return clause._replace(destination=expression) if side else clause._replace(source=expression)


def check_dead(context: Context, losses: Losses) -> Iterator[Diagnostic]:
    for flow in context.flows:
        if flow in losses.never:
            yield _never(flow, context)
        elif flow in losses.dead:
            yield _dead(flow, losses.dead[flow], context)
    yield from (_lost_term(*each, context) for each in losses.lost_terms)
    for deny in context.enforced("deny"):
        yield from _partly(deny, context, losses)


def _never(flow: Flow, context: Context) -> Diagnostic:
    survey = context.survey
    clauses = survey.by_flow[flow]
    why, help = "its ends have no packets in common", "write ends and services of one address family"
    if not clauses:
        why, help = "one end holds nothing but gateways' own addresses", "write `gateway NAME` for a gateway"
    elif not any(survey.guards.possible(each.guard) for each in clauses):
        why, help = "its hours never come within its dates", "widen the hours or the dates"
        if all(survey.guards.left_of(survey.guards[each.guard].times, ()) for each in clauses):
            why, help = "nobody can be whom it asks for", "change the group or what stands behind `except`"
    return finding("SEG302", "this flow can never match", flow.span, why, help=help)


def _dead(flow: Flow, by: list[Clause], context: Context) -> Diagnostic:
    survey, wording = context.survey, context.wording
    clauses = survey.by_flow[flow]
    word = "denies all of it" if len({each.by for each in by}) == 1 else "denies a part of it"
    notes = [f"for instance: {wording.witness(gap).text} is denied" for gap in _any_of(clauses, context)][:1]
    return finding(
        "SEG301",
        "this flow is dead: every packet it allows is denied elsewhere",
        flow.span,
        f"allows {wording.clauses(clauses)}",
        also=wording.labels({each.by for each in by}, lambda _: word),
        notes=tuple(notes),
        help="delete this flow, or take out of the deny what is to be allowed",
    )


def _any_of(clauses: Iterable[Clause], context: Context) -> Iterator[Gap]:
    """Some traffic of each clause."""
    for clause in clauses:
        gap, _ = context.denies.of_clause(clause, lambda each: False)
        if gap is not None:
            yield gap


def _lost_term(flow: Flow, term: str, part: Region, by: list[Clause], context: Context) -> Diagnostic:
    wording = context.wording
    gap, _ = context.denies.of_region(part, lambda each: False)
    assert gap is not None, "a term without traffic is not lost"
    return finding(
        "SEG311",
        f"all that this flow allows for `{term}` is denied elsewhere",
        flow.span,
        f"allows {wording.region(part)}",
        also=wording.labels({each.by for each in by}, lambda _: "denies it"),
        notes=(f"for instance: {wording.witness(gap).text} is denied",),
        help=f"take `{term}` out of this flow, or out of the deny",
    )


def _partly(deny: Flow, context: Context, losses: Losses) -> Iterator[Diagnostic]:
    parts: dict[Flow, Region] = {}
    for flow, region in _met(deny, context):
        if flow not in losses.dead and (flow, deny) not in losses.told:
            parts.setdefault(flow, region)
        if len(parts) >= COUNTED:
            break
    if not parts:
        return
    wording = context.wording
    gap, _ = context.denies.of_region(next(iter(parts.values())), lambda each: False)
    assert gap is not None
    count = "at least " * (len(parts) >= COUNTED) + f"{len(parts)} flow{'s' * (len(parts) > 1)}"
    yield finding(
        "SEG306",
        f"this deny takes a part of {count}",
        deny.span,
        "an exception, if that is what you mean",
        also=wording.labels(parts, lambda flow: f"loses {wording.region(parts[flow])}"),
        notes=(f"for instance: {wording.witness(gap).text} is denied",),
    )


def _met(deny: Flow, context: Context) -> Iterator[tuple[Flow, Region]]:
    """The allows that a deny takes something from, by pairs of expressions."""
    survey = context.survey
    for clause in survey.by_flow[deny]:
        region = survey.region(clause)
        for other in context.allows.touching(clause):
            if isinstance(other.by, Flow):
                both = survey.meet(region, other)
                if both is not None:
                    yield other.by, both
