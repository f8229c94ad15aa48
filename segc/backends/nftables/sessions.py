"""What turns verified claims into elements of a ruleset's sets: `<gateway>/sessions.json`.

The data follow `segc/schemas/sessions.schema.json`; the session daemon reads them from the generation that is
in force. Lengths of time are in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from segc.backends.nftables.conditions import grant_name
from segc.enforcement.program import Grant, Program
from segc.policy.model import Policy, Posture, Source, Subject
from segc.space.prefixes import PrefixSet, union

FORMAT = 1


def sessions_json(program: Program) -> str:
    """JSON with sorted keys, so that the same policy has the same bytes."""
    policy = program.policy
    document = {
        "format": FORMAT,
        "people": {_who(each): sorted(policy.users_of(each)) for each in _subjects(program.grants)},
        "sets": [_set(grant, program) for grant in program.grants],
        "postures": {name: _facts(posture) for name, posture in policy.postures.items()},
        "lifetimes": _lifetimes(policy),
        "prefixes": _prefixes(union(zone.space for zone in policy.zones.values())),
        "sources": {name: _source(policy, source) for name, source in policy.sources.items()},
        "directories": {
            name: {"sync": each.sync, "timeout": each.timeout} for name, each in policy.directories.items()
        },
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _who(subject: Subject) -> str:
    return f"{subject.kind} {subject.name}"


def _subjects(grants: Iterable[Grant]) -> set[Subject]:
    return {grant.subject for grant in grants}


def _set(grant: Grant, program: Program) -> dict[str, Any]:
    """Addresses of either family that hold a grant; what a claim must prove of its user to be one."""
    name = grant_name(grant)
    return {
        "ipv4": f"who4_{name}",
        "ipv6": f"who6_{name}",
        "people": [_who(grant.subject)],
        "mfa": grant.mfa,
        "postures": list(grant.postures),
        "opens": grant in program.opening,
        "closes": grant in program.closing,
    }


def _facts(posture: Posture) -> list[dict[str, Any]]:
    return [
        {"fact": fact.name, "operator": fact.operator, "value": fact.value, "type": fact.type}
        for fact in posture.facts
    ]


def _lifetimes(policy: Policy) -> dict[str, Any]:
    return {
        rule.group: {
            "max": rule.max_age,
            "idle": rule.idle,
            "people": sorted(policy.users_of(Subject("group", rule.group))),
        }
        for rule in policy.sessions
    }


def _source(policy: Policy, source: Source) -> dict[str, Any]:
    space = union(policy.zones[zone].space for zone in source.zones)
    return {
        "kind": source.kind,
        "zones": list(source.zones),
        "prefixes": _prefixes(space),
        "mfa": source.mfa,
        "posture": bool(source.postures),
        "postures": list(source.postures),
        "max": source.max_age,
    }


def _prefixes(space: PrefixSet) -> list[str]:
    return [*space.prefixes(4), *space.prefixes(6)]
