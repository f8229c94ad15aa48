"""Policies to measure the analyses with, and how long these take.

Z = F / 10 zones of both families with two hosts each, tags, sets over up to fifty zones, groups with a few
people; a tenth of the flows are denies, a third have conditions. `wide` is the part of the flows between
sets or tags.

    python -m tests.bench.analysis 10000 [WIDE]
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import time
from collections.abc import Iterator

from segc.diagnostics.model import Diagnostic
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse

TAGS = 12
WIDEST = 50  # zones in a set
SERVICES = 60
HOURS = ("mon-fri 08:00-18:00", "daily 22:00-04:00", "sat,sun 06:00-20:00", "mon-sat 06:00-22:00")


def generate(flows: int, wide: float = 0.05, seed: int = 1) -> str:
    """The text of a policy of that many flows."""
    return "\n".join(_statements(flows, wide, random.Random(seed))) + "\n"


def _statements(flows: int, wide: float, rng: random.Random) -> Iterator[str]:
    zones = max(40, flows // 10)
    for number in range(SERVICES):
        port = rng.randrange(1, 60000)
        last = port + rng.choice((0, 0, 0, rng.randrange(1, 500)))
        more = f", tcp/{rng.randrange(1, 65000)}" if rng.random() < 0.4 else ""
        yield f"service s{number} = {rng.choice(('tcp', 'tcp', 'udp'))}/{port}-{last}{more}"
    for number in range(zones):
        high, low = divmod(number, 256)
        v4, v6 = f"10.{high}.{low}", f"2001:db8:{number:x}"
        tag = f"  tag t{number % TAGS}" if number % 2 or number < TAGS else ""
        hosts = "  ".join(
            f"host h{host} = {v4}.{9 + host}, {v6}::{9 + host} {'{ tag u }' if rng.random() < 0.1 else ''}"
            for host in range(2)
        )
        yield f"zone z{number} {{ subnet {v4}.0/24, {v6}::/64  {hosts}{tag} }}"
    for number in range(zones // 10):
        chosen = sorted(rng.sample(range(zones), min(zones // 4, rng.randrange(10, WIDEST))))
        yield f"set w{number} = {', '.join(f'z{zone}' for zone in chosen)}"
    groups = max(4, zones // 50)
    for number in range(groups):
        users = ", ".join(f'"p{rng.randrange(groups * 5)}@x.example"' for _ in range(3))
        nested = f"  group g{rng.randrange(number)}" if number and rng.random() < 0.3 else ""
        yield f"group g{number} {{ user {users}{nested} }}"
    yield 'group remote from directory "sg-remote"'
    yield "posture managed { edr = true }"
    for _ in range(flows):
        yield _flow(zones, groups, wide, rng)


def _flow(zones: int, groups: int, wide: float, rng: random.Random) -> str:
    deny = rng.random() < 0.1
    broad = rng.random() < wide
    source = _broad(zones, rng) if broad else _narrow(zones, rng)
    destination = _broad(zones, rng) if broad and rng.random() < 0.8 else _narrow(zones, rng)
    person = not deny and rng.random() < 0.2
    if person:
        place = (
            f"z{rng.randrange(zones)}" if not broad else f"(z{rng.randrange(zones)}, z{rng.randrange(zones)})"
        )
        source = f"group g{rng.randrange(groups)} in {place}"
    services = ", ".join(f"s{n}" for n in sorted(rng.sample(range(SERVICES), rng.randint(1, 3))))
    options = [" require mfa", " require mfa, posture managed", ""][rng.randrange(3)] if person else ""
    if not deny and rng.random() < 0.2:
        options += f" when {rng.choice(HOURS)}"
    if not deny and rng.random() < 0.1:
        options += f" until {rng.randrange(2027, 2035)}-0{rng.randrange(1, 10)}-15"
    if rng.random() < 0.1:
        options += " log"
    if deny and rng.random() < 0.2:
        services = "any"
    return f"{'deny' if deny else 'allow'} {source} -> {destination} : {services}{options}"


def _narrow(zones: int, rng: random.Random) -> str:
    zone = f"z{rng.randrange(zones)}"
    return zone if rng.random() < 0.6 else f"{zone}.h{rng.randrange(2)}"


def _broad(zones: int, rng: random.Random) -> str:
    choice = rng.random()
    if choice < 0.95:
        return f"w{rng.randrange(zones // 10)}"
    return rng.choice(("tag u", f"tag t{rng.randrange(TAGS)}"))


def policy_of(text: str) -> Policy:
    file, broken = parse(SourceFile("policy.seg", text))
    policy, findings = resolve([file])
    assert not broken, broken[:3]
    assert not any(each.severity.value == "error" for each in findings), findings[:3]
    return policy


def main() -> None:
    from segc.analysis.conflicts import check_conflicts

    flows = int(sys.argv[1])
    wide = float(sys.argv[2]) if len(sys.argv) > 2 else 0.05
    policy = policy_of(generate(flows, wide))
    gc.disable()  # as the commands do
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.process_time()
    found: list[Diagnostic] = list(check_conflicts(policy))
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes = {code: sum(d.code == code for d in found) for code in sorted({d.code for d in found})}
    print(
        f"{flows} flows, {wide:.0%} wide: {seconds:.2f} CPU-s, "
        f"{before.ru_maxrss >> 10} -> {peak >> 10} MiB, {codes}"
    )


if __name__ == "__main__":
    main()
