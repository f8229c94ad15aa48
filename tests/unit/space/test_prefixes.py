from ipaddress import ip_address, ip_network
from random import Random

import pytest

from segc.space.addresses import address_text
from segc.space.prefixes import EMPTY, EVERYTHING, PrefixSet, address, parse_prefixes


def both(*texts: str) -> PrefixSet:
    found = EMPTY
    for text in texts:
        found |= parse_prefixes(text)
    return found


def test_neighbours_one_by_one() -> None:
    space = both("10.0.0.3", "10.0.0.2", "2001:db8::2/127", "10.0.0.9")
    assert space.each(4) == ("10.0.0.2", "10.0.0.3", "10.0.0.9")
    assert space.each(6) == ("2001:db8::2", "2001:db8::3")
    assert EMPTY.each(4) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.300", "`10.0.0.300` is not an IPv4 address: 300 is over 255"),
        ("10.0.0", "`10.0.0` is not an IPv4 address: it needs 4 parts, not 3"),
        ("10.0..1", "`10.0..1` is not an IPv4 address: a part of it is empty"),
        ("10.0.0.x", "`10.0.0.x` is not an IPv4 address: `x` is not a number"),
        ("10.0.0.٣", "`10.0.0.٣` is not an IPv4 address: `٣` is not a number"),
        (
            "10.0.0.08",
            "`10.0.0.08` is not an IPv4 address: `08` has a leading zero, which some programs read as octal",
        ),
        ("payroll", "`payroll` is not an address"),
        ("", "an address is missing"),
        ("10.0.0.1/24", "`10.0.0.1/24` has host bits set: write `10.0.0.0/24` or `10.0.0.1`"),
        ("2001:db8::1/64", "`2001:db8::1/64` has host bits set: write `2001:db8::/64` or `2001:db8::1`"),
        ("10.0.0.0/33", "`10.0.0.0/33` is not a prefix: an IPv4 prefix has a length of 0 to 32"),
        ("::/129", "`::/129` is not a prefix: an IPv6 prefix has a length of 0 to 128"),
        ("10.0.0.0/", "`10.0.0.0/` is not a prefix: its length of 0 to 32 is missing"),
        ("10.0.0.0/08", "`10.0.0.0/08` is not a prefix: `08` is not a length of 0 to 32"),
        (
            "10.0.0.0/255.0.0.0",
            "`10.0.0.0/255.0.0.0` is not a prefix: for this mask write `10.0.0.0/8`",
        ),
        ("10.0.0.9-10.0.0.3", "the range ends before it starts: write `10.0.0.3-10.0.0.9`"),
        ("10.0.0.9-2001:db8::", "the range `10.0.0.9-2001:db8::` mixes IPv4 and IPv6"),
        (
            "10.0.0.9-20",
            "`20` is not an address: write both ends in full, such as `10.0.0.9-10.0.0.20`",
        ),
        (
            "10.0.0.0/24-10.0.1.0",
            "a range runs from address to address, and `10.0.0.0/24` is a prefix",
        ),
        ("10.0.0.9-", "an address is missing"),
        ("fe80::1%eth0", "`fe80::1%eth0` has a zone id: write `fe80::1`"),
        ("::ffff:10.0.0.1", "`::ffff:10.0.0.1` is an IPv4 address written as IPv6: write `10.0.0.1`"),
        ("::ffff:a00:1", "`::ffff:a00:1` is an IPv4 address written as IPv6: write `10.0.0.1`"),
        ("1::2::3", "`1::2::3` is not an IPv6 address: `::` can stand in it only once"),
        (
            "2001:db8::g",
            "`2001:db8::g` is not an IPv6 address: `g` is not a group of 1 to 4 hexadecimal digits",
        ),
        ("2001:db8", "`2001:db8` is not an IPv6 address: it has 2 groups, not 8"),
        ("1:2:3:4:5:6:7::8", "`1:2:3:4:5:6:7::8` is not an IPv6 address: it has 8 groups beside `::`"),
        (":1::", "`:1::` is not an IPv6 address: it starts or ends with a single `:`"),
    ],
)
def test_a_wrong_text_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_prefixes(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["9" * 5000, "1." * 10**6, ":" * 10**6, "10.0.0.0/" + "9" * 5000, "x" * 10**6]
)
def test_a_huge_text_gives_a_short_message(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_prefixes(text)
    assert len(str(caught.value)) < 250


def test_prefixes_and_ranges_read_as_the_standard_library_reads_them() -> None:
    network = ip_network("2001:db8:10::/48")
    assert parse_prefixes("2001:db8:10::/48").v6 == ((int(network[0]), int(network[-1])),)
    assert parse_prefixes("10.0.0.3 - 10.0.0.9").v4 == (
        (int(ip_address("10.0.0.3")), int(ip_address("10.0.0.9"))),
    )
    assert parse_prefixes("10.0.0.3-10.0.0.3") == parse_prefixes("10.0.0.3")
    assert parse_prefixes("64:ff9b::10.0.0.1").first() == ip_address("64:ff9b::a00:1")
    assert parse_prefixes("0.0.0.0/0") | parse_prefixes("::/0") == EVERYTHING


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "::"),
        (1, "::1"),
        (1 << 64, "0:0:0:1::"),
        (0x20010DB8 << 96, "2001:db8::"),
        (0x2001_0DB8_0000_0000_0001_0000_0000_0001, "2001:db8::1:0:0:1"),  # RFC 5952, 4.2.3: the first run
        (0x2001_0DB8_0000_0001_0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),  # 4.2.2: not one group
        (0xFFFF_0A00_0001, "::ffff:a00:1"),
    ],
)
def test_ipv6_text_follows_rfc_5952(value: int, text: str) -> None:
    assert address_text(value, 6) == text


