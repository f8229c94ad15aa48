"""Random policies: the naive reading, `segc trace`, the ruleset's text and the kernel give one verdict."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from segc.backends.nftables.conditions import grant_name
from segc.enforcement.program import Grant, Program
from segc.policy.claims import NOBODY, Claims
from segc.policy.model import Gateway, Policy
from segc.source import SourceFile
from segc.space.addresses import Address
from segc.space.services import ANY_SERVICE
from tests.netns import wire
from tests.netns.harness import Probe
from tests.netns.namespace import run
from tests.netns.policy import (
    Compiled,
    Sessions,
    allowed,
    bind,
    compile_files,
    endpoints,
    opens,
    raise_gateway,
)
from tests.property.interpreter import Ruleset, Seen
from tests.property.policies import MOMENTS, USERS, Spec, specs

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "100"))
THOROUGH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
PACKETS = 60
STRANGERS = ("192.0.2.1", "2001:db8:dead::1", "10.1.0.7", "10.4.0.7", "2001:db8:4::7", "10.3.0.7")
OTHERS = ((6, 9), (47, 0), (201, 0), (1, 8), (58, 128))


def compiled(spec: Spec) -> Compiled:
    """The policy of a spec; what names nothing or cannot be said is not what is tried here."""
    text = "\n".join(spec.statements())
    found = None
    with suppress(AssertionError):
        found = compile_files([SourceFile("policy.seg", text)])
    assume(found is not None)
    assert found is not None
    return found


def somebody(program: Program, rng: random.Random) -> Sessions:
    """Who sits where: each user, with a second factor or without, on a third of the addresses."""
    found: dict[Address, Claims] = {}
    for each in endpoints(program, rng):
        if each.device is not None and rng.random() < 0.35:
            found[each.address] = Claims(
                USERS[f"u{rng.choice('12')}"],
                mfa=rng.random() < 0.6,
                postures=frozenset(["fit"] if rng.random() < 0.6 else []),
            )
    return found


def packets(program: Program, rng: random.Random, count: int = PACKETS) -> Iterator[Probe]:
    """Pairs of classes with edges of services, each in its own family."""
    ends = endpoints(program, rng)
    edges = {
        edge for flow in program.flows() if flow.services != ANY_SERVICE for edge in flow.services.edges()
    }
    pairs = [
        (a, b)
        for a, b in product(ends, ends)
        if a.address.version == b.address.version and a.address != b.address and (a.device or b.device)
    ]
    every = [
        Probe(a.device, str(a.address), str(b.address), *edge)
        for (a, b), edge in product(pairs, sorted(edges | set(OTHERS)))
        if edge[0] not in (1, 58) or (edge[0] == 58) == (a.address.version == 6)
    ]
    yield from rng.sample(every, min(count, len(every)))


def seen(program: Program, probe: Probe, at: int) -> Seen:
    """A probe as the hook that meets it sees it."""
    own = program.position.gateway.own
    hook = "output" if probe.interface is None else "input" if ip_address(probe.dst) in own else "forward"
    return Seen(hook, probe.interface or "", "", probe.src, probe.dst, probe.number, probe.value, at)


def bound(program: Program, sessions: Sessions) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for grant, (address, claims) in product(program.grants, sessions.items()):
        if proves(claims, grant, program.policy):
            found.setdefault(f"who{address.version}_{grant_name(grant)}", set()).add(str(address))
    return found


def proves(claims: Claims, grant: Grant, policy: Policy) -> bool:
    facts = claims.mfa >= grant.mfa and claims.postures.issuperset(grant.postures)
    return facts and claims.proves(grant.subject, policy)


def user_of(claims: Claims) -> str | None:
    return next((name for name, mail in USERS.items() if mail == claims.user), None)


@THOROUGH
@given(specs(), st.integers(0, 2**32), st.sampled_from(MOMENTS))
def test_reading_trace_and_text_agree(spec: Spec, seed: int, at: int) -> None:
    policy = compiled(spec)
    for name in policy.programs:
        program, rng = policy.program(name), random.Random(seed)
        ruleset = Ruleset(policy.ruleset(name))
        sessions = somebody(program, rng)
        elements = bound(program, sessions)
        for probe in packets(program, rng):
            said = allowed(policy, probe, at, sessions, gateway=name)
            source, destination = ip_address(probe.src), ip_address(probe.dst)
            claims, others = (sessions.get(each, NOBODY) for each in (source, destination))
            user, peer = user_of(claims), user_of(others)
            crosses = program.position.stands_between(*map(str, zones_of(spec, source, destination)))
            if opens(probe.number, probe.value) and (crosses or "output" in seen(program, probe, at).hook):
                facts = claims.mfa, at, bool(claims.postures)
                naive = spec.verdict(source, destination, probe.number, probe.value, user, peer, *facts)
                assert said == naive, f"trace {said}, reading {naive}: {probe} {user} {peer} {facts}"
            if opens(probe.number, probe.value) and not neighbourly(probe):
                verdict, run = ruleset.run(seen(program, probe, at), elements)
                assert (verdict == "accept") == said, f"trace {said}, text {verdict} at {name}: {probe}"
                assert set(run.hits) <= ruleset.counters
                for stray in elsewhere(program, spec, probe):
                    verdict, _ = ruleset.run(seen(program, stray, at), elements)
                    assert verdict != "accept", f"{name} takes it from anywhere: {stray}"
        for probe in strangers(program, spec, rng):
            verdict, _ = ruleset.run(seen(program, probe, at), elements)
            assert verdict != "accept", f"{name} knows no such place: {probe}"


def elsewhere(program: Program, spec: Spec, probe: Probe) -> Iterator[Probe]:
    """The same packet on devices behind which its source does not lie."""
    zone = spec.zone_of(ip_address(probe.src))
    if probe.interface is not None and zone is not None and program.position.by_interface:
        every = {attachment.device for attachment in program.position.gateway.attachments}
        for device in sorted(every - program.position.devices[zone.name]):
            yield replace(probe, interface=device)


def strangers(program: Program, spec: Spec, rng: random.Random) -> Iterator[Probe]:
    """Packets to and from addresses of no zone, or of one that this gateway never meets."""
    every = [ip_address(text) for text in STRANGERS]
    unseen = [
        address
        for address in every
        if (zone := spec.zone_of(address)) is None or zone.name not in program.position.devices
    ]
    ends = [each for each in endpoints(program, rng) if each.device is not None]
    for stranger, end in product(unseen, rng.sample(ends, min(4, len(ends)))):
        if stranger.version == end.address.version:
            yield Probe(end.device, str(end.address), str(stranger), "tcp", 80)
            yield Probe(end.device, str(stranger), str(end.address), "tcp", 80)


def zones_of(spec: Spec, *addresses: Address) -> list[str | None]:
    """The zones of two addresses, a gateway's own as good as anywhere."""
    found = [spec.zone_of(address) for address in addresses]
    return [zone.name if zone else None for zone in found]


