"""Edits that `segc check --fix` takes without asking: those that are proved to change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from segc.analysis.segmentation.absorbing import merged
from segc.analysis.segmentation.edits import Files, apply, deletions
from segc.analysis.segmentation.equivalent import same_zones
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.proof import prove
from segc.cli.reading import Reading, understand
from segc.diagnostics.model import Diagnostic, Severity
from segc.policy.model import Policy
from segc.source import Span
from segc.workspace import of_texts


class Fixes(NamedTuple):
    """New texts by path, what was done in words, and what was not, as it would have made an error."""

    texts: dict[str, str]
    done: list[str]
    refused: list[str]


def fixes(reading: Reading) -> Fixes:
    """What may be edited; findings that were accepted stay as they are.

    Edits of one file do not mix: what is left is found when the new files are read.
    """
    found = Fixes({}, [], [])
    policy, files = reading.policy, reading.workspace.files
    if policy is None or reading.report.errors:
        return found
    told = {each.primary.span for each in reading.report.diagnostics if each.primary}
    for words, edited in _candidates(policy, files, told):
        both = {**found.texts, **edited}
        if found.texts.keys() & edited.keys() or not prove(policy, files, both).same:
            continue
        error = _error(reading, both)
        if error is None:
            found.texts.update(edited)
            found.done.append(words)
        else:
            found.refused.append(f"not {words}, which would make an error: {error.message}")
    return found


def _error(reading: Reading, texts: Mapping[str, str]) -> Diagnostic | None:
    """The first error of the policy with these texts in the place of its own."""
    edited = {each.path: texts.get(each.path, each.text) for each in reading.workspace.sources}
    report = understand(of_texts(edited), lambda stage: None).report
    return next((each for each in report.diagnostics if each.severity is Severity.ERROR), None)


def _candidates(policy: Policy, files: Files, told: set[Span]) -> Iterator[tuple[str, Mapping[str, str]]]:
    names = [(each.kind, each.name) for each in policy.unused if each.span in told]
    if names:
        listed = ", ".join(f"{kind} `{name}`" for kind, name in names)
        yield f"deleted {listed}", apply(files, deletions(files, names))
    for found in same_zones(Outline(policy)):
        if found.others[0].span in told and not any(found.opened):
            one, *others = (zone.name for zone in found.zones)
            words = " and ".join(f"`{name}`" for name in others)
            yield f"merged zone{'s' if others[1:] else ''} {words} into `{one}`", merged(files, one, *others)
