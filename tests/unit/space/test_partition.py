from random import Random
from time import process_time

from segc.space.partition import partition
from segc.space.prefixes import EMPTY, EVERYTHING, PrefixSet, parse_prefixes


def test_a_host_splits_its_zone_and_both_families_stay_together() -> None:
    zone = parse_prefixes("10.0.0.0/24") | parse_prefixes("2001:db8::/64")
    host = parse_prefixes("10.0.0.20") | parse_prefixes("2001:db8::20")
    rest, single = partition([zone, host])
    assert (rest.space, rest.members) == (zone - host, {0})
    assert (single.space, single.members) == (host, {0, 1})


def test_classes_come_by_lowest_address_ipv4_first() -> None:
    texts = ["2001:db8::/64", "10.0.0.0/24", "10.0.2.0/24", "2001:db8:1::/64", "10.0.1.0/24"]
    classes = partition([parse_prefixes(text) for text in texts])
    assert [sorted(each.members) for each in classes] == [[1], [4], [2], [0], [3]]


def test_equal_and_empty_sets() -> None:
    zone = parse_prefixes("10.0.0.0/24")
    assert [each.members for each in partition([zone, EMPTY, zone])] == [{0, 2}]
    assert partition([]) == partition([EMPTY]) == ()


def test_the_ends_of_both_address_spaces_are_kept() -> None:
    last = PrefixSet(((2**32 - 1, 2**32 - 1),), ((2**128 - 1, 2**128 - 1),))
    rest, end = partition([EVERYTHING, last])
    assert (rest.space | end.space, end.space) == (EVERYTHING, last)


def _random_sets(number: int) -> list[PrefixSet]:
    rng = Random(1)
    return [_random_prefix(rng) | _random_prefix(rng) for _ in range(number)]


def _random_prefix(rng: Random) -> PrefixSet:
    length = rng.choice((16, 24, 28, 32))
    first = rng.getrandbits(32) >> (32 - length) << (32 - length)
    if rng.random() < 0.5:
        return PrefixSet(((first, first | (1 << 32 - length) - 1),))
    return PrefixSet((), ((first << 96, first << 96 | (1 << 128 - length) - 1),))


def test_many_sets_and_sets_that_cover_everything_stay_fast() -> None:
    many = _random_sets(20_000)
    wide = many[:980] + [EVERYTHING] * 20
    start = process_time()
    assert len(partition(many)) > 20_000
    assert len(partition(wide)) > 900
    assert process_time() - start < 2  # 0.4 s where it was written; quadratic work takes minutes