def neighbourly(probe: Probe) -> bool:
    """Neighbour discovery and multicast listeners need no flow with the gateway itself."""
    return probe.number == 58 and 130 <= probe.value <= 143


def published(gateway: Gateway, probe: Probe) -> bool:
    """Whether the gateway sends it on to somebody else."""
    return ip_address(probe.dst) in gateway.own and any(
        each.protocol == probe.number and each.first <= probe.value <= each.last for each in gateway.publishes
    )


def shared(spec: Spec, probe: Probe) -> bool:
    """Whether it is masqueraded without a port: two that go to one address are one connection then."""
    zone = spec.zone_of(ip_address(probe.dst))
    outside = spec.outside and zone is not None and not zone.subnets
    return outside and probe.number not in wire.TRACKED | {wire.ICMP, wire.ICMPV6}


def without_places(text: str) -> str:
    """A ruleset without its `file:line` comments and the digest of the policy's text."""
    text = re.sub(r' comment "[^"]*"', "", text)
    return re.sub(r"^# Written .*$", "", text, flags=re.M)


@settings(THOROUGH, max_examples=max(40, EXAMPLES // 4))
@given(specs(), st.randoms(use_true_random=False))
def test_the_order_of_statements_and_files_means_nothing(spec: Spec, rng: random.Random) -> None:
    policy = compiled(spec)
    statements = spec.statements()
    cut = rng.randrange(len(statements))
    parts = [
        SourceFile("one.seg", "\n".join(statements[:cut])),
        SourceFile("two.seg", "\n".join(statements[cut:])),
    ]
    forth, back = compile_files(parts), compile_files(parts[::-1])
    rng.shuffle(statements)
    shuffled = compile_files([SourceFile("policy.seg", "\n".join(statements))])
    for name in policy.programs:
        assert forth.ruleset(name) == back.ruleset(name)
        plain = without_places(policy.ruleset(name))
        assert without_places(forth.ruleset(name)) == plain
        assert without_places(shuffled.ruleset(name)) == plain


@pytest.mark.kernel
@settings(THOROUGH, max_examples=int(os.environ.get("SEGC_KERNEL_EXAMPLES", "20")))
@given(specs(), st.integers(0, 2**32))
def test_the_kernel_agrees(spec: Spec, seed: int) -> None:
    policy = compiled(spec)
    name = random.Random(seed).choice(sorted(policy.programs))
    program, rng = policy.program(name), random.Random(seed)
    sessions = somebody(program, rng)
    with raise_gateway(program, policy.ruleset(name)) as gateway:
        # The kernel checks UDP-Lite by the sum of UDP, and would find all of it invalid.
        run(gateway.namespace, ["sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0"])
        bind(gateway, program, sessions)
        tried = [
            probe
            for probe in packets(program, rng, 400)
            if not (neighbourly(probe) or published(program.position.gateway, probe) or shared(spec, probe))
        ]
        before, outcomes, after = int(time.time()), gateway.probe(tried), int(time.time()) + 1
    for probe, outcome in zip(tried, outcomes, strict=True):
        said = {allowed(policy, probe, at, sessions, gateway=name) for at in (before, after)}
        assert outcome.passed in said, f"trace {said}, kernel {outcome.verdict} at {name}: {probe}"
