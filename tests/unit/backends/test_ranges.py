"""Port ranges are made disjoint and dealt out to maps."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from segc.backends.nftables.pairs import MAX_SHARDS, SHARD_LENGTH, shards
from segc.backends.nftables.ranges import PortRange, disjoint

RANGES = st.lists(
    st.builds(lambda first, more, flow: PortRange(first, first + more, flow),
              st.integers(0, 30), st.integers(0, 12), st.integers(0, 5))
)  # fmt: skip


@given(RANGES)
def test_each_port_is_held_once_by_the_lowest_of_its_flows(ranges: list[PortRange]) -> None:
    found = disjoint(ranges)
    assert all(a.last < b.first for a, b in pairwise(found))
    for port in range(45):
        holders = [each.flow for each in ranges if each.first <= port <= each.last]
        assert [each.flow for each in found if each.first <= port <= each.last] == (
            [min(holders)] if holders else []
        )


def test_what_one_flow_holds_stays_whole() -> None:
    assert disjoint([PortRange(1, 100, 1), PortRange(40, 60, 2)]) == (PortRange(1, 100, 1),)
    assert [each.key for each in disjoint([PortRange(1, 100, 2), PortRange(40, 40, 1)])] == [
        "1-39", "40", "41-100",
    ]  # fmt: skip


def test_no_map_holds_much_more_than_it_should() -> None:
    for zones in (3, 40, 200):
        pairs = {((a, 0), (b, 0)): (PortRange(1, 9, 0),) for a in range(zones) for b in range(zones)}
        dealt = list(shards(pairs))
        assert sorted(pair for shard in dealt for pair in shard) == sorted(pairs)
        assert len(dealt) <= MAX_SHARDS
        assert max(map(len, dealt)) <= max(SHARD_LENGTH, len(pairs) // MAX_SHARDS) * 1.25
