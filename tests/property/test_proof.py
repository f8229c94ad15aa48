"""The proof of rulesets: what the compiler writes is always proved, and what is changed in it never."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from segc.enforcement.lower import lower
from segc.policy.model import Gateway, Policy
from segc.proof.findings import differences, prove
from segc.space.services import ANY_SERVICE
from tests.golden.write import HERE, SAMPLES
from tests.netns.policy import Endpoint, compile_path, endpoints
from tests.property.interpreter import Ruleset, Seen
from tests.property.mutants import harmless, mutants
from tests.property.policies import MOMENTS, Spec, specs
from tests.property.test_verdicts import compiled

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "100"))
MUTANTS = int(os.environ.get("SEGC_MUTANTS", "20"))  # of each ruleset; 0 is all of them
ROUNDS, PACKETS = 4, 400  # that try whether two rulesets are the same
RULESETS = sorted(HERE.glob("*/*/ruleset.nft"))


@cache
def policy_of(sample: str) -> Policy:
    return compile_path(SAMPLES[sample]).policy


def golden(path: Path) -> tuple[Policy, Gateway, str]:
    policy = policy_of(path.parts[-3])
    return policy, policy.gateways[path.parts[-2]], path.read_text()


def place(path: Path) -> str:
    return "/".join(path.parts[-3:-1])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs())
def test_what_is_compiled_is_proved(spec: Spec) -> None:
    policy = compiled(spec)
    for name, gateway in policy.policy.gateways.items():
        found = prove(policy.policy, gateway, policy.ruleset(name))
        assert not found, [(each.message, each.notes) for each in found]


@pytest.mark.parametrize("path", RULESETS, ids=place)
def test_the_samples_are_proved(path: Path) -> None:
    assert differences(*golden(path)) == []


@pytest.mark.parametrize("path", RULESETS, ids=place)
def test_what_says_the_same_is_proved(path: Path) -> None:
    policy, gateway, text = golden(path)
    for mutant in harmless(text, random.Random(1)):
        assert differences(policy, gateway, mutant.text) == [], mutant.what


@pytest.mark.parametrize("path", RULESETS, ids=place)
def test_mutants_are_caught_unless_they_say_the_same(path: Path) -> None:
    """A mutant that is proved must treat packets as the original does, by the concrete interpreter."""
    policy, gateway, text = golden(path)
    rng = random.Random(os.environ.get("SEGC_SEED", "1"))
    made = list(mutants(text, rng))
    for mutant in rng.sample(made, min(MUTANTS, len(made))) if MUTANTS else made:
        if not differences(policy, gateway, mutant.text):
            assert same(policy, gateway, text, mutant.text), f"line {mutant.line}: {mutant.what}"


def same(policy: Policy, gateway: Gateway, text: str, changed: str) -> bool:
    """Whether both rulesets give packets one verdict, and count them or not."""
    program = lower(policy, gateway)
    before, after = Ruleset(text), Ruleset(changed)
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        ends = endpoints(program, rng)
        sessions = {
            name: {str(each.address) for each in rng.sample(ends, len(ends) // 3)} for name in before.timed
        }
        for packet in packets(policy, gateway, ends, rng):
            (one, hits), (other, others) = (_run(rules, packet, sessions) for rules in (before, after))
            if one != other or hits != others:
                return False
    return True


def _run(rules: Ruleset, packet: Seen, sessions: dict[str, set[str]]) -> tuple[str, bool]:
    verdict, run = rules.run(packet, sessions)
    return verdict, bool(run.hits)


def packets(policy: Policy, gateway: Gateway, ends: Sequence[Endpoint], rng: random.Random) -> Iterator[Seen]:
    """Packets between all kinds of places, of services at whose edge something changes."""
    edges = [edge for flow in policy.flows if flow.services != ANY_SERVICE for edge in flow.services.edges()]
    for _ in range(PACKETS):
        a, b = rng.sample(ends, 2)
        if a.address.version == b.address.version and (a.device or b.device):
            hook = "output" if a.device is None else "input" if b.address in gateway.own else "forward"
            protocol, value = rng.choice([*edges, (6, 9), (47, 0), (201, 0)])
            yield Seen(
                hook, a.device or "", "", str(a.address), str(b.address), protocol, value, rng.choice(MOMENTS)
            )
