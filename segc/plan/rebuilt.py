"""A saved plan held to itself: what it has root load is what its policy compiles to, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segc import workspace
from segc.compile import build, digest, relative
from segc.diagnostics.model import Severity
from segc.plan.make import Told
from segc.plan.model import Plan
from segc.policy.resolve import resolve
from segc.source import SourceFile

OTHER = "its artifacts are not what this segc makes of the policy in it: plan again"


def rebuilt(plan: Plan) -> tuple[Told, str, Mapping[str, str]]:
    """The policy of the plan, its gateway and that gateway's artifacts by name, compiled anew.

    Whoever can edit the file could else have any text loaded, and any file written, in the name of a policy
    that says something else. ValueError with a sentence for users.
    """
    found = workspace.of_texts(dict(plan.sources))
    sources = tuple(source for source, _ in found.files)
    policy, diagnostics = resolve([file for _, file in found.files], found.memo)
    if any(each.severity is Severity.ERROR for each in (*found.diagnostics, *diagnostics)):
        raise ValueError("the policy in it has errors: plan again")
    if digest(sources) != plan.policy or not _kept_within(sources):
        raise ValueError("the policy in it is not the one that it was made for: plan again")
    built = build(policy, found.files, found.memo, proving=False)  # the same bytes were proved for the plan
    node = plan.nodes[0].node if len(plan.nodes) == 1 else ""
    artifacts = {each.name: each.text for each in built.artifacts if each.node == node}
    wanted = {(each.node, each.name): each.text for each in plan.files}
    if "ruleset.nft" not in artifacts or wanted != {(node, name): text for name, text in artifacts.items()}:
        raise ValueError(OTHER)
    return Told(policy, sources), node, artifacts


def _kept_within(sources: Sequence[SourceFile]) -> bool:
    """Whether the texts can be kept below a folder by these names."""
    if any(source.path.startswith("/") or "\0" in source.path for source in sources):
        return False
    return all(path == name for path, name in relative(sources).items())
