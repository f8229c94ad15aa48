"""The set algebra against Python's own sets and `ipaddress`, over universes small enough to enumerate."""

from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv6Address,
    collapse_addresses,
    ip_address,
    ip_network,
    summarize_address_range,
)
from itertools import pairwise

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from segc.space import intervals
from segc.space.addresses import address, address_text
from segc.space.intervals import Intervals
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet, parse_prefixes
from segc.space.services import ServiceSet, domain, parse_service

SIZE = 24
small_sets = st.frozensets(st.integers(0, SIZE - 1))
ends = st.sampled_from([0, 2**128 - SIZE])


def pack(numbers: frozenset[int]) -> Intervals:
    return intervals.normalize((each, each) for each in numbers)


def unpack(packed: Intervals) -> frozenset[int]:
    return frozenset(each for first, last in packed for each in range(first, last + 1))


@st.composite
def prefix_sets(draw: st.DrawFn) -> PrefixSet:
    """Sets at the low end of IPv4 and the high end of IPv6."""
    low, high = draw(small_sets), draw(small_sets)
    return PrefixSet(pack(low), pack(frozenset(2**128 - SIZE + each for each in high)))


@st.composite
def service_sets(draw: st.DrawFn) -> ServiceSet:
    pairs = draw(st.frozensets(st.tuples(st.sampled_from([1, 6, 17, 58]), st.integers(0, 9))))
    pairs |= draw(st.frozensets(st.tuples(st.sampled_from([47, 50]), st.just(0))))
    return ServiceSet(
        tuple(
            (protocol, pack(frozenset(value for each, value in pairs if each == protocol)))
            for protocol in sorted({protocol for protocol, _ in pairs})
        )
    )


def members(space: PrefixSet) -> frozenset[tuple[int, int]]:
    return frozenset((family, each) for family in (4, 6) for each in unpack(space.ranges(family)))


def pairs(services: ServiceSet) -> frozenset[tuple[int, int]]:
    return frozenset((protocol, each) for protocol, values in services.parts for each in unpack(values))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6))))
def test_normal_form_is_canonical(spans: list[tuple[int, int]]) -> None:
    packed = intervals.normalize((first, first + more) for first, more in spans)
    assert unpack(packed) == {each for first, more in spans for each in range(first, first + more + 1)}
    assert all(first <= last for first, last in packed)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(packed))
    assert intervals.count(packed) == len(unpack(packed))


@given(small_sets, small_sets, st.integers(-1, SIZE))
def test_intervals_are_sets(a: frozenset[int], b: frozenset[int], x: int) -> None:
    pa, pb = pack(a), pack(b)
    assert intervals.union(pa, pb) == pack(a | b)
    assert intervals.intersect(pa, pb) == pack(a & b)
    assert intervals.subtract(pa, pb) == pack(a - b)
    assert intervals.covers(pa, pb) == (b <= a)
    assert intervals.overlaps(pa, pb) == bool(a & b)
    assert intervals.contains(pa, x) == (x in a)


@pytest.mark.parametrize(
    ("strategy", "elements"),
    [(prefix_sets(), members), (service_sets(), pairs)],
    ids=["addresses", "services"],
)
def test_sets_obey_the_laws_of_python_sets(
    strategy: st.SearchStrategy[PrefixSet], elements: Callable[[PrefixSet], frozenset[tuple[int, int]]]
) -> None:
    @given(strategy, strategy)
    def check(a: PrefixSet, b: PrefixSet) -> None:
        ea, eb = elements(a), elements(b)
        assert elements(a | b) == ea | eb
        assert elements(a & b) == ea & eb
        assert elements(a - b) == ea - eb
        assert (a <= b) == (ea <= eb)
        assert a.overlaps(b) == bool(ea & eb)
        assert bool(a) == bool(ea)
        assert (a == b) == (ea == eb)
        assert hash((a - b) | (a & b)) == hash(a)
        assert (a - b) | (a & b) == a

    check()


@given(prefix_sets(), st.integers(0, SIZE - 1), ends)
def test_membership_and_witness(space: PrefixSet, offset: int, end: int) -> None:
    assert space.size == len(members(space))
    assert (IPv6Address(end + offset) in space) == ((6, end + offset) in members(space))
    assert (IPv4Address(offset) in space) == ((4, offset) in members(space))
    if space:
        family, value = min(members(space))
        assert space.first() == address(value, family)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 96))
def test_a_cover_is_exactly_that_of_the_standard_library(a: int, b: int, shift: int) -> None:
    first, last = sorted((a, b))
    for family, space in (
        (4, PrefixSet(v4=((first, last),))),
        (6, PrefixSet(v6=((first << shift, last << shift),))),
    ):
        low, high = space.ranges(family)[0]
        expected = summarize_address_range(address(low, family), address(high, family))
        assert [ip_network(text) for text in space.prefixes(family)] == list(expected)


