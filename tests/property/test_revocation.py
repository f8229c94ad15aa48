"""The bound on revocation against its definition: every person, every source, one by one."""

from __future__ import annotations

import json
import random

import pytest

from segc.analysis.identity.bounds import SLACK, bounds
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.workspace import of_texts

USERS = ["ana", "bo", "cem", "dora", "emil"]
ZONES = ["vpn", "lab", "desk"]
FOREVER = float("inf")


def written(rng: random.Random) -> dict[str, str]:
    """A policy of groups, listed and from directories, with rules, sources and flows at random."""
    text = [f"zone {name} {{ subnet 10.{n}.0.0/24 }}" for n, name in enumerate([*ZONES, "erp"])]
    directories = {
        name: {
            "kind": "ldap",
            "source": "x",
            "users": sorted(rng.sample(USERS, 3)),
            "groups": {f"{name}-{n}": {"id": f"{n}", "members": []} for n in range(2)},
        }
        for name in ("corp", "cloud")
    }
    for n in range(4):
        listed = ", ".join(f'"{user}"' for user in rng.sample(USERS, rng.randrange(1, 4)))
        nested = f"group g{n - 1}" * (n > 0 and rng.random() < 0.4)
        drawn = f'"{rng.choice(["corp", "cloud"])}-{rng.randrange(2)}"'
        directory = n > 0 and rng.random() < 0.4
        text.append(
            f"group g{n} from directory {drawn}" if directory else f"group g{n} {{ user {listed} {nested} }}"
        )
    text += [f"session g{n} {{ max {rng.randrange(1, 9)}h }}" for n in range(4) if rng.random() < 0.5]
    for n in range(rng.randrange(4)):
        zones = ", ".join(rng.sample(ZONES, rng.randrange(1, 3)))
        kind = rng.choice(["openvpn", "radius", "posture"])
        text.append(
            f"source s{n} {kind} {{ zone {zones} {f'max {rng.randrange(1, 9)}h' * rng.randrange(2)} }}"
        )
    text += [
        f"directory {name} {{ sync {rng.randrange(1, 300)}m }}" for name in directories if rng.random() < 0.7
    ]
    for n in range(4):
        who = rng.choice([f"group g{rng.randrange(4)}", f'user "{rng.choice(USERS)}"'])
        place = f" in {rng.choice(ZONES)}" * rng.randrange(2)
        text.append(f"allow as f{n} {who}{place} -> erp : tcp/{n + 1}")
    snapshot = json.dumps({"format": 1, "directories": directories})
    return {"p.seg": "\n".join(text), "identities.lock.json": snapshot}


def by_definition(policy: Policy, name: str) -> float:
    """The greatest, over people and sources of a flow, of the least that ends it."""
    flow = next(each for each in policy.flows if each.id == name)
    (part,) = flow.source.parts
    assert part.subject is not None
    group = policy.groups.get(part.subject.name) if part.subject.kind == "group" else None
    users = group.listed if group else {part.subject.name}
    drawn = group.known | group.directories if group else frozenset[str]()
    zones = {zone.name for zone in policy.zones.values() if zone.space.overlaps(part.space)}
    vouching = [s for s in policy.sources.values() if s.kind != "posture" and zones & {*s.zones}]
    source = max((s.max_age or FOREVER for s in vouching), default=FOREVER)
    worst = 0.0
    for user in users:
        ends = [
            source,
            *(r.max_age or FOREVER for r in policy.sessions if user in policy.groups[r.group].users),
        ]
        ends += [d.sync + d.timeout for d in policy.directories.values() if user in (d.users or ())]
        worst = max(worst, min(ends))
    for each in drawn:
        held = [g.name for g in policy.groups.values() if each in g.known | g.directories]
        ends = [source, *(r.max_age or FOREVER for r in policy.sessions if r.group in held)]
        owners = [d.sync + d.timeout for d in policy.directories.values() if each in (d.groups or ())]
        ends += [max(owners)] if owners else []
        worst = max(worst, min(ends))
    return worst + SLACK


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_is_that_of_the_slowest_person(seed: int) -> None:
    rng = random.Random(seed)
    seen = set()
    for _ in range(15):
        read = of_texts(written(rng))
        policy, problems = resolve([file for _, file in read.files])
        assert not [each for each in (*read.diagnostics, *problems) if each.severity.value == "error"]
        for bound in bounds(policy):
            found = FOREVER if bound.seconds is None else bound.seconds
            assert found == by_definition(policy, bound.flow.id)
            seen.add(found)
    assert FOREVER in seen
    assert len(seen) > 5
