"""Rulesets for gateways: `<gateway>/ruleset.nft`."""

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.nftables.render import render
from segc.diagnostics.model import Diagnostic
from segc.enforcement.lower import lower


def emit(target: Target) -> Output:
    artifacts: list[Artifact] = []
    diagnostics: list[Diagnostic] = []
    for name, gateway in sorted(target.policy.gateways.items()):
        text, problems = render(
            lower(target.policy, gateway, target.memo, target.context), target.digest, target.place
        )
        artifacts.append(Artifact(name, "ruleset.nft", text))
        diagnostics += problems
    return Output(tuple(artifacts), tuple(diagnostics))
