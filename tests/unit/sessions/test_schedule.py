"""When sessions are looked at again: on time, and without a trail of what was put off."""

from __future__ import annotations

import random

from segc.sessions.schedule import FEW, NEVER, Schedule

ONE, OTHER = ("vpn", "1"), ("vpn", "2")


def test_each_comes_up_once_when_its_moment_has_come() -> None:
    schedule = Schedule()
    schedule.put(ONE, 10)
    schedule.put(OTHER, 20)
    assert (schedule.next, list(schedule.due(9.9))) == (10, [])
    assert list(schedule.due(10)) == [ONE]
    assert list(schedule.due(30)) == [OTHER]
    assert (schedule.next, list(schedule.due(99))) == (NEVER, [])


def test_the_last_moment_counts_be_it_earlier_or_later() -> None:
    schedule = Schedule()
    for moment in (10, 30, 5, 20):
        schedule.put(ONE, moment)
    assert list(schedule.due(19)) == []
    assert schedule.next == 20
    assert list(schedule.due(20)) == [ONE]
    assert list(schedule.due(99)) == []


def test_what_is_dropped_does_not_come_up_but_may_come_again() -> None:
    schedule = Schedule()
    schedule.put(ONE, 10)
    schedule.drop(ONE)
    schedule.drop(OTHER)
    schedule.put(ONE, 10)
    assert list(schedule.due(10)) == [ONE]
    schedule.put(ONE, 20)
    schedule.drop(ONE)
    assert list(schedule.due(99)) == []


def test_a_session_that_is_renewed_all_day_takes_one_place() -> None:
    """Each renewal left an entry behind until its time: of a day, more than there are sessions."""
    schedule = Schedule()
    for second in range(10 * FEW):
        schedule.put(ONE, 86_400 + second)
    assert len(schedule) == 1
    for second in range(10 * FEW):
        schedule.drop(OTHER)
        schedule.put(OTHER, 86_400 + second)
    assert len(schedule) < 2 * FEW


def test_whatever_happens_it_is_as_a_plain_table_would_have_it() -> None:
    chance, schedule, plain = random.Random(7), Schedule(), dict[tuple[str, str], float]()
    for now in range(2000):
        key = ("vpn", str(chance.randrange(20)))
        if chance.random() < 0.2:
            schedule.drop(key)
            plain.pop(key, None)
        else:
            plain[key] = now + chance.randrange(1, 50)
            schedule.put(key, plain[key])
        due = {each for each, moment in plain.items() if moment <= now}
        assert set(schedule.due(now)) == due
        for each in due:
            del plain[each]
        assert schedule.next <= min(plain.values(), default=NEVER)
