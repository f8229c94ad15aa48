"""The proof of rulesets: what the compiler writes is always proved, and what is changed in it never."""

from __future__ import annotations

import os
import random
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from segc.policy.model import Gateway, Policy
from segc.proof.findings import differences, prove
from tests.golden.write import HERE, SAMPLES
from tests.netns.policy import compile_path
from tests.property.mutants import Mutant, harmless, mutants
from tests.property.policies import Spec, specs
from tests.property.test_verdicts import compiled

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "60"))
MUTANTS = int(os.environ.get("SEGC_MUTANTS", "60"))  # of each ruleset; 0 is all of them
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
