"""Rulesets for gateways, `<gateway>/ruleset.nft`, and what fills their sets of people, `sessions.json`."""

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.nftables.limits import limits, long_names, narrow_mark, untracked_ports
from segc.backends.nftables.render import render
from segc.backends.nftables.sessions import sessions_json
from segc.enforcement.lower import lower

__all__ = ["emit", "limits"]


def emit(target: Target) -> Output:
    problems = [*long_names(target.policy), *untracked_ports(target.policy)]
    artifacts: list[Artifact] = []
    for name, gateway in sorted(target.policy.gateways.items()):
        program = lower(target.policy, gateway, target.memo, target.context)
        problems += narrow_mark(program.places, gateway)
        if not problems:
            artifacts.append(Artifact(name, "ruleset.nft", render(program, target.digest, target.place)))
            artifacts.append(Artifact(name, "sessions.json", sessions_json(program)))
    return Output(() if problems else tuple(artifacts), tuple(problems))
