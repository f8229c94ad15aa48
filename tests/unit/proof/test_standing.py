"""Connections that a deny may come to: rulesets changed so that it would end others, or none."""

import random
import re

import pytest

from segc.proof.findings import differences
from tests.netns.policy import compile_text
from tests.netns.site import GATEWAY, ZONES
from tests.property.mutants import mutants

COMPILED = compile_text(
    ZONES + GATEWAY % "",
    """
    allow a, c -> b : tcp/20-60, tcp/100-200, udp, ping
    allow group staff in a -> b : tcp/22
    deny as nights a -> b : tcp/22, ping when mon-fri 18:00-08:00
    deny as shut group chiefs in a, c except group staff -> b : tcp/150-160
    deny as frozen a.one -> b : udp from 2030-01-01
    deny as over a -> b : tcp/40 until 2090-01-01
    deny as always a -> b : tcp/45
    staged deny as tried group chiefs in a -> b : tcp/50
    """,
)
RULESET = COMPILED.ruleset()
# More labels, no such day or second, a device that nothing tells apart, and what never comes back.
SAME = re.compile(r"swapped.*|now .*(\bjump\b|150-161 ct label|2-7|86400|goto still_forward).*")
MASK = re.compile(r"& 0x[0-9a-f]{8} ")  # of another, many bits are those of no place


def found(text):
    return differences(COMPILED.policy, COMPILED.policy.gateways["gw"], text)


def block_of(line):
    return re.findall(r"^\t\w+ (\S+) \{", "\n".join(RULESET.split("\n")[:line]), re.MULTILINE)[-1]


def test_what_is_compiled_is_proved():
    assert found(RULESET) == []


def test_only_denies_that_may_begin_are_asked_again():
    """What only ends begins no more, and what is staged forbids nothing."""
    asked = re.findall(r"^\tchain (begun_\S+)", RULESET, re.MULTILINE)
    assert {name for name in asked if re.search(r"over|always|tried", name)} == set()
    assert all(any(word in name for name in asked) for word in ("nights", "frozen", "tcp_range"))
    elements = re.findall(r"map begun_\w+ \{[^}]*\}", RULESET)
    assert not re.search(r" \. (?:40|45|50) ", "".join(elements))


@pytest.mark.parametrize(
    ("pattern", "other", "message"),
    [
        (r"\t\tct label set 118\n", "", "is not all there"),
        (r"ct label set 118", "ct label set 119", "in the name of no flow"),
        (r"th dport 150-160 ct label", "th dport 150-159 ct label", "is not all there"),
        (r"ct label set 118", "ip saddr 10.1.0.5 ct label set 118", ""),
        (r"ct state established ct label 118 goto begun_forward", "", "treats packets otherwise"),
        (r"(chain begun_forward_original \{\n(?:.*\n)*?\t\tgoto) remember", r"\1 ended", "no deny has come"),
        (r"(chain begun_forward_original \{\n)", r"\1\t\tgoto remember\n", "treats packets otherwise"),
        (r"(chain begun_forward_reply \{\n.*\n)", r"\1\t\tmeta l4proto 6 goto remember\n", "too late"),
        (r"(chain still_forward_original \{\n.*\n)", r"\1\t\tgoto ended\n", "would refuse now"),
        (r"(chain still_forward_reply \{\n.*\n)", r"\1\t\tmeta l4proto 6 goto ended\n", "would refuse now"),
    ],
)  # fmt: skip
def test_changed_by_hand(pattern, other, message):
    text, count = re.subn(pattern, other, RULESET, count=1)
    assert count
    assert [each.message for each in found(text) if message in each.message]


def test_a_family_that_no_zone_has_is_told_without_an_example():
    narrow = compile_text(
        'zone a { subnet 10.1.0.0/24 } zone b { subnet 10.2.0.0/24 } group g { user "x" }'
        "gateway gw { interface e0 { zone a } interface e1 { zone b } }"
        "allow group g in a -> b : tcp/100-200"
    )
    text = narrow.ruleset().replace("ct original ip6 saddr", "ct reply ip6 saddr")
    (problem, *_) = differences(narrow.policy, narrow.policy.gateways["gw"], text)
    assert problem.witness == ""


def test_every_word_of_what_is_asked_again_matters():
    blocks = {number: block_of(number) for number in range(30, RULESET.count("\n"))}
    missed = []
    for mutant in mutants(RULESET, random.Random(1)):
        line = RULESET.split("\n")[mutant.line - 1]
        asked = blocks.get(mutant.line, "").startswith("begun_") or "118" in line
        masked = MASK.sub("", mutant.what) == MASK.sub("", f"now {line.strip()}")
        same = masked or "size" in line or SAME.fullmatch(mutant.what)
        if asked and not same and not found(mutant.text):
            missed.append((blocks[mutant.line], line.strip(), mutant.what))
    assert missed == []
