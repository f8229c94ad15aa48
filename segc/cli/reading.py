"""From paths to a checked policy, as every command but `fmt` needs it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence

from segc import compile, workspace
from segc.diagnostics.accept import apply_acceptances
from segc.diagnostics.model import Diagnostic, Report, Severity
from segc.frozen import frozen
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.workspace import Workspace

# What is wrong however a statement that could not be read may continue.
REGARDLESS = frozenset({"SEG102", "SEG103", "SEG104", "SEG105", "SEG106", "SEG201", "SEG203", "SEG204"})


@frozen
class Reading:
    """What the paths hold. `policy` is None where files are missing or cannot be understood.

    `found` are the findings before acceptances, `report` those that are left.
    """

    workspace: Workspace
    policy: Policy | None
    found: tuple[Diagnostic, ...]

    @property
    def report(self) -> Report:
        return self.with_more(())

    def with_more(self, more: Sequence[Diagnostic]) -> Report:
        """The report with what a later stage found as well."""
        return apply_acceptances(Report((*self.found, *more), self.workspace.sources).sorted())


def read(paths: Sequence[str], progress: Callable[[str], None], checks: bool = True) -> Reading:
    """Read, resolve and, with `checks`, check a policy."""
    progress("reading")
    return understand(workspace.load(paths or ["."]), progress, checks)


def understand(found: Workspace, progress: Callable[[str], None], checks: bool = True) -> Reading:
    """The same for a policy whose files have been read."""
    if any(each.severity is Severity.ERROR for each in found.diagnostics):
        return Reading(found, None, (*found.diagnostics, *_besides(found)))
    if checks:
        checked = compile.check(found.files, found.memo, progress, int(time.time()))
        return Reading(found, checked.policy, (*found.diagnostics, *checked.diagnostics))
    policy, diagnostics = resolve([file for _, file in found.files], found.memo)
    return Reading(found, policy, (*found.diagnostics, *diagnostics))


def _besides(found: Workspace) -> Iterator[Diagnostic]:
    """What is wrong beside syntax errors, and not only because of them: a name counts as unknown only
    where no file with errors speaks of it."""
    errors = [each for each in found.diagnostics if each.severity is Severity.ERROR]
    everything_read = all(each.code == "SEG001" for each in errors)
    broken = {each.primary.span.path for each in errors if each.primary}
    words = {word for s in found.sources if s.path in broken for word in re.findall(r"[\w-]+", s.text)}
    texts = {source.path: source for source in found.sources}
    _, diagnostics = resolve([file for _, file in found.files])
    for each in diagnostics:
        unknown = everything_read and each.code == "SEG101" and not _mentioned(each, texts, words)
        if each.code in REGARDLESS or unknown:
            yield each


def _mentioned(unknown: Diagnostic, texts: dict[str, SourceFile], words: set[str]) -> bool:
    if unknown.primary is None:
        return True
    span = unknown.primary.span
    name = texts[span.path].text[span.start : span.end]
    return span_words(name) <= words


def span_words(text: str) -> set[str]:
    return set(re.findall(r"[\w-]+", text))
