"""Rulesets for gateways, `<gateway>/ruleset.nft`, and what fills their sets of people, `sessions.json`."""

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.nftables.render import render
from segc.backends.nftables.sessions import sessions_json
from segc.diagnostics.model import Diagnostic
from segc.enforcement.lower import lower


def emit(target: Target) -> Output:
    artifacts: list[Artifact] = []
    diagnostics: list[Diagnostic] = []
    for name, gateway in sorted(target.policy.gateways.items()):
        program = lower(target.policy, gateway, target.memo, target.context)
        text, problems = render(program, target.digest, target.place)
        artifacts.append(Artifact(name, "ruleset.nft", text))
        artifacts.append(Artifact(name, "sessions.json", sessions_json(program)))
        diagnostics += problems
    return Output(tuple(artifacts), tuple(diagnostics))
