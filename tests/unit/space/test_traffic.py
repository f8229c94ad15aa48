"""Boxes of traffic that hold no packet."""

import pytest

from segc.space.prefixes import parse_prefixes
from segc.space.services import ServiceSet
from segc.space.traffic import Box

V4, V6 = parse_prefixes("10.0.1.0/24"), parse_prefixes("2001:db8:1::/64")
BOTH = V4 | V6
ECHO4, ECHO6 = ServiceSet(((1, ((8, 8),)),)), ServiceSet(((58, ((128, 128),)),))


@pytest.mark.parametrize(
    ("destination", "services", "holds"),
    [
        (V4, ECHO4, True), (V6, ECHO6, True), (BOTH, ECHO6, True),
        (V4, ECHO6, False), (V6, ECHO4, False), (V4, ECHO4 | ECHO6, True), (V4, ServiceSet(()), False),
    ],
)  # fmt: skip
def test_each_family_has_its_own_icmp(destination, services, holds):
    assert bool(Box(BOTH, destination, services)) == holds
