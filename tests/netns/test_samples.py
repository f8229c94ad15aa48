"""Every sample, every gateway of it: real packets between its endpoint classes get what `segc trace` says.

Ends are first and last addresses of the classes, services every edge of the policy's services (first, last,
one beyond). Where the product is larger than `FULL`, a seeded sample is taken, half of it aimed at flows.
Limits are set too high to be reached (they stay in the ruleset); `test_language.py` tries them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from segc.enforcement.program import Program
from segc.policy.claims import Claims
from segc.policy.model import Flow
from segc.space.addresses import Address
from segc.space.services import ANY_SERVICE
from tests.netns.harness import Gateway, Probe, Verdict
from tests.netns.policy import (
    Compiled,
    Endpoint,
    Sessions,
    allowed,
    bind,
    compile_path,
    endpoints,
    raise_gateway,
)

pytestmark = pytest.mark.kernel

SAMPLES = Path(__file__).parents[2] / "samples"
FULL, SAMPLED = 4000, 3000
WHERE = [
    ("minimal.seg", "router"),
    ("office", "gw1"),
    ("clinic", "gw"),
    ("retail", "hq"),
    ("retail", "east"),
    ("retail", "west"),
]
# Beside the edges: protocols of which the samples do not speak, with ports and without.
OTHERS = ((47, 0), (50, 0), (253, 0), (132, 80), (6, 1), (6, 65535), (1, 13), (58, 139))
LINK_LOCAL_ONLY = {(58, 130), (58, 131), (58, 132), (58, 133), (58, 134), (58, 135), (58, 136), (58, 143)}


@pytest.fixture(scope="module", params=WHERE, ids=lambda where: "-".join(where))
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Compiled, str, Gateway]]:
    sample, name = request.param
    compiled = compile_path(SAMPLES / sample).unlimited()
    with raise_gateway(compiled.program(name), compiled.ruleset(name)) as gateway:
        yield compiled, name, gateway


def edges(flows: Sequence[Flow]) -> list[tuple[int, int]]:
    found = {edge for flow in flows if flow.services != ANY_SERVICE for edge in flow.services.edges()}
    return sorted((found | set(OTHERS)) - LINK_LOCAL_ONLY)


def meet(source: Endpoint, destination: Endpoint) -> bool:
    return (
        source.address.version == destination.address.version
        and source.address != destination.address
        and (source.device is not None or destination.device is not None)
    )


def probe_of(pair: tuple[Endpoint, Endpoint], service: tuple[int, int]) -> Probe:
    source, destination = pair
    return Probe(source.device, str(source.address), str(destination.address), *service)


def fits(probe: Probe) -> bool:
    """ICMP belongs to IPv4, ICMPv6 to IPv6."""
    return probe.number not in (1, 58) or (probe.number == 58) == (":" in probe.src)


def probes(compiled: Compiled, program: Program, rng: random.Random, wanted: int) -> list[Probe]:
    """All pairs times all edges, or a sample of it."""
    ends = endpoints(program, rng)
    services = edges(program.flows())
    pairs = [pair for pair in product(ends, ends) if meet(*pair)]
    if len(pairs) * len(services) <= FULL:
        found = [probe_of(pair, service) for pair, service in product(pairs, services)]
        return [probe for probe in found if fits(probe)]
    found = list(aimed(program, ends, rng, wanted * 2 // 3))
    while len(found) < wanted:
        probe = probe_of(rng.choice(pairs), rng.choice(services))
        if fits(probe):
            found.append(probe)
    return found


def aimed(program: Program, ends: Sequence[Endpoint], rng: random.Random, count: int) -> Iterator[Probe]:
    """Packets at the edges of flows, every flow in turn."""
    name = program.position.gateway.name
    sides = {
        id(end): [
            each
            for each in ends
            if (name in end.gateways if each.device is None else each.address in end.space)
        ]
        for flow in program.flows()
        for end in flow.ends
    }
    choices = []
    for flow in program.flows():
        sources, targets = (sides[id(end)] for end in flow.ends)
        pairs = [pair for pair in product(sources, targets) if meet(*pair)]
        values = list(OTHERS) if flow.services == ANY_SERVICE else edges([flow])
        inside = [value for value in values if flow.services.contains(*value)]
        if pairs:
            choices.append((pairs, values + 2 * inside))
    tried = 0
    while tried < count:
        for pairs, values in choices:
            probe = probe_of(rng.choice(pairs), rng.choice(values))
            if fits(probe):
                tried += 1
                yield probe


def compare(
    compiled: Compiled, name: str, gateway: Gateway, tried: Sequence[Probe], sessions: Sessions
) -> tuple[int, int]:
    """Try the probes; how many passed and how many did not. Those at which a schedule turned say nothing."""
    before = int(time.time())
    outcomes = gateway.probe(tried)
    after = int(time.time()) + 1
    wrong, passed, stopped = [], 0, 0
    for probe, outcome in zip(tried, outcomes, strict=True):
        wanted = allowed(compiled, probe, before, sessions, gateway=name)
        if outcome.passed != wanted and wanted == allowed(compiled, probe, after, sessions, gateway=name):
            wrong.append((probe, outcome.verdict, "trace allows" if wanted else "trace denies"))
        passed, stopped = passed + outcome.passed, stopped + (not outcome.passed)
    assert not wrong, f"{len(wrong)} of {len(tried)}: {wrong[:5]}"
    return passed, stopped


def test_packets_get_what_trace_says(place: tuple[Compiled, str, Gateway]) -> None:
    compiled, name, gateway = place
    tried = probes(compiled, compiled.program(name), random.Random(name), SAMPLED)
    passed, stopped = compare(compiled, name, gateway, tried, {})
    print(f"{name}: {len(tried)} packets, {passed} passed, {stopped} stopped")
    assert min(passed, stopped) > len(tried) / 20


def test_packets_under_sessions_get_what_trace_says(place: tuple[Compiled, str, Gateway]) -> None:
    sample, name, gateway = place
    compiled = sample.at_all_hours()
    program = compiled.program(name)
    if not program.grants:
        pytest.skip("no flow of this gateway asks who somebody is")
    gateway.load(compiled.ruleset(name))
    rng = random.Random(name)
    sessions = some_sessions(compiled, program, rng)
    bind(gateway, program, sessions)
    tried = probes(compiled, program, rng, SAMPLED)
    identified = [flow for flow in program.flows() if flow.source.identified]
    for flow in identified:
        ends = [each for each in endpoints(program, rng) if each.device]
        sources, targets = ([each for each in ends if each.address in end.space] for end in flow.ends)
        pairs = [pair for pair in product(sources, targets) if meet(*pair)]
        chosen = product(pairs, flow.services.edges())
        found = [probe_of(pair, service) for pair, service in chosen]
        tried += rng.sample(found, min(200, len(found)))
    tried = [probe for probe in tried if fits(probe)]
    passed, stopped = compare(compiled, name, gateway, tried, sessions)
    print(f"{name}: {len(tried)} packets under {len(sessions)} sessions, {passed} passed, {stopped} stopped")
    gateway.load(sample.ruleset(name))
    without = gateway.probe(tried)
    assert sum(outcome.passed for outcome in without) < passed


def some_sessions(compiled: Compiled, program: Program, rng: random.Random) -> Sessions:
    """Somebody whom it lets through for every flow; beside these, people with all facts or without some."""
    policy = compiled.policy
    ends = [each for each in endpoints(program, rng) if each.device and each.zone]
    users = sorted({user for group in policy.groups.values() for user in group.users})
    directories = sorted(name for name, group in policy.groups.items() if group.directories)
    postures = frozenset(policy.postures)
    kinds = [(True, postures), (True, postures), (True, frozenset[str]()), (False, postures)]
    people = [(user, frozenset[str]()) for user in users]
    people += [("someone@else.example", frozenset((name,))) for name in directories]
    found: dict[Address, Claims] = {}
    for part, held in ((p, flow.conditions) for flow in program.flows() for p in flow.source.parts):
        free = [e.address for e in ends if e.address in part.space and e.address not in found]
        if part.subject and free:
            who = next(c for c in map(Claims, *zip(*people, strict=True)) if c.proves(part.subject, policy))
            found[rng.choice(free)] = replace(who, mfa=held.mfa, postures=frozenset(held.postures))
    for each in ends:
        if each.zone and not policy.zones[each.zone].external:
            claims = Claims(*rng.choice(people), *rng.choice(kinds))
            found.setdefault(each.address, claims)
    return found


def test_no_address_comes_from_elsewhere(place: tuple[Compiled, str, Gateway]) -> None:
    """What passes from where it belongs is dropped, unanswered, on every other device."""
    compiled, name, gateway = place
    program = compiled.program(name)
    rng = random.Random(name)
    tried = [p for p in probes(compiled, program, rng, SAMPLED) if p.interface is not None]
    outcomes = gateway.probe(tried)
    by_source: dict[str, Probe] = {}
    for probe, outcome in zip(tried, outcomes, strict=True):
        if outcome.passed:
            by_source.setdefault(probe.src, probe)
    legitimate = {(each.device, str(each.address)) for each in endpoints(program, rng)}
    spoofed = [
        Probe(device, probe.src, probe.dst, probe.protocol, probe.value)
        for probe in by_source.values()
        for device in gateway.interfaces
        if (device, probe.src) not in legitimate
    ]
    aims = {":" in probe.dst: probe for probe in by_source.values()}
    own = program.position.gateway.own
    spoofed += [
        Probe(device, host, aims[":" in host].dst, aims[":" in host].protocol, aims[":" in host].value)
        for device in gateway.interfaces
        for family in (4, 6)
        for host in own.prefixes(family)
        if host != aims[":" in host].dst
    ]
    verdicts = [outcome.verdict for outcome in gateway.probe(spoofed)]
    print(f"{name}: {len(spoofed)} spoofed packets of {len(by_source)} addresses")
    wrong = [(p, v) for p, v in zip(spoofed, verdicts, strict=True) if v is not Verdict.DROPPED]
    assert len(spoofed) > 20
    assert not wrong, f"{len(wrong)} of {len(spoofed)}: {wrong[:5]}"
