"""Random small policies with tests and promises: what is said of a mutant is what comes of running it.

Whether a mutant means the same is asked of the conflict checks' oracle, which reads policies as data; whether
anything notices it, of every line on the whole mutated policy; proposals are read from their text.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from segc.analysis.adequacy import adequacy
from segc.analysis.adequacy.mutants import Mutant, mutants
from segc.analysis.adequacy.noticing import Scene, mutated
from segc.analysis.expectations import run_tests
from segc.analysis.promises import check_nevers, check_workflows
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.syntax.tree import File
from tests.property.test_conflicts import (
    COMMON,
    EXAMPLES,
    GATEWAY,
    INVENTORY,
    PLACES,
    Oracle,
    Part,
    Spec,
    read,
)
from tests.property.test_reach import policies, questions

TRIED = {(6, 1), (6, 2), (17, 3), (1, 8), (58, 128)}  # the oracle has one value for each of its services
FEWER = settings(COMMON, max_examples=max(1, EXAMPLES // 6))
ZONES = ("a", "b", "c")


def files_of(found: list[Spec], lines: list[str]) -> tuple[Policy, File]:
    text = INVENTORY + "\n".join([*(spec.text for spec in found), *lines]) + "\n"
    file, broken = parse(SourceFile("policy.seg", text))
    assert not broken, broken
    return resolve([file])[0], file


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Tests, promises and workflows, whether they hold or not."""
    found = []
    for asked in draw(st.lists(questions(), min_size=1, max_size=5)):
        ends = f"{asked.source.text} -> {asked.destination.text} : {asked.services}"
        kind = draw(st.sampled_from(["test", "test", "never", "through", "workflow"]))
        verdict, facts = (
            draw(st.sampled_from(["allow", "deny"])),
            draw(st.sampled_from(["", " with mfa, posture fit"])),
        )
        at = draw(st.sampled_from(["", ' at "2026-03-02 07:00"', ' at "2026-02-21 23:00"']))
        found.append(
            {
                "test": f'test "t" {{ {verdict} {ends}{facts}{at} }}',
                "never": f"never {ends}",
                "through": f"never {ends.replace('->', '~>', 1)}",
                "workflow": f"workflow w{len(found)} {{ {ends} }}",
            }[kind]
        )
    return found


def complaints(policy: Policy) -> bool:
    """Whether any line does not hold, on the policy as a whole."""
    return (
        any(outcome.wrong for outcome in run_tests(policy))
        or any(check_nevers(policy))
        or any(check_workflows(policy))
    )


@FEWER
@given(policies(), lines())
def test_who_notices_is_what_running_everything_shows(found: list[Spec], drawn: list[str]) -> None:
    read(found)  # discards what does not resolve
    holding = [line for line in drawn if not complaints(files_of(found, [line])[0])]
    policy, file = files_of(found, holding)
    scene = Scene(policy, list(mutants(policy)))
    for mutant in scene.clauses:
        changed = complaints(mutated(policy, mutant))
        assert scene.noticed(mutant) == changed
        assert not (changed and scene.difference(mutant) is None)
    result = adequacy(policy, [file])
    counted = result.noticed + len(result.missed) + result.equivalent
    assert counted == len(scene.clauses)
    for missed in result.missed:
        if missed.proposal is not None:
            line = f'test "p" {{ {missed.proposal.text} }}'
            again, _ = files_of(found, [line])
            assert not complaints(again)
            flow = next(
                f for f in again.flows if (f.id, f.span) == (missed.mutant.flow.id, missed.mutant.flow.span)
            )
            assert complaints(mutated(again, Mutant(flow, "", missed.mutant.into)))


@FEWER
@given(policies())
def test_equivalent_mutants_are_those_that_allow_the_same(found: list[Spec]) -> None:
    policy, flows = read(found)
    number = {flow: index for index, flow in enumerate(flows)}
    scene = Scene(policy, list(mutants(policy)))
    for mutant in scene.clauses:
        index = number[mutant.flow]
        if mutant.change in ("without `when`", "without `from`", "without `until`") and several(
            found[index].when
        ):
            continue  # what is left of these is not among the oracle's times
        changed = change(found[index], mutant.change)
        # One oracle for both, so that the cells are the same.
        both = Oracle([*found, changed] if changed else found)
        old = range(len(found))
        new = [i for i in old if i != index] + ([len(found)] if changed else [])
        before, after = verdicts(both, list(old)), verdicts(both, new)
        gap = scene.difference(mutant)
        if before != after:
            assert gap is not None, mutant.change
        else:
            assert gap is None or gap.service not in TRIED, mutant.change


def several(when: str) -> bool:
    return sum(word in when.split() for word in ("when", "from", "until")) > 1


def verdicts(oracle: Oracle, indices: list[int]) -> list[int]:
    specs_ = oracle.specs
    live = [i for i in indices if not specs_[i].staged]
    opened = oracle.union(i for i in live if specs_[i].verb == "allow")
    denied = oracle.union(i for i in live if specs_[i].verb == "deny")
    return [(x | y) & ~z for x, y, z in zip(opened, oracle.open, denied, strict=True)]


def change(spec: Spec, said: str) -> Spec | None:
    """The mutation of a statement given as data; None where it is deleted."""
    if said == "deleted":
        return None
    if said == "for any service":
        return replace(spec, services="any")
    if said == "without `mfa`":
        return replace(spec, mfa=False)
    if said == "without `posture fit`":
        return replace(spec, fit=False)
    if said.startswith("without"):
        return replace(spec, when="")
    side, _, place = said.partition(" ")
    part = wider(spec.source if side == "from" else spec.destination, place)
    if side == "from":
        return replace(spec, source=part, mfa=False, fit=False)
    return replace(spec, destination=part)


def wider(part: Part, place: str) -> Part:
    if place == "`any`":
        return Part(("any", *(term for term in part.terms if term == GATEWAY)))
    zones = place.removeprefix("all of ").strip("`").split(", ")
    assert zones == sorted({PLACES[i][0] for i in part.places} & set(ZONES))
    return Part((*zones, *(term for term in part.terms if term == GATEWAY)))
