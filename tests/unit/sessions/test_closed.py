"""What is known of sessions that are over is bounded, and lets nothing begin again."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from segc.sessions import closed
from segc.sessions.closed import NOTHING, Closed


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "MOST", 100)


def test_what_ended_is_known_in_a_flood_and_one_access_server_is_no_harm_to_others() -> None:
    known = Closed()
    known.put(("wifi", "10.1.0.2/real"), 50.0, 50.0)
    for number in range(60):
        known.put(("wifi", f"10.1.0.3/{number}"), 100.0 + number, 0.0)
    known.put(("vpn", "10.8.0.2"), 70.0, 70.0)
    for number in range(100_000):
        known.put(("wifi", f"10.1.0.2/{number}/x"), 1000.0 + number, 0.0)
    assert len(known) <= 101
    assert known.newest(("wifi", "10.1.0.2/real")) >= 50
    assert known.newest(("wifi", "10.1.0.2/99999/x")) == 100_999
    assert known.newest(("wifi", "10.1.0.3/59")) == 159
    assert known.newest(("wifi", "10.1.0.3/another")) < 160, "may come late, but not from before all this"
    assert 100_900 < known.newest(("wifi", "10.1.0.2/another")) < 100_999, "only what comes very late"
    assert known.newest(("vpn", "another")) == NOTHING


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_was_ever_told_to_be_over_is_less_so(seed: int) -> None:
    """Whatever ends in whatever order, also of parts, and read again from what was written."""
    draw = random.Random(seed)
    known, told = Closed(), dict[tuple[str, str], float]()
    for step in range(3000):
        nas = draw.choice(["", "", *(f"10.1.0.{number}/" for number in range(draw.choice([1, 3, 300])))])
        key = draw.choice(["wifi", "vpn"]), nas + draw.choice(["", f"{draw.randrange(500)}", "a/b", "a/"])
        known.put(key, last := draw.uniform(0, 300) + step, float(step))
        told[key] = max(last, told.get(key, NOTHING))
        if step % 500 == 0:
            again = Closed()
            for each, end in known:
                again.put(each, *end)
            known = again
    for (source, id_), last in told.items():
        assert known.newest((source, id_)) >= last
        if id_.endswith("/") or not id_:
            assert known.newest((source, f"{id_}any")) >= last
    assert max(Counter(source for (source, _), _ in known).values()) <= 100


def test_what_was_heard_long_ago_is_forgotten_and_a_clock_that_is_set_back_forgets_nothing() -> None:
    known = Closed()
    known.put(("wifi", "1"), 10.0, 10.0)
    known.put(("vpn", "2"), 20.0, 20.0)
    known.set_back(15.0)
    assert list(known) == [(("wifi", "1"), (10.0, 10.0)), (("vpn", "2"), (15.0, 15.0))]
    known.forget(12.0)
    assert known.newest(("wifi", "1")) == NOTHING
    assert list(known) == [(("vpn", "2"), (15.0, 15.0))]
