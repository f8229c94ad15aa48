"""Addresses that examples are made of."""

from __future__ import annotations

import pytest

from segc.space.addresses import address_text
from segc.space.prefixes import parse_prefixes, union
from segc.space.typical import typical


@pytest.mark.parametrize(
    ("texts", "first", "last"),
    [
        (("10.1.0.0/24",), "10.1.0.1", "10.1.0.254"),
        (("10.1.0.0/25",), "10.1.0.1", "10.1.0.126"),
        (("10.1.0.8/30",), "10.1.0.9", "10.1.0.10"),
        (("10.1.0.8/31",), "10.1.0.8", "10.1.0.9"),
        (("10.1.0.0/31",), "10.1.0.0", "10.1.0.1"),
        (("10.1.0.0/32",), "10.1.0.0", "10.1.0.0"),
        (("10.1.0.0", "10.1.0.7"), "10.1.0.7", "10.1.0.7"),
        (("10.1.0.0", "10.1.0.2-10.1.0.9"), "10.1.0.2", "10.1.0.9"),
        (("10.1.0.0-10.1.0.2",), "10.1.0.1", "10.1.0.2"),
        (("224.0.0.0/4", "10.1.0.20"), "10.1.0.20", "10.1.0.20"),
        (("2001:db8::/64",), "2001:db8::1", "2001:db8::ffff:ffff:ffff:fffe"),
        (("2001:db8::4-2001:db8::13",), "2001:db8::4", "2001:db8::13"),
    ],
)
def test_those_of_hosts_are_preferred(texts: tuple[str, ...], first: str, last: str) -> None:
    space = union(map(parse_prefixes, texts))
    family = min(space.families)
    found = typical(space.ranges(family), family)
    assert tuple(address_text(each, family) for each in found) == (first, last)
