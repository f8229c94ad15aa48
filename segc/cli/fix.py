"""Edits that `segc check --fix` takes without asking: those that are proved to change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segc.analysis.segmentation.edits import Files, apply, deletions, merged
from segc.analysis.segmentation.equivalent import same_zones
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.proof import prove
from segc.cli.reading import Reading
from segc.policy.model import Policy
from segc.source import Span


def fixes(reading: Reading) -> tuple[dict[str, str], list[str]]:
    """New texts by path, and what was done in words; findings that were accepted stay as they are.

    Edits of one file do not mix: what is left is found when the new files are read.
    """
    policy, files = reading.policy, reading.workspace.files
    if policy is None or reading.report.errors:
        return {}, []
    told = {each.primary.span for each in reading.report.diagnostics if each.primary}
    texts: dict[str, str] = {}
    done: list[str] = []
    for words, edited in _candidates(policy, files, told):
        if not texts.keys() & edited.keys() and prove(policy, files, edited).same:
            texts.update(edited)
            done.append(words)
    return texts, done


def _candidates(policy: Policy, files: Files, told: set[Span]) -> Iterator[tuple[str, Mapping[str, str]]]:
    names = [(each.kind, each.name) for each in policy.unused if each.span in told]
    if names:
        listed = ", ".join(f"{kind} `{name}`" for kind, name in names)
        yield f"deleted {listed}", apply(files, deletions(files, names))
    for found in same_zones(Outline(policy)):
        if found.second.span in told and not found.opened:
            one, other = found.first.name, found.second.name
            yield f"merged zone `{other}` into `{one}`", merged(files, one, other)
