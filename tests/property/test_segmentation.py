"""Random small policies: mergers, differences and reach are what trying every packet gives.

The oracle reads policies given as data by the words of the language reference and shares no code with segc.
Merging two zones means, for it, writing the policy with one zone that has the subnets and hosts of both.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import combinations, product
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segc.analysis.reach.exposure import Exposure
from segc.analysis.segmentation.alike import kinds, merge, parted
from segc.analysis.segmentation.difference import Change, Comparison
from segc.analysis.segmentation.equivalent import same_zones
from segc.analysis.segmentation.onehop import OneHop
from segc.analysis.segmentation.outline import Outline
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.trace import trace
from tests.property.policies import (
    TIMEZONE,
    Address,
    EndSpec,
    FlowSpec,
    Spec,
    Term,
    ZoneSpec,
    reading,
)

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "40"))
CHECKED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
OFFERED = ("tcp/80", "tcp/80-90", "udp/53", "icmp/echo-request", "icmpv6/echo-request", "tcp")
ATOMS = ((6, 0), (6, 80), (6, 85), (17, 53), (1, 8), (58, 128), (47, 0))
MORNING, AFTERNOON = (datetime(2026, 7, 15, hour, tzinfo=ZoneInfo(TIMEZONE)).timestamp() for hour in (3, 13))
TIMES = int(MORNING), int(AFTERNOON)  # in and out of the one span that is drawn
SITUATIONS = tuple(product((None, "u1", "u2"), (None, "u1", "u2"), (False, True), TIMES))
Packet = tuple[Address, Address, tuple[int, int]]


# -- drawing them ----------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn, merging: bool) -> Spec:
    zones = [draw(_zone(name, number, merging)) for number, name in enumerate("abcd", 1)]
    if draw(st.booleans()):
        zones.append(ZoneSpec("net", (), intra=False))
    names = [zone.name for zone in zones]
    places: list[Term] = [("zone", name) for name in names]
    hosts: list[Term] = [("host", zone.name, host[0]) for zone in zones for host in zone.hosts]
    people: list[Term] = [("group", "g1", name) for name in names] + [("user", "u2", "a"), ("group", "g2")]
    broad: list[Term] = [("any",)]
    if not merging:
        broad += [("address", "10.1.0.4/30"), ("address", "10.2.0.0/28"), ("address", "10.1.0.3-10.1.0.9")]
    sides = st.sampled_from([*places * 3, *hosts, *people, *broad])
    ends = st.builds(EndSpec, st.lists(sides, min_size=1, max_size=2, unique=True).map(tuple), st.just(()))
    if hosts:
        excepted = st.sampled_from(hosts if merging else [*hosts, *places, ("group", "g1")])
        from_zones = st.lists(st.sampled_from([*places, ("any",)]), min_size=1, max_size=2, unique=True)
        ends = st.one_of(ends, ends, ends, st.builds(_except, from_zones, excepted))
    flows = draw(st.lists(_flow(ends), min_size=2, max_size=6))
    if merging and draw(st.booleans()):  # twins, as they are in real policies
        flows += [_swapped(flow) for flow in flows[: draw(st.integers(1, 6))]]
    return Spec(tuple(zones), (), tuple(flows))


@st.composite
def _zone(draw: st.DrawFn, name: str, number: int, merging: bool) -> ZoneSpec:
    subnets = [f"10.{number}.0.0/28"]
    if draw(st.integers(0, 3)) == 0:
        subnets.append(f"2001:db8:{number}::/124")
    hosts = [("h1", f"10.{number}.0.4", False)] if draw(st.booleans()) else []
    if merging and hosts:
        hosts = [(f"{name}1", hosts[0][1], False)]
    return ZoneSpec(name, tuple(subnets), tuple(hosts), False, draw(st.sampled_from([True, True, False])))


def _except(terms: list[Term], taken: Term) -> EndSpec:
    return EndSpec(tuple(terms), (taken,))


@st.composite
def _flow(draw: st.DrawFn, ends: st.SearchStrategy[EndSpec]) -> FlowSpec:
    source, destination = draw(ends), draw(ends)
    people = all(term[0] in ("group", "user") for term in source.terms)
    return FlowSpec(
        verb=draw(st.sampled_from(["allow", "allow", "allow", "deny"])),
        staged=draw(st.sampled_from([False, False, False, False, True])),
        source=source,
        destination=destination,
        services=tuple(draw(st.lists(st.sampled_from(OFFERED), max_size=2, unique=True))),
        mfa=people and draw(st.booleans()),
        when=draw(st.sampled_from(["", "", "", "daily 00:00-12:00"])),
    )


def _swapped(flow: FlowSpec) -> FlowSpec:
    """The flow with zones `a` and `b` exchanged, as far as zones go."""
    exchange = {"a": "b", "b": "a"}

    def term(each: Term) -> Term:
        kind, *words = each
        if kind == "zone":
            return kind, exchange.get(words[0], words[0])
        return (
            (kind, words[0], *(exchange.get(w, w) for w in words[1:])) if kind in ("group", "user") else each
        )

    def end(each: EndSpec) -> EndSpec:
        return EndSpec(tuple(map(term, each.terms)), each.excepted)

    return replace(flow, source=end(flow.source), destination=end(flow.destination))


def policy_of(spec: Spec) -> Policy | None:
    file, broken = parse(SourceFile("p.seg", "\n".join(spec.statements())))
    policy, findings = resolve([file])
    assert not broken
    return None if any(each.severity.value == "error" for each in findings) else policy


# -- trying every packet ---------------------------------------------------------------------------------


def addresses(*specs: Spec) -> list[Address]:
    """One address of each family for each way of being held; those that only differ in number are alike."""
    return list(ways(*specs))


def ways(*specs: Spec) -> dict[Address, object]:
    texts = [f"10.{n}.0.{last}" for n in range(1, 5) for last in (2, 4, 5, 9)]
    texts += [f"2001:db8:{n}::{last}" for n in range(1, 5) for last in (2, 9)]
    texts += ["198.51.100.1", "2001:db8:ffff::1"]
    found: dict[tuple[object, object, int], Address] = {}
    for address in map(reading, texts):
        zones = tuple(z.name if (z := spec.zone_of(address)) else None for spec in specs)
        ends = {end for spec in specs for flow in spec.flows for end in (flow.source, flow.destination)}
        held = frozenset(
            (end, n, user)
            for end, (n, spec), user in product(ends, enumerate(specs), (None, "u1", "u2"))
            if spec.holds(end, address, user)
        )
        if any(zones):
            found.setdefault((zones, held, address.version), address)
    return {address: (zones, held) for (zones, held, _), address in found.items()}


def packets(places: list[Address]) -> list[Packet]:
    return [
        (source, destination, atom)
        for source, destination, atom in product(places, places, ATOMS)
        if source.version == destination.version and {4: 58, 6: 1}[source.version] != atom[0]
    ]


def verdicts(spec: Spec, packet: Packet) -> list[bool]:
    source, destination, (protocol, value) = packet
    return [spec.verdict(source, destination, protocol, value, *each) for each in SITUATIONS]


def newly_open(before: Spec, after: Spec, places: list[Address]) -> set[Packet]:
    """Packets that somebody may send at some time afterwards, and not before."""
    cached = cache(verdicts)
    return {
        packet
        for packet in packets(places)
        if any(
            new and not old for old, new in zip(cached(before, packet), cached(after, packet), strict=True)
        )
    }


def covered(changes: list[Change], comparison: Comparison, places: list[Address]) -> set[Packet]:
    survey = comparison.survey
    boxes = [
        (survey.space_of(r.source), survey.space_of(r.destination), survey.services.of_mask(r.services))
        for r in (change.region for change in changes)
    ]
    return {
        packet
        for packet in packets(places)
        if any(packet[0] in s and packet[1] in d and v.contains(*packet[2]) for s, d, v in boxes)
    }


@given(worlds(merging=False), st.data())
@CHECKED
def test_a_difference_is_every_packet_that_changes(before: Spec, data: st.DataObject) -> None:
    kept = tuple(flow for flow in before.flows if data.draw(st.booleans()))
    more = tuple(_swapped(flow) for flow in before.flows if data.draw(st.booleans()))
    after = replace(before, flows=kept + more)
    policies = policy_of(before), policy_of(after)
    if policies[0] is None or policies[1] is None:
        return
    comparison = Comparison(policies[0], policies[1])
    places = addresses(before, after)
    gains, losses = list(comparison.gains()), list(comparison.losses())
    assert covered(gains, comparison, places) == newly_open(before, after, places)
    assert covered(losses, comparison, places) == newly_open(after, before, places)
    for change, verdict in [*((c, "allow") for c in gains), *((c, "deny") for c in losses)]:
        shown = comparison.witness(change)
        assert shown.packet is not None
        assert trace(policies[1], shown.packet, shown.situation).verdict == verdict
        assert trace(policies[0], shown.packet, shown.situation).verdict != verdict


# -- mergers ---------------------------------------------------------------------------------------------


def merged_by_hand(spec: Spec, one: str, *others: str) -> Spec:
    """The policy as somebody writes it who makes one zone of several."""
    for other in others:
        spec = _merged_by_hand(spec, one, other)
    return spec


def _merged_by_hand(spec: Spec, one: str, other: str) -> Spec:
    first, second = (next(z for z in spec.zones if z.name == name) for name in (one, other))
    zone = replace(
        first,
        subnets=first.subnets + second.subnets,
        hosts=first.hosts + second.hosts,
        intra=first.intra and second.intra,
    )

    def term(each: Term) -> Term:
        kind, *words = each
        if kind in ("zone", "host"):
            return (kind, one if words[0] == other else words[0], *words[1:])
        if kind in ("group", "user"):
            return (kind, words[0], *(one if word == other else word for word in words[1:]))
        return each

    def end(each: EndSpec) -> EndSpec:
        return EndSpec(tuple(map(term, each.terms)), tuple(map(term, each.excepted)))

    flows = tuple(replace(f, source=end(f.source), destination=end(f.destination)) for f in spec.flows)
    zones = tuple(zone if z is first else z for z in spec.zones if z is not second)
    return replace(spec, zones=zones, flows=flows)


def same_by_hand(spec: Spec, *names: str) -> bool:
    after = merged_by_hand(spec, *names)
    places = addresses(spec, after)
    inside = set(names)

    def within(packet: Packet) -> bool:
        return all(spec.zone_of(end).name in inside for end in packet[:2])  # type: ignore[union-attr]

    return all(map(within, newly_open(spec, after, places))) and not newly_open(after, spec, places)


@given(worlds(merging=True))
@CHECKED
def test_a_merger_does_what_writing_one_zone_does(spec: Spec) -> None:
    policy = policy_of(spec)
    if policy is None or _odd(spec):
        return
    outline = Outline(policy)
    numbers = {zone.name: n for n, zone in enumerate(outline.zones)}
    for one, other in (("a", "b"), ("c", "d")):
        first, second = (policy.zones[name] for name in (one, other))
        if first.space.families != second.space.families:
            continue
        after = merged_by_hand(spec, one, other)
        places = addresses(spec, after)
        merged = merge(outline, numbers[one], numbers[other])
        opened = covered([*merged.opened, *merged.leaking], merged.comparison, places)
        closed = covered([*merged.closed, *merged.missing], merged.comparison, places)
        touching = {p for p in packets(places) if {spec.zone_of(e).name for e in p[:2]} & {one, other}}  # type: ignore[union-attr]
        assert opened & touching == newly_open(spec, after, places)
        assert closed & touching == newly_open(after, spec, places)
        assert merged.same == same_by_hand(spec, one, other)


@given(worlds(merging=True))
@CHECKED
def test_zones_that_are_the_same_are_found_and_no_others(spec: Spec) -> None:
    policy = policy_of(spec)
    if policy is None or _odd(spec):
        return
    outline = Outline(policy)
    classes = [[zone.name for zone in merged.zones] for merged in same_zones(outline)]
    found = {(first, other) for first, *others in classes for other in others}
    seconds = {second for _, second in found}
    for names in classes:
        assert same_by_hand(spec, *names)
    for kind in kinds(outline):
        for one, other in combinations(kind, 2):
            names = outline.zones[one].name, outline.zones[other].name
            if same_by_hand(spec, *names) and not parted(outline, one, other):
                assert names in found or seconds & set(names)


def _odd(spec: Spec) -> bool:
    """Whether something is taken out of an end that has the zone of it by another name: `a except b.h`."""
    return any(
        end.excepted and ("any",) not in end.terms and ("zone", end.excepted[0][1]) not in end.terms
        for flow in spec.flows
        for end in (flow.source, flow.destination)
    )


# -- reach -----------------------------------------------------------------------------------------------


@given(worlds(merging=False))
@CHECKED
def test_reach_is_what_hopping_from_address_to_address_gives(spec: Spec) -> None:
    policy = policy_of(spec)
    if policy is None:
        return
    places = ways(spec)  # what is held alike is one host, and a host may have an address of each family
    hops: dict[object, set[Address]] = {way: set() for way in places.values()}
    for packet in packets(list(places)):
        if any(verdicts(spec, packet)):
            hops[places[packet[0]]].update(each for each in places if places[each] == places[packet[1]])
    exposure, nearby, outline = Exposure(policy), OneHop(Outline(policy)), Outline(policy)
    for number, zone in enumerate(policy.zones.values()):
        start = {place for place in places if place in zone.space}
        one = set().union(*(hops[places[place]] for place in start))
        two = one | set().union(*(hops[places[place]] for place in one))
        every = two
        while (more := every | set().union(*(hops[places[place]] for place in every))) != every:
            every = more
        for mask, expected in zip(exposure.of_zone(zone.name), (one, two, every), strict=True):
            space = exposure.survey.space_of(mask)
            assert {place for place in places if place in space} == expected, zone.name
        space = outline.space_of(nearby.surely(number))
        assert {place for place in places if place in space} <= one, zone.name
