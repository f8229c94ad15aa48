import time
from itertools import product

import pytest

from segc.diagnostics.suggest import LOOKS, Guesses, did_you_mean, distance, suggest


@pytest.mark.parametrize(
    ("word", "candidates", "near"),
    [
        ("finence", ["finance", "hr", "vendor"], ("finance",)),
        ("fiannce", ["finance"], ("finance",)),
        ("Finance", ["finance"], ("finance",)),
        ("erp_db", ["erp-db"], ("erp-db",)),
        ("hr", ["it", "hq"], ("hq",)),
        ("zone3", ["zone1", "zone2", "zone4"], ("zone1", "zone2")),
        ("zone12", ["zone1", "zone21"], ("zone1", "zone21")),
        ("finances", ["finance", "finaces-x"], ("finance",)),
        ("guest", ["printers", "vendor"], ()),
        ("x" * 100_000, ["x" * 100_001], ()),
        ("", ["a", "bc"], ("a",)),
    ],
)
def test_the_nearest_names_are_suggested(word, candidates, near):
    assert suggest(word, candidates) == near
    assert suggest(word, reversed(candidates)) == near


def test_the_help_reads_as_a_question():
    assert did_you_mean("finence", ["finance"]) == "did you mean `finance`?"
    assert did_you_mean("zone3", ["zone2", "zone1"]) == "did you mean `zone1` or `zone2`?"
    assert did_you_mean("guest", ["printers"]) == ""


def test_the_distance_agrees_with_the_recursive_definition():
    words = ["".join(letters) for size in range(4) for letters in product("ab", repeat=size)]
    for a, b in product(words, words):
        assert distance(a, b, 10) == _by_definition(a, b)
        for limit in range(4):
            assert (distance(a, b, limit) <= limit) == (_by_definition(a, b) <= limit)


def _by_definition(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    choices = [
        _by_definition(a[1:], b) + 1,
        _by_definition(a, b[1:]) + 1,
        _by_definition(a[1:], b[1:]) + (a[0] != b[0]),
    ]
    if len(a) > 1 and len(b) > 1 and a[:2] == b[1::-1]:
        choices.append(_by_definition(a[2:], b[2:]) + 1)
    return min(choices)


def test_ten_thousand_names_are_searched_in_a_moment():
    names = [f"zone-{number:05}" for number in range(10_000)]
    started = time.process_time()
    assert suggest("zone-x0042", names) == ("zone-00042",)
    assert time.process_time() - started < 2


def test_guessing_stops_where_it_would_take_long() -> None:
    known = [f"zone-{i}" for i in range(1000)]
    guesses = Guesses()
    found = [guesses.near("zone", f"zonne-{i}", known) for i in range(2 * LOOKS // len(known))]
    assert found[0] == "did you mean `zone-0`?"
    assert [bool(each) for each in found] == [True] * (LOOKS // len(known)) + [False] * (LOOKS // len(known))
    assert guesses.near("zone", "zonne-0", known) == found[0]
    assert guesses.near("host", "zonne-0", known) == ""
