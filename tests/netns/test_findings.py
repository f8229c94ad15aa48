"""What a finding shows "for instance" is what a real packet meets: all findings of the samples, notes too."""

from __future__ import annotations

import re
from ipaddress import ip_address

import pytest

from segc.analysis import CHECKS
from segc.diagnostics.model import Diagnostic
from segc.policy.claims import Claims
from segc.policy.model import Policy
from segc.space.services import parse_service
from tests.netns.harness import Probe
from tests.netns.policy import Compiled, bind, compile_path, device_of, raise_gateway
from tests.netns.test_samples import SAMPLES, WHERE

pytestmark = pytest.mark.kernel

SHOWN = re.compile(r"for instance: (\S+) -> (\S+) (\S+)(?: \((.*?)\))? is (allowed|denied)")


def shown(policy: Policy) -> list[tuple[Diagnostic, re.Match[str]]]:
    found = [each for check in CHECKS for each in check(policy)]
    matches = [(each, SHOWN.match(note)) for each in found for note in each.notes]
    return [(each, match) for each, match in matches if match]


def sender(words: str) -> Claims | None:
    """Whose session the packet needs: `from user "ana", with mfa, posture managed`."""
    user = re.search(r'from user "([^"]+)"', words)
    postures = re.search(r"posture ([\w-]+(?:, [\w-]+)*)", words)
    facts = frozenset(postures[1].split(", ")) if postures else frozenset[str]()
    return Claims(user[1], mfa="with mfa" in words, postures=facts) if user else None


def try_one(compiled: Compiled, name: str, match: re.Match[str]) -> bool:
    source, destination, service, words, _ = match.groups()
    (protocol, ((value, _),)), *_ = parse_service(*service.split("/")).parts
    program = compiled.program(name)
    zone = next(z.name for z in compiled.policy.zones.values() if ip_address(source) in z.space)
    claims = sender(words or "")
    with raise_gateway(program, compiled.ruleset(name)) as gateway:
        if claims is not None:
            bind(gateway, program, {ip_address(source): claims})
        (outcome,) = gateway.probe([Probe(device_of(program, zone), source, destination, protocol, value)])
    return outcome.passed


@pytest.mark.parametrize("sample", sorted({sample for sample, _ in WHERE}))
def test_packets_meet_what_findings_show(sample: str) -> None:
    policy = compile_path(SAMPLES / sample)
    compiled = policy.unlimited().at_all_hours()  # whatever the time is while this runs
    name = next(gateway for each, gateway in WHERE if each == sample)
    wrong = [
        (finding.code, match[0])
        for finding, match in shown(policy.policy)
        if try_one(compiled, name, match) != (match[5] == "allowed")
    ]
    assert not wrong


def test_the_samples_show_some() -> None:
    found = [each for sample, _ in WHERE for each in shown(compile_path(SAMPLES / sample).policy)]
    assert len(found) > 5
