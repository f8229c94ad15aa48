"""Under what clauses hold: guards by number, and what follows of one from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from segc.analysis.conflicts.moments import ALWAYS, Times, moment, without
from segc.analysis.conflicts.people import ANYBODY, People, Who
from segc.policy.model import Policy


class Guard(NamedTuple):
    """Under what a clause holds: facts of the source's session, time, and who sits at either end."""

    mfa: bool = False
    postures: frozenset[str] = frozenset()
    times: Times = ALWAYS
    source: Who = ANYBODY
    destination: Who = ANYBODY

    def __and__(self, other: Guard) -> Guard:
        if self is other:
            return self
        return Guard(
            self.mfa or other.mfa,
            self.postures | other.postures,
            self.times & other.times,
            self.source & other.source,
            self.destination & other.destination,
        )


PLAIN = Guard()


class Guards:
    """Those that clauses were given as `numbers`, of which 0 is `PLAIN`, and more that follow from them.

    What was found out of one, or of two, is remembered. `people` stand for all that the former tell apart.
    """

    def __init__(self, numbers: Mapping[Guard, int], policy: Policy) -> None:
        self._numbers, self._all = dict(numbers), list(numbers)
        self._timezone = policy.timezone
        self.people = People(policy, {who for guard in self._all for who in guard[3:]})
        self._compared: dict[tuple[int, int], bool] = {}
        self._joined: dict[tuple[int, int], int] = {}
        self._possible: dict[int, bool] = {0: True}

    def __getitem__(self, number: int) -> Guard:
        return self._all[number]

    def __iter__(self) -> Iterator[Guard]:
        return iter(self._all)

    def number(self, guard: Guard) -> int:
        """The number of a guard, a new one where it has none."""
        number = self._numbers.setdefault(guard, len(self._all))
        if number == len(self._all):
            self._all.append(guard)
        return number

    def join(self, one: int, other: int) -> int:
        """The guard that asks for both."""
        if one == other or other == 0:
            return one
        if one == 0:
            return other
        if (one, other) not in self._joined:
            self._joined[one, other] = self.number(self._all[one] & self._all[other])
        return self._joined[one, other]

    def possible(self, number: int) -> bool:
        """Whether there is a moment, and somebody at each end, for whom a guard holds."""
        known = self._possible.get(number)
        if known is None:
            guard, people = self._all[number], self.people
            known = moment(guard.times, self._timezone) is not None
            known = known and bool(people.least(guard.source) and people.least(guard.destination))
            self._possible[number] = known
        return known

    def implies(self, one: int, other: int) -> bool:
        """Whether wherever guard number `one` holds, `other` does."""
        if other == 0 or one == other:
            return True
        known = self._compared.get((one, other))
        if known is None:
            known = self._compared[one, other] = self._stricter(self._all[one], self._all[other])
        return known

    def _stricter(self, one: Guard, other: Guard) -> bool:
        return (
            one.mfa >= other.mfa
            and one.postures >= other.postures
            and self.people.within(one.source, other.source)
            and self.people.within(one.destination, other.destination)
            and self.left_of(one.times, [other.times]) is None
        )

    def left_of(self, times: Times, others: Iterable[Times]) -> Times | None:
        """A box of `times` that none of `others` takes and that holds a moment."""
        zone = self._timezone
        boxes = without(times, others)
        return next((box for box in boxes if moment(box, zone) is not None), None)
