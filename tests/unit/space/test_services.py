import pytest

from segc.policy.services import WELL_KNOWN
from segc.space import services
from segc.space.protocols import PROTOCOLS, TYPE_NAMES, TYPES
from segc.space.services import ANY_SERVICE, EMPTY, ServiceSet, domain, parse_service, union


def read(*texts: str) -> ServiceSet:
    found = EMPTY
    for text in texts:
        protocol, slash, argument = text.partition("/")
        found |= parse_service(protocol, argument if slash else None)
    return found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tcp/443", ((6, ((443, 443),)),)),
        ("tcp/8000-8100", ((6, ((8000, 8100),)),)),
        ("udp", ((17, ((0, 65535),)),)),
        ("icmp/echo-request", ((1, ((8, 8),)),)),
        ("icmp/8", ((1, ((8, 8),)),)),
        ("icmpv6/echo-request", ((58, ((128, 128),)),)),
        ("icmpv6/nd-neighbor-solicit", ((58, ((135, 135),)),)),
        ("icmp", ((1, ((0, 255),)),)),
        ("gre", ((47, ((0, 0),)),)),
        ("proto/47", ((47, ((0, 0),)),)),
        ("proto/6", ((6, ((0, 65535),)),)),
    ],
)
def test_services_read(text: str, parts: object) -> None:
    assert read(text).parts == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tcp/0", "there is no port `0`: ports are 1 to 65535"),
        ("tcp/65536", "there is no port `65536`: ports are 1 to 65535"),
        ("tcp/" + "9" * 5000, f"there is no port `{'9' * 59}…`: ports are 1 to 65535"),
        ("tcp/90-80", "the range ends before it starts: write `tcp/80-90`"),
        ("tcp/80-", "a port is missing: write a number of 1 to 65535"),
        ("tcp/https", "`https` is not a port: write a number of 1 to 65535"),
        ("tcp/0443", "`0443` is not a port: write it without the leading zero"),
        ("icmp/echo-requst", "`echo-requst` is not a type of `icmp`: did you mean `icmp/echo-request`?"),
        (
            "icmp/packet-too-big",
            "`packet-too-big` is not a type of `icmp`: did you mean `icmpv6/packet-too-big`?",
        ),
        ("icmp/qqq", "`qqq` is not a type of `icmp`"),
        ("icmpv6/256", "there is no type `256`: types are 0 to 255"),
        ("gre/5", "`gre` has no ports: write `gre` alone"),
        ("proto", "`proto` needs the number of a protocol, as in `proto/47`"),
        ("proto/tcp", "`tcp` is not a protocol number: write `tcp` alone"),
        ("proto/256", "there is no protocol number `256`: protocol numbers are 0 to 255"),
        ("tpc/80", "`tpc` is not a protocol: did you mean `tcp`?"),
        ("TCP/80", "`TCP` is not a protocol: did you mean `tcp`?"),
        ("zzz", "`zzz` is not a protocol: write its number, as in `proto/47`"),
    ],
)
def test_a_wrong_service_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (read("tcp/443", "tcp/8000-8100", "icmp/8"), "icmp/echo-request, tcp/443, tcp/8000-8100"),
        (read("proto/6", "proto/200", "icmpv6/200"), "tcp, icmpv6/200, proto/200"),
        (read("tcp/80", "tcp/81", "tcp/82-90"), "tcp/80-90"),
        (ANY_SERVICE, "any"),
        (ANY_SERVICE - read("tcp/443"), "proto/0-5, tcp/0-442, tcp/444-65535, proto/7-255"),
        (EMPTY, "no service"),
    ],
)
def test_text_is_canonical(service: ServiceSet, text: str) -> None:
    assert str(service) == text


def test_every_name_reads_and_is_written_back_as_one_that_reads_the_same() -> None:
    for name in PROTOCOLS:
        assert read(str(read(name))) == read(name)
    for protocol, types in TYPES.items():
        word = {1: "icmp", 58: "icmpv6"}[protocol]
        for name, value in types.items():
            assert read(f"{word}/{name}").parts == ((protocol, ((value, value),)),)
        for value, name in TYPE_NAMES[protocol].items():
            assert types[name] == value
            assert str(read(f"{word}/{value}")) == f"{word}/{name}"


def test_a_union_of_many_is_one_of_two_at_a_time() -> None:
    many = [read("tcp/1-5"), read("udp"), read("tcp/7"), read("tcp/6"), EMPTY, read("icmp/8", "tcp/4-9")]
    pairwise = EMPTY
    for each in many:
        pairwise = pairwise | each
    assert union(many) == pairwise == read("tcp/1-9", "udp", "icmp/8")
    assert union([]) == EMPTY


def test_edges_stay_within_the_domain() -> None:
    assert read("tcp/443").edges() == ((6, 442), (6, 443), (6, 444))
    assert read("tcp/80-90", "tcp/92").edges() == tuple((6, port) for port in (79, 80, 90, 91, 92, 93))
    assert read("udp").edges() == ((17, 0), (17, 65535))
    assert read("tcp/65535").edges() == ((6, 65534), (6, 65535))
    assert read("icmp/0", "gre").edges() == ((1, 0), (1, 1), (47, 0))


def test_any_holds_every_value_of_every_protocol_and_no_other() -> None:
    assert ANY_SERVICE.contains(6, 0)
    assert ANY_SERVICE.contains(255, 0)
    assert not ANY_SERVICE.contains(6, 65536)
    assert not ANY_SERVICE.contains(47, 1)
    assert not ANY_SERVICE.contains(256, 0)
    assert [len(ANY_SERVICE.parts), domain(132), domain(1), domain(50)] == [
        256,
        ((0, 65535),),
        ((0, 255),),
        ((0, 0),),
    ]


@pytest.mark.parametrize(("family", "other"), [(4, "icmpv6"), (6, "icmp")])
def test_an_address_family_has_all_but_the_icmp_of_the_other(family: int, other: str) -> None:
    lacking = read(other)
    for held in (
        EMPTY,
        read("tcp/443"),
        read("icmp"),
        read("icmpv6/1"),
        read("icmp/8", "icmpv6/128"),
        ANY_SERVICE,
    ):
        assert held.in_family(family) == held - lacking
        assert held.exist_in(family) == bool(held - lacking)


def test_witness_and_key() -> None:
    assert read("udp/53", "tcp/53").first() == (6, 53)
    assert {read("tcp/1-2"): "x"}[read("tcp/2", "tcp/1")] == "x"
    with pytest.raises(LookupError):
        services.EMPTY.first()


def test_every_service_that_is_proposed_can_be_written():
    for text in WELL_KNOWN.values():
        for part in text.split(", "):
            protocol, _, argument = part.partition("/")
            assert parse_service(protocol, argument or None)
