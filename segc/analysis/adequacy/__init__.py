"""Are the tests of a policy enough? Each statement is deleted and widened in turn, to see who notices.

Mutation analysis (DeMillo, Lipton and Sayward, *Hints on test data selection*, 1978) with the policy as the
program. What means the same as the policy is told apart exactly, as sets, and counts for nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from segc.analysis.adequacy.mutants import Mutant, mutants
from segc.analysis.adequacy.noticing import Scene
from segc.analysis.adequacy.proposals import Proposal, propose, tells
from segc.analysis.reach.wording import Names
from segc.diagnostics.model import Severity
from segc.frozen import frozen
from segc.policy.model import Expectation, Flow, Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.syntax.store import AnyFile

PATH = "proposed tests"


@frozen
class Missed:
    """A mutant that nothing notices, and a line that would; None where no line can tell the two apart."""

    mutant: Mutant
    proposal: Proposal | None


@frozen
class Adequacy:
    """`noticed` counts mutants; those that mean the same as the policy are in `equivalent` only."""

    noticed: int
    missed: tuple[Missed, ...]
    equivalent: int

    @property
    def score(self) -> float | None:
        """The part that is noticed, 0 to 1; None where there is nothing to notice."""
        told = self.noticed + len(self.missed)
        return self.noticed / told if told else None


def adequacy(
    policy: Policy, files: Sequence[AnyFile], progress: Callable[[str], None] = lambda stage: None
) -> Adequacy:
    """Judge a policy whose tests pass and whose promises hold; `files` are what it was resolved from."""
    mutated = list(mutants(policy))
    scene = Scene(policy, mutated)
    names = Names(scene.survey)
    noticed = equivalent = 0
    missed: list[Missed] = []
    known: dict[Flow, list[Proposal]] = defaultdict(list)
    for number, mutant in enumerate(mutated):
        if number % 100 == 0:
            progress(f"changing {number:,} of {len(mutated):,}")
        gap = scene.difference(mutant)
        if gap is None:
            equivalent += 1
        elif scene.noticed(mutant):
            noticed += 1
        else:
            proposal = next((each for each in known[mutant.flow] if tells(each, mutant, scene)), None)
            if proposal is None:
                proposal = propose(mutant, gap, scene, names)
                known[mutant.flow] += [proposal] if proposal else []
            missed.append(Missed(mutant, proposal))
    return Adequacy(noticed, tuple(_proved(missed, scene, files)), equivalent)


def _proved(missed: Sequence[Missed], scene: Scene, files: Sequence[AnyFile]) -> list[Missed]:
    """With what was proposed read back from its text and run once more; what fails that is not proposed."""
    texts = list(dict.fromkeys(each.proposal.text for each in missed if each.proposal))
    if not texts:
        return list(missed)
    file, errors = parse(SourceFile(PATH, "\n".join(['test "proposed" {', *texts, "}"])))
    assert not errors, errors
    read, findings = resolve([*files, file])
    wrong = {
        each.primary.span.line
        for each in findings
        if each.primary and each.primary.span.path == PATH and each.severity is Severity.ERROR
    }
    lines = {
        texts[line.span.line - 2]: line
        for test in read.tests
        if test.span.path == PATH
        for line in test.expectations
        if line.span.line not in wrong
    }
    return [replace(each, proposal=_confirmed(each, lines, scene)) for each in missed]


def _confirmed(missed: Missed, lines: Mapping[str, Expectation], scene: Scene) -> Proposal | None:
    if missed.proposal is None or missed.proposal.text not in lines:
        return None
    proposal = missed.proposal._replace(line=lines[missed.proposal.text])
    return proposal if tells(proposal, missed.mutant, scene) else None
