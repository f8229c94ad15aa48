"""The policy's own `test` blocks: every packet of a line must get its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from segc.analysis.relation import claims_of, opened, region
from segc.analysis.witness import witness
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.claims import Situation
from segc.policy.model import Expectation, Policy, Test
from segc.space.traffic import Box, without


class Outcome(NamedTuple):
    """A line of a test, and traffic that got the other verdict: none where the line holds."""

    test: Test
    expectation: Expectation
    wrong: tuple[Box, ...]


def run_tests(policy: Policy) -> Iterator[Outcome]:
    for test in policy.tests:
        for expectation in test.expectations:
            yield Outcome(test, expectation, tuple(wrong(expectation, policy)))


def wrong(expectation: Expectation, policy: Policy) -> Iterator[Box]:
    """The traffic of a line that gets the other verdict."""
    boxes = region(expectation.source, expectation.destination, expectation.services, policy)
    expects_allow = expectation.action == "allow"
    for source in claims_of(expectation.source, expectation.mfa, expectation.postures):
        for destination in claims_of(expectation.destination, False, ()):
            # Without a moment, a line speaks of every moment.
            situation = Situation(source, destination, expectation.at, sometimes=not expects_allow)
            here = opened(boxes, policy, situation)
            yield from without(boxes, here) if expects_allow else here


def check_tests(policy: Policy) -> Iterator[Diagnostic]:
    for outcome in run_tests(policy):
        if outcome.wrong:
            yield failure(outcome)


def failure(outcome: Outcome) -> Diagnostic:
    """What `check` and `test` say of a line that does not hold."""
    wanted, got = ("allow", "denied") if outcome.expectation.action == "allow" else ("deny", "allowed")
    return finding(
        "SEG303",
        f"the test `{outcome.test.title}` fails: some of this is {got}",
        outcome.expectation.span,
        f"should be: {wanted}",
        also=(Label(outcome.test.span, "in this test"),),
        notes=(f"for instance: {witness(outcome.wrong[0])} is {got}",),
        help="change the flows, or the test; `segc trace` shows what decides the packet",
    )
