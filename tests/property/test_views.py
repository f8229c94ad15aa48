"""Random policies: `segc test` and `segc reach` say of each packet what `segc trace` says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from segc.analysis.conflicts.context import Context
from segc.analysis.expectations import wrong
from segc.analysis.reach.grants import Box, Grant, gap_of
from segc.analysis.reach.questions import Question, one_hop
from segc.policy.claims import NOBODY, Claims, Situation
from segc.policy.model import End, Expectation, Part, Policy, Subject
from segc.source import Span
from segc.space.addresses import Address
from segc.space.prefixes import parse_prefixes
from segc.space.services import ANY_SERVICE, ServiceSet
from segc.trace import Packet, locate, trace
from tests.netns.policy import Compiled
from tests.property.policies import MOMENTS, Spec, specs
from tests.property.test_conflicts import decide
from tests.property.test_verdicts import EXAMPLES, THOROUGH, compiled, packets, somebody

FEWER = settings(THOROUGH, max_examples=max(20, EXAMPLES // 4))
NOWHERE = Span("", 0, 0, 1)


class Asked(NamedTuple):
    packet: Packet
    situation: Situation
    allowed: bool


def asked(policy: Compiled, seed: int, at: int, count: int) -> Iterator[Asked]:
    """Packets at each gateway, each under the sessions of its ends, with what trace says of it."""
    for name in policy.programs:
        program, rng = policy.program(name), random.Random(seed)
        sessions = somebody(program, rng)
        for probe in packets(program, rng, count):
            ends = ip_address(probe.src), ip_address(probe.dst)
            situation = Situation(*(sessions.get(each, NOBODY) for each in ends), at)
            packet = Packet(*ends, probe.number, probe.value)
            yield Asked(packet, situation, trace(policy.policy, packet, situation).verdict == "allow")


def end(policy: Policy, address: Address, claims: Claims) -> End:
    """The term of a test that speaks of one address and of whom a session binds to it."""
    if (gateway := locate(policy, address).gateway) is not None:
        return End("", (), (gateway,))
    subject = Subject("user", claims.user) if claims.user else None
    return End("", (Part(parse_prefixes(str(address)), subject),))


@FEWER
@given(specs(), st.integers(0, 2**32), st.sampled_from(MOMENTS))
def test_lines_of_tests_are_what_trace_says(spec: Spec, seed: int, at: int) -> None:
    policy = compiled(spec)
    for packet, situation, allowed in asked(policy, seed, at, 12):
        sessions = situation.source, situation.destination
        ends = (end(policy.policy, *each) for each in zip(packet[:2], sessions, strict=True))
        service = ServiceSet(((packet.protocol, ((packet.value, packet.value),)),))
        facts = situation.source.mfa, tuple(situation.source.postures)
        line = Expectation("allow" if allowed else "deny", *ends, service, *facts, at, NOWHERE)
        assert not list(wrong(line, policy.policy)), (packet, situation)
        other = replace(line, action="deny" if allowed else "allow")
        assert list(wrong(other, policy.policy)), (packet, situation)
        if not allowed:
            assert list(wrong(replace(other, at=None), policy.policy)), "at every time"


@FEWER
@given(specs(), st.integers(0, 2**32), st.sampled_from(MOMENTS))
def test_reach_tells_of_what_trace_allows(spec: Spec, seed: int, at: int) -> None:
    policy = compiled(spec)
    context = Context(policy.policy)
    everything = Question((Box(-1, -1, ANY_SERVICE, 0),))
    grants = list(one_hop(context, everything))
    for packet, situation, allowed in asked(policy, seed, at, 60):
        covering = [grant for grant in grants if covers(context, grant, packet)]
        assert covering or not allowed, (packet, situation)
        assert allowed or not any(grant.always for grant in covering), (packet, situation)
    for grant in grants:
        gap = gap_of(grant.box, context)
        assert gap is not None
        decision = decide(context, gap)
        assert decision is None or decision.verdict == "allow"


def covers(context: Context, grant: Grant, packet: Packet) -> bool:
    source, destination = (class_of(context, each) for each in packet[:2])
    masks = grant.box.source >> source, grant.box.destination >> destination
    return bool(masks[0] & masks[1] & 1) and grant.box.services.contains(packet.protocol, packet.value)


def class_of(context: Context, address: Address) -> int:
    """The number of an address's class; one that no class has where nothing speaks of it."""
    survey = context.survey
    gateway = locate(context.policy, address).gateway
    if gateway is not None:
        found = (node for node, name in survey.gateways.items() if name == gateway)
    else:
        found = (node for node, space in enumerate(survey.spaces) if address in space)
    return next(found, len(survey.spaces) + len(survey.gateways))
