"""Denies are asked before allows, whatever else stands in the maps."""

import re

from segc.proof.findings import differences
from tests.netns.policy import compile_text
from tests.netns.site import GATEWAY, ZONES

POLICY = """
deny a -> b : tcp/443
allow as old a.two -> b.one : tcp/443
allow 10.1.0.77 -> c : tcp/8
allow c -> b.six : tcp/9
"""
DENY = re.compile(r"\t\tcounter name \S.* map @deny_tcp goto refuse\n")
ALLOW = re.compile(r"(?:\t\tcounter name \S.* map @allow_tcp .*\n)+")
MAP = re.compile(r"map allow_tcp \{.*?elements = \{\n", re.S)


def marked(text, chain):
    return int(re.search(rf"chain {re.escape(chain)} \{{.*?\| (0x[0-9a-f]{{8}})", text, re.S)[1], 16)


def test_packets_that_cannot_be_hide_none_that_can():
    """An IPv4 host that writes to one of IPv6 is denied and allowed as well, and found first."""
    compiled = compile_text(ZONES + GATEWAY % "", POLICY)
    policy, gateway, text = compiled.policy, compiled.policy.gateways["gw"], compiled.ruleset()
    unreal = marked(text, "from_a.3") | marked(text, "to_b.six")
    element = f'\t\t\t0x{unreal:08x} . 443 : "flow_old",\n'
    text = MAP.sub(lambda found: found[0] + element, text, count=1)
    assert not differences(policy, gateway, text)
    allow = ALLOW.search(text)[0]
    late = DENY.sub("", text, count=1).replace(allow, allow + DENY.search(text)[0], 1)
    assert differences(policy, gateway, late)


MIDDLE = re.compile(r"\t\ttcp flags .* return .*\n")


def test_what_needs_no_session_comes_before_packets_in_mid_stream_return():
    statements = "allow group staff in a -> b : tcp/1-9  allow a -> b : tcp/5-20 when daily 08:00-10:00"
    compiled = compile_text(ZONES + GATEWAY % "", statements)
    policy, gateway, text = compiled.policy, compiled.policy.gateways["gw"], compiled.ruleset()
    assert not differences(policy, gateway, text)
    line = MIDDLE.search(text)[0]
    early = text.replace(line, "").replace("\t\tth dport 5-20 ", line + "\t\tth dport 5-20 ", 1)
    assert [each.message for each in differences(policy, gateway, early)] == [
        "connections in mid-stream do not come to this rule"
    ]
