"""The pipeline: text to policy, policy to findings, policy to artifacts. No file, clock or kernel."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from segc import __version__, manifest
from segc.analysis import CHECKS
from segc.analysis.conflicts.expired import check_expired
from segc.cache import FORGETFUL, Memo
from segc.diagnostics.model import Diagnostic, Severity
from segc.frozen import frozen
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.policy.scope import context
from segc.source import SourceFile, Span
from segc.syntax.store import AnyFile

if TYPE_CHECKING:  # the backends load Jinja2, which checking does not need
    from segc.backends import Artifact


PROVED_ANYWAY = 1000  # flows up to which a proof takes a fraction of a second
Parsed = Sequence[tuple[SourceFile, AnyFile]]
Progress = Callable[[str], None]


@frozen
class Checked:
    """A policy with all that is wrong with it; `sound` says whether it may be compiled."""

    policy: Policy
    diagnostics: tuple[Diagnostic, ...]

    @property
    def sound(self) -> bool:
        return not _failed(self.diagnostics)


@frozen
class Build:
    """Every file that the nodes need; empty where a target could not express the policy.

    `proved` says whether the rulesets were read back and proved to mean the policy.
    """

    artifacts: tuple[Artifact, ...]
    diagnostics: tuple[Diagnostic, ...]
    proved: bool


def check(
    files: Parsed,
    memo: Memo = FORGETFUL,
    progress: Progress = lambda stage: None,
    now: int | None = None,
) -> Checked:
    """Resolve what was read and run every check on it, unless names or values are wrong.

    With `now`, in Unix time, also say what has expired by then; nothing else depends on a clock.
    """
    progress("resolving names")
    policy, diagnostics = resolve([file for _, file in files], memo)
    checked = Checked(policy, diagnostics)
    if not checked.sound:
        return checked
    for number, each in enumerate(CHECKS, start=1):
        progress(f"checking {number} of {len(CHECKS)}")
        diagnostics += tuple(each(policy))
    if now is not None:
        diagnostics += tuple(check_expired(policy, now))
    return Checked(policy, diagnostics)


def limits(policy: Policy) -> tuple[Diagnostic, ...]:
    """What a target could not express (`SEG5xx`), without writing anything for it."""
    from segc.backends import LIMITS

    return tuple(found for each in LIMITS for found in each(policy))


def build(
    policy: Policy,
    files: Parsed,
    memo: Memo = FORGETFUL,
    progress: Progress = lambda stage: None,
    proving: bool | None = True,
) -> Build:
    """The artifacts of every node, each node with a manifest of what it was made from.

    With `proving` every ruleset is read back and held to the policy; None does that unless the policy is
    large and most of it was worked out before, as the proof would then take longer than all the rest.
    """
    from segc.backends import BACKENDS, Target

    sources = [source for source, _ in files]
    among = context([file for _, file in files], memo)
    target = Target(policy, digest(sources), place_namer(sources), memo, among)
    artifacts: list[Artifact] = []
    diagnostics: list[Diagnostic] = []
    for backend in BACKENDS:
        progress(f"writing {backend.__module__.rpartition('.')[2]}")
        output = backend(target)
        artifacts += output.artifacts
        diagnostics += output.diagnostics
    if proving is None:
        proving = len(policy.flows) <= PROVED_ANYWAY or memo.made >= memo.kept
    if proving and not _failed(diagnostics):
        progress("proving the rulesets")
        diagnostics += _proved(policy, artifacts)
    if _failed(diagnostics):
        return Build((), tuple(diagnostics), False)
    artifacts += _policies(artifacts, sources)
    artifacts += _manifests(artifacts, target.digest)
    return Build(tuple(sorted(artifacts)), tuple(diagnostics), proving)


def _failed(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(each.severity is Severity.ERROR for each in diagnostics)


def _proved(policy: Policy, artifacts: Sequence[Artifact]) -> Iterator[Diagnostic]:
    from segc.proof.findings import prove

    for artifact in artifacts:
        if artifact.name == "ruleset.nft":
            yield from prove(policy, policy.gateways[artifact.node], artifact.text)


def digest(sources: Sequence[SourceFile]) -> str:
    """SHA-256 of the policy's texts, whatever the order or the place of the files."""
    texts = sorted(hashlib.sha256(source.text.encode()).hexdigest() for source in sources)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def relative(sources: Sequence[SourceFile]) -> dict[str, str]:
    """For each path, the one from the folder that all of the policy has in common, and never out of it."""
    paths = {source.path: posixpath.normpath(source.path) for source in sources}
    if any(path.startswith(("/", "..")) for path in paths.values()):
        paths = {each: posixpath.abspath(path) for each, path in paths.items()}
    folder = posixpath.commonpath([posixpath.dirname(path) for path in paths.values()] or [""])
    return {each: posixpath.relpath(path, folder or ".") for each, path in paths.items()}


def place_namer(sources: Sequence[SourceFile]) -> Callable[[Span], str]:
    """Words a span as `file:line`, the file named by `relative`."""
    names = relative(sources)
    return lambda span: f"{names.get(span.path, span.path)}:{span.line}"


def _policies(artifacts: Sequence[Artifact], sources: Sequence[SourceFile]) -> list[Artifact]:
    """What the artifacts were made from, beside every ruleset: later builds are compared with it."""
    from segc.backends import Artifact

    names = relative(sources)
    gateways = sorted(each.node for each in artifacts if each.name == "ruleset.nft")
    return [
        Artifact(node, f"{manifest.POLICY}{names[source.path]}", source.text)
        for node in gateways
        for source in sources
    ]


def _manifests(artifacts: Sequence[Artifact], policy_digest: str) -> list[Artifact]:
    from segc.backends import Artifact

    found: dict[str, dict[str, str]] = {}
    for artifact in artifacts:
        hashed = hashlib.sha256(artifact.text.encode()).hexdigest()
        found.setdefault(artifact.node, {})[artifact.name] = hashed
    return [
        Artifact(node, manifest.FILE, _manifest(node, files, policy_digest)) for node, files in found.items()
    ]


def _manifest(node: str, files: dict[str, str], policy_digest: str) -> str:
    content = {
        "node": node,
        "segc": __version__,
        "policy": policy_digest,
        "files": dict(sorted(files.items())),
    }
    return json.dumps(content, indent=2) + "\n"