def test_a_cover_is_minimal_and_leaves_out_the_length_of_one_address() -> None:
    cover = both("10.0.0.1-10.0.0.8", "2001:db8::/64")
    assert cover.prefixes(4) == ("10.0.0.1", "10.0.0.2/31", "10.0.0.4/30", "10.0.0.8")
    assert cover.prefixes(6) == ("2001:db8::/64",)
    assert EVERYTHING.prefixes(4) == ("0.0.0.0/0",)
    assert EVERYTHING.prefixes(6) == ("::/0",)
    assert EMPTY.prefixes(4) == ()


def test_text_is_short() -> None:
    assert str(both("10.10.10.0/24", "2001:db8:10::/64")) == "10.10.10.0/24, 2001:db8:10::/64"
    assert str(parse_prefixes("10.9.0.1-10.9.0.7")) == "10.9.0.1-10.9.0.7"
    many = both(*(f"10.0.{n}.1" for n in range(6)), "2001:db8::1")
    assert str(many) == "10.0.0.1, 10.0.1.1, 10.0.2.1, 10.0.3.1 and 3 more"
    assert str(EMPTY) == "no address"
    assert str(EVERYTHING) == "0.0.0.0/0, ::/0"


def test_families_sizes_and_parts() -> None:
    space = both("10.0.0.0/30", "2001:db8::/126")
    assert space.families == {4, 6}
    assert space.only(6).families == {6}
    assert space.only(4) | space.only(6) == space
    assert space.size == 8
    assert EVERYTHING.size == 2**32 + 2**128
    assert EMPTY.families == frozenset()


def test_membership_keeps_the_families_apart() -> None:
    space = both("0.0.0.1", "::2")
    assert ip_address("0.0.0.1") in space
    assert ip_address("::1") not in space
    assert ip_address("::2") in space
    assert not space.overlaps(both("0.0.0.2", "::1"))


def test_witnesses() -> None:
    space = both("10.0.0.8/31", "10.0.1.0", "2001:db8::5")
    assert space.first() == ip_address("10.0.0.8")
    assert space.only(6).first() == ip_address("2001:db8::5")
    rng = Random(7)
    assert {str(space.sample(rng, 4)) for _ in range(100)} == {"10.0.0.8", "10.0.0.9", "10.0.1.0"}
    assert space.sample(rng, 6) == address(0x20010DB8 << 96 | 5, 6)
    with pytest.raises(LookupError):
        EMPTY.first()
    with pytest.raises(LookupError):
        space.only(4).sample(rng, 6)


def test_equal_sets_are_one_key() -> None:
    halves = both("10.0.0.0/25", "10.0.0.128/25")
    assert {halves: 1}[parse_prefixes("10.0.0.0/24")] == 1