@given(prefix_sets())
def test_the_cover_of_a_set_is_minimal(space: PrefixSet) -> None:
    for family in (4, 6):
        networks = [ip_network(text) for text in space.prefixes(family)]
        assert networks == list(collapse_addresses(networks))
        assert sum(network.num_addresses for network in networks) == intervals.count(space.ranges(family))
        assert all(network[0] in space and network[-1] in space for network in networks)


@given(st.integers(0, 2**32 - 1))
def test_ipv4_text(value: int) -> None:
    assert address_text(value, 4) == str(IPv4Address(value))
    assert parse_prefixes(str(IPv4Address(value))) == PrefixSet(v4=((value, value),))


sparse_groups = st.lists(st.sampled_from([0, 0, 0, 1, 0xDB8, 0xFFFF]), min_size=8, max_size=8)
mapped = 0xFFFF


@given(sparse_groups | st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8))
def test_ipv6_text(groups: list[int]) -> None:
    value = sum(group << 16 * (7 - place) for place, group in enumerate(groups))
    if value >> 32 == mapped:
        return
    text = address_text(value, 6)
    assert text == str(IPv6Address(value))
    for spelling in (text, text.upper(), IPv6Address(value).exploded):
        assert parse_prefixes(spelling) == PrefixSet(v6=((value, value),))


@given(st.sampled_from([4, 6]), st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_ranges_print_as_what_reads_the_same(family: int, a: int, b: int) -> None:
    first, last = sorted(each >> (96 if family == 4 else 0) for each in (a, b))
    space = PrefixSet(v4=((first, last),)) if family == 4 else PrefixSet(v6=((first, last),))
    if mapped not in (first >> 32, last >> 32):
        assert parse_prefixes(str(space)) == space


TOKENS = [*"0189g...:/-%٣", "::", "01", "10", "24", "64", "255", "256", "2001", "db8", "ffff"]
scraps = st.lists(st.sampled_from(TOKENS), max_size=9).map("".join)
wholes = st.sampled_from(
    ["10.0.0.0", "10.0.0.255", "255.255.255.255", "2001:db8::", "::1", "1:2:3:4:5:6:7:8", "::10.0.0.1", "0"]
)
wholes |= st.ip_addresses().map(str)
spans = st.tuples(wholes, st.sampled_from(["-", " - "]), wholes).map("".join)
cut = st.tuples(wholes, st.integers(0, 40)).map("{0[0]}/{0[1]}".format)


@given(st.one_of(scraps, wholes, spans, cut, st.tuples(wholes, scraps).map("".join)))
def test_what_reads_is_what_the_standard_library_reads(text: str) -> None:
    refusal = None
    try:
        space = parse_prefixes(text)
    except ValueError as error:
        refusal = error
    if refusal:
        event("refused")
        assert type(refusal) is ValueError  # in our words: the library raises its own kind
        return
    event("read")
    first, _, last = (side.strip() for side in text.partition("-"))
    network = ip_network(first)
    pair = (int(network[0]), int(ip_address(last) if last else network[-1]))
    assert space.ranges(network.version) == (pair,)


@given(st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_prefixes_are_refused_just_where_the_standard_library_refuses_them(length: int, value: int) -> None:
    text = f"{IPv4Address(value)}/{length}"
    try:
        expected = ip_network(text)
    except ValueError:
        with pytest.raises(ValueError, match="host bits"):
            parse_prefixes(text)
    else:
        assert parse_prefixes(text).prefixes(4) == (str(expected).removesuffix("/32"),)


@given(service_sets())
def test_services_print_as_what_reads_the_same(services: ServiceSet) -> None:
    services -= ServiceSet(((6, ((0, 0),)), (17, ((0, 0),))))  # port 0 alone cannot be written
    read = ServiceSet()
    for text in str(services).split(", ") if services else ():
        protocol, slash, argument = text.partition("/")
        read |= parse_service(protocol, argument if slash else None)
    assert read == services


@given(service_sets())
def test_edges_are_where_membership_changes(services: ServiceSet) -> None:
    inside = pairs(services)
    edges = set()
    for protocol in {protocol for protocol, _ in inside}:
        for before, after in pairwise(sorted(unpack(domain(protocol)))[:12]):
            if ((protocol, before) in inside) != ((protocol, after) in inside):
                edges |= {(protocol, before), (protocol, after)}
    ends = {(protocol, 0) for protocol, value in inside if value == 0}
    assert set(services.edges()) - ends == edges - ends
    assert set(services.edges()) >= edges
    assert services.edges() == tuple(sorted(set(services.edges())))


@given(st.lists(prefix_sets(), max_size=6))
def test_the_partition_is_that_of_brute_force(sets: list[PrefixSet]) -> None:
    expected: dict[frozenset[int], set[tuple[int, int]]] = {}
    for element in sorted(frozenset().union(*map(members, sets))):
        signature = frozenset(index for index, each in enumerate(sets) if element in members(each))
        expected.setdefault(signature, set()).add(element)
    classes = partition(sets)
    assert [(each.members, members(each.space)) for each in classes] == list(expected.items())
    assert all(
        each.space == PrefixSet(*map(intervals.normalize, (each.space.v4, each.space.v6))) for each in classes
    )
