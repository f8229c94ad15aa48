"""What a failed proof says: nothing is written then, as the ruleset would not keep the policy's word."""

from __future__ import annotations

from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Gateway, Policy
from segc.proof.model import Problem, UnreadableError
from segc.proof.prove import compare
from segc.proof.text import read_text
from segc.space.words import quote

MOST = 20  # differences that are told of; a slip of the compiler may bring about thousands
HELP = "nothing is written; the fault is in segc, not in the policy: please report it with the policy"


def differences(policy: Policy, gateway: Gateway, text: str) -> list[Problem]:
    """In what a ruleset's text differs from the policy, each with one packet that shows it; [] if equal."""
    try:
        return compare(policy, gateway, read_text(text))
    except UnreadableError as error:
        return [error.problem]


def prove(policy: Policy, gateway: Gateway, text: str) -> tuple[Diagnostic, ...]:
    """Errors (`SEG505`) where the compiled ruleset of a gateway is not what the policy says."""
    found = differences(policy, gateway, text)
    lines = text.split("\n") if found else []
    return tuple(_diagnostic(policy, gateway, each, lines) for each in found[:MOST])


def _diagnostic(policy: Policy, gateway: Gateway, problem: Problem, lines: list[str]) -> Diagnostic:
    flow = next((each for each in policy.flows if each.id == problem.flow), None)
    return finding(
        "SEG505",
        f"the ruleset of gateway `{gateway.name}` is not what the policy says: {problem.message}",
        flow.span if flow else gateway.span,
        "not compiled as written" if flow else "",
        notes=tuple(_notes(problem, lines)),
        help=HELP,
    )


def _notes(problem: Problem, lines: list[str]) -> Iterator[str]:
    if shown := instance(problem):
        yield f"for instance: {shown}"
    if problem.line:
        yield f"line {problem.line} of `ruleset.nft`: {quote(lines[problem.line - 1].strip())}"


def instance(problem: Problem) -> str:
    """`10.10.10.1 -> 10.10.20.1 tcp/443: the policy allows it, the ruleset refuses it`."""
    sides = (("the policy", problem.policy), ("the ruleset", problem.ruleset))
    said = ", ".join(f"{side} {words}" for side, words in sides if words)
    return f"{problem.witness}: {said}" if problem.witness and said else problem.witness
