"""What an edit does to the meaning of a policy: nothing, or exactly which traffic it opens and closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from segc.analysis.segmentation.difference import Change, Comparison
from segc.analysis.segmentation.edits import Files, reread
from segc.analysis.segmentation.merging import said
from segc.analysis.segmentation.wording import regions
from segc.diagnostics.model import Diagnostic, Severity
from segc.frozen import frozen
from segc.policy.model import Flow, Policy
from segc.policy.resolve import resolve


@frozen
class Proof:
    """`errors` keep the edited policy from meaning anything; without them the differences are complete."""

    errors: tuple[Diagnostic, ...]
    opened: tuple[Change, ...] = ()
    closed: tuple[Change, ...] = ()
    comparison: Comparison | None = None

    @property
    def same(self) -> bool:
        return not (self.errors or self.opened or self.closed)

    def lines(self) -> Iterator[str]:
        """The outcome in words."""
        if self.errors:
            yield f"the edited policy would not compile: {self.errors[0].message}"
        elif self.same:
            yield "proved: the edited policy means the same, packet for packet"
        for verb, changes in (("opens", self.opened), ("closes", self.closed)):
            if changes and self.comparison is not None:
                yield f"proved: it {verb}"
                yield from (f"  {each}" for each in regions(changes, self.comparison))
                yield f"  such as {self.comparison.witness(changes[0]).text}"
        if (self.opened or self.closed) and not self.errors:
            yield "and nothing else"


def prove(before: Policy, files: Files, texts: Mapping[str, str]) -> Proof:
    """Compare a policy with what its files say once `texts` have replaced theirs."""
    after, findings = resolve([file for _, file in reread(files, texts)])
    errors = tuple(each for each in findings if each.severity is Severity.ERROR)
    if errors:
        return Proof(errors)
    comparison = Comparison(before, _aligned(after, before))
    return Proof((), tuple(comparison.gains()), tuple(comparison.losses()), comparison)


def _aligned(after: Policy, before: Policy) -> Policy:
    """The policy with the other's flows in the place of those that say the same."""
    known: dict[object, Flow] = {said(flow): flow for flow in before.flows}
    return replace(after, flows=tuple(known.get(said(flow), flow) for flow in after.flows))
