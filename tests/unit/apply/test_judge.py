"""Many packets of one policy: each is decided as `trace` decides it."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest

from segc.apply.judge import Judge
from segc.policy.claims import Situation
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.space.addresses import Address
from segc.trace import Packet, trace
from segc.workspace import load

SAMPLES = Path(__file__).parents[3] / "samples"
NOON = 1_790_000_000


def addresses(policy: Policy) -> list[Address]:
    """The edges of every zone, host, gateway and end, what is beside them, and some that nobody knows."""
    spaces = [zone.space for zone in policy.zones.values()]
    spaces += [host.space for zone in policy.zones.values() for host in zone.hosts]
    spaces += [gateway.own for gateway in policy.gateways.values()]
    spaces += [part.space for flow in policy.flows for end in flow.ends for part in end.parts]
    edges = {
        (f, n)
        for s in spaces
        for f in (4, 6)
        for pair in s.ranges(f)
        for e in pair
        for n in (e - 1, e, e + 1)
    }
    found = [
        (IPv4Address, IPv6Address)[f == 6](n)
        for f, n in sorted(edges)
        if 0 <= n < 1 << (32 if f == 4 else 128)
    ]
    return [*found, *map(ip_address, ("203.0.113.9", "2001:db8:dead::1", "0.0.0.0"))]


@pytest.mark.parametrize("sample", ["office", "retail", "clinic", "minimal.seg"])
def test_each_is_decided_as_by_trace(sample: str) -> None:
    policy, _ = resolve([file for _, file in load([str(SAMPLES / sample)]).files])
    situation = Situation(at=NOON)
    judge, rng = Judge(policy, situation), random.Random(sample)
    places = addresses(policy)
    edges = sorted({edge for flow in policy.flows for edge in flow.services.edges()})
    verdicts = set()
    for _ in range(3000):
        source, destination = rng.choice(places), rng.choice(places)
        packet = Packet(source, destination, *rng.choice(edges))
        decision = judge.decide(packet)
        assert decision == trace(policy, packet, situation)
        assert judge.decide(packet) is decision
        verdicts.add((decision.verdict, decision.reason))
    assert len(verdicts) > 1
