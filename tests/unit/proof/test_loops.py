"""A ruleset whose chains lead back to themselves, as no kernel would load it, is told of and not followed."""

import re
from pathlib import Path

import pytest

from segc.policy.resolve import resolve
from segc.proof.findings import prove
from segc.source import SourceFile
from segc.syntax.parse import parse

ROOT = Path(__file__).parents[3]
RULESET = (ROOT / "tests/golden/office/gw1/ruleset.nft").read_text()
CHAINS = re.findall(r"^\tchain (\S+) \{$", RULESET, re.M)


@pytest.fixture(scope="module")
def policy():
    paths = sorted((ROOT / "samples/office").glob("*.seg"))
    found, _ = resolve([parse(SourceFile(str(path), path.read_text()))[0] for path in paths])
    return found


@pytest.mark.parametrize("verb", ["goto", "jump"])
@pytest.mark.parametrize("chain", CHAINS[:: max(1, len(CHAINS) // 30)])
def test_a_loop_is_told(policy, chain, verb):
    head = re.search(rf"^\tchain {re.escape(chain)} \{{\n(\t\t(?:type|comment) .*\n)*", RULESET, re.M)
    looping = f"{RULESET[: head.end()]}\t\t{verb} {chain}\n{RULESET[head.end() :]}"
    assert prove(policy, policy.gateways["gw1"], looping)
