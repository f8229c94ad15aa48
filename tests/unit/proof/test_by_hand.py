"""Rulesets that somebody has changed by hand, in ways that let packets past what should stop them."""

import re
from pathlib import Path

import pytest

from segc.policy.resolve import resolve
from segc.proof.findings import differences
from segc.source import SourceFile
from segc.syntax.parse import parse

ROOT = Path(__file__).parents[3]
RULESET = (ROOT / "tests/golden/office/gw1/ruleset.nft").read_text()
KEEP, FINANCE = "0x0003ffff", "0x22000000"  # of the mark: what is not ours, and a source in finance


@pytest.fixture(scope="module")
def policy():
    paths = sorted((ROOT / "samples/office").glob("*.seg"))
    found, _ = resolve([parse(SourceFile(str(path), path.read_text()))[0] for path in paths])
    return found


def changed(policy, pattern, other):
    text, count = re.subn(pattern, other, RULESET, count=1)
    assert count
    return differences(policy, policy.gateways["gw1"], text)


def test_a_refusal_that_a_limit_bounds(policy):
    """What is beyond the rate would go on, back to where the flows are asked."""
    assert changed(policy, r'("segc deny spoofed ")\n\t\tdrop', r"\1 drop")


def test_a_limit_on_a_line_of_its_own(policy):
    assert changed(
        policy, r'(limit rate \S+ burst 20 packets) (log prefix "segc deny spoofed ")', r"\1\n\t\t\2"
    )


def test_packets_of_one_device_that_are_marked_anew(policy):
    """Every way to the flows is followed, not only the last that leads to the same rule."""
    rules = f'iifname "lan0.70" continue\n\t\tiifname "lan0.80" meta mark set meta mark & {KEEP} | {FINANCE}'
    assert changed(policy, r"(jump find_to\n\t\tmeta mark)", rf"{rules}\n\t\t\1")


@pytest.mark.parametrize(
    "state", ["!= established", "!= { new, untracked }", "new,established,related,invalid"]
)
def test_other_states_of_connections(policy, state):
    """With a packet that shows it: no connection has a state beyond the last."""
    found = changed(policy, r"ct state established,related,invalid jump standing", f"ct state {state} accept")
    assert found
    assert found[0].witness


@pytest.mark.parametrize("chain", ["standing", "on_forward", "on_input"])
def test_resets_pass_only_where_the_gateway_sends_them(policy, chain):
    rule = "ct state related tcp flags & rst == rst goto accepted"
    before = {"standing": "ct state invalid drop"}.get(
        chain, "ct state established,related,invalid jump standing"
    )
    found = changed(policy, rf"(chain {chain} \{{\n(?:\t\t.*\n)*?)(\t\t{before})", rf"\1\t\t{rule}\n\2")
    assert [each.witness for each in found if "related" in each.witness]


WAY = "iif . ip saddr . ip daddr . tcp sport . tcp dport"
ASKED = r"(chain still_forward \{\n)"


@pytest.mark.parametrize(
    ("pattern", "other"),
    [
        (r"timeout 500ms", "timeout 5000ms"),
        (r"flags dynamic,timeout\n\t\ttimeout 500ms", "flags dynamic"),
        (r"(type iface_index \. ipv4_addr \. ipv4_addr \. inet_service) \. inet_service", r"\1"),
        (r"(set recent4_tcp \{\n\t\ttype )iface_index \. ipv4_addr", r"\1iface_index . ipv6_addr"),
        (r"iif \. ip saddr \. ip daddr", "iif . ip saddr . ip saddr"),
        (r"iif \. (ip saddr \. ip daddr)", r"\1"),
        (r"@recent4_tcp accept", "@recent6_tcp accept"),
        (r"@recent4_tcp accept", "@recent4_udp accept"),
        (r"@recent4_tcp accept", "@allow_tcp accept"),
        (r"@recent4_tcp (\{|accept)", r"@recent4_udp \1"),
        (r"tcp sport \. tcp dport", "tcp sport . udp dport"),
        (r"tcp sport \. tcp dport", "th sport . th dport"),
    ],
)
def test_what_was_asked_is_taken_for_granted_for_one_way_and_a_moment(policy, pattern, other):
    assert changed(policy, pattern, other)


@pytest.mark.parametrize("chain", ["on_forward", "on_input", "standing", "find_from", "refuse"])
def test_nobody_else_looks_at_what_was_asked(policy, chain):
    assert changed(
        policy, rf"(chain {chain} \{{\n(?:\t\ttype filter .*\n)?)", rf"\1\t\t{WAY} @recent4_tcp accept\n"
    )


@pytest.mark.parametrize(
    "chain", ["on_forward", "accepted", "still_forward_original", "allow_if_administration"]
)
def test_nothing_is_taken_for_asked_that_was_not(policy, chain):
    """Neither before it is looked up, nor where a connection begins."""
    head = rf"(chain {chain}\w* \{{\n(?:\t\ttype filter .*\n)?)"
    assert changed(policy, head, rf"\1\t\tadd @recent4_tcp {{ {WAY} }}\n")
    assert changed(policy, head, r"\1\t\tgoto remember\n")


def test_what_nothing_would_open_is_not_remembered(policy):
    assert changed(policy, r"ct original ip saddr @who4_g_admins_mfa_managed_\w+ (goto remember)", r"\1")


@pytest.mark.parametrize("name", ["own4", "denied", "from6", "deny_all", "allow_tcp_if", "still_tcp_reply"])
@pytest.mark.parametrize("flags", ["dynamic", "dynamic,timeout"])
def test_nothing_that_the_ruleset_fills_itself_is_forgotten_after_a_moment(policy, name, flags):
    """nft takes a timeout for every element, also where the flag for it is not written."""
    head = rf"((?:set|map) {name}\S* \{{\n\t\ttype [^\n]*\n)(?:\t\t(?:flags|size) [^\n]*\n)?"
    assert changed(policy, head, rf"\1\t\tflags {flags}\n\t\ttimeout 500ms\n")
