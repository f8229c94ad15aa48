"""The policy's own `test` blocks: every packet of a line must get its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product, starmap
from typing import NamedTuple

from segc.analysis.conflicts.moments import kinds, times_of
from segc.analysis.relation import claims_of, opened, region
from segc.analysis.witness import circumstances, witness
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.claims import Situation
from segc.policy.model import Expectation, Policy, Test
from segc.space.traffic import Box, common, without


class Wrong(NamedTuple):
    """Traffic that got the other verdict, and in which situation it did."""

    traffic: Box
    situation: Situation


class Outcome(NamedTuple):
    """A line of a test, and what of it got the other verdict: nothing where the line holds."""

    test: Test
    expectation: Expectation
    wrong: tuple[Wrong, ...]


def run_tests(policy: Policy) -> Iterator[Outcome]:
    for test in policy.tests:
        for expectation in test.expectations:
            yield Outcome(test, expectation, tuple(wrong(expectation, policy)))


def wrong(expectation: Expectation, policy: Policy) -> Iterator[Wrong]:
    """The traffic of a line that gets the other verdict."""
    boxes = region(expectation.source, expectation.destination, expectation.services, policy)
    for situation in _situations(expectation, boxes, policy):
        here = opened(boxes, policy, situation)
        found = without(boxes, here) if expectation.action == "allow" else here
        yield from (Wrong(box, situation) for box in found)


def _situations(expectation: Expectation, boxes: list[Box], policy: Policy) -> Iterator[Situation]:
    """Whoever the line speaks of; at its moment, or at one of each kind where it speaks of all moments."""
    moments = [expectation.at] if expectation.at is not None else _moments(boxes, policy)
    senders = claims_of(expectation.source, expectation.mfa, expectation.postures)
    receivers = claims_of(expectation.destination, False, ())
    return starmap(Situation, product(senders, receivers, moments))


def _moments(boxes: list[Box], policy: Policy) -> Sequence[int | None]:
    """One of each kind of moment that the flows near a line tell apart; None where they tell none."""
    timed = (flow for flow in policy.flows if flow.conditions.timed and not flow.staged)
    near = (flow for flow in timed if common(boxes, region(*flow.ends, flow.services, policy)))
    times = {times_of(flow.conditions) for flow in near}
    return kinds(times, policy.timezone) if times else (None,)


def check_tests(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG303`, and `SEG319` and `SEG320` for tests that say nothing or cannot be told apart."""
    yield from _unclear(policy)
    for outcome in run_tests(policy):
        if outcome.wrong:
            yield failure(outcome, policy)


def _unclear(policy: Policy) -> Iterator[Diagnostic]:
    titles: dict[str, Test] = {}
    for test in policy.tests:
        if not test.expectations:
            yield finding(
                "SEG319",
                f"the test `{test.title}` has no line, so it passes whatever the policy says",
                test.span,
                "tests nothing",
                help="write what must get which verdict, as in `deny guests -> servers : any`, or delete it",
            )
        first = titles.setdefault(test.title, test)
        if first is not test:
            yield finding(
                "SEG320",
                f"two tests are called `{test.title}`",
                test.span,
                "again here",
                also=(Label(first.span, "first here"),),
                help="give each its own title: reports of tests tell them apart by nothing else",
            )


def failure(outcome: Outcome, policy: Policy) -> Diagnostic:
    """What `check` and `test` say of a line that does not hold."""
    wanted, got = ("allow", "denied") if outcome.expectation.action == "allow" else ("deny", "allowed")
    return finding(
        "SEG303",
        f"the test `{outcome.test.title}` fails: some of this is {got}",
        outcome.expectation.span,
        f"should be: {wanted}",
        also=(Label(outcome.test.span, "in this test"),),
        notes=(f"for instance: {_witness(outcome.wrong[0], policy)} is {got}",),
        help="change the flows, or the test; `segc trace` shows what decides the packet",
    )


def _witness(found: Wrong, policy: Policy) -> str:
    return witness(found.traffic) + circumstances(found.situation, policy.timezone)
