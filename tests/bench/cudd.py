"""The conflict questions put to CUDD, over the classes, service atoms and people of `Survey`.

A flow is a diagram over the numbers of its two classes, its service atom, its circumstances: some thirty to
sixty bits, where packets have four hundred. Finding classes is not counted. Asked is less than segc
answers: of each allow whether it never matches, is dead, is cut by a deny, or is granted by others; of each
deny whether it takes anything. Neither which statements do so, nor bypasses, zones, wording or witnesses.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from dd import cudd

from segc.analysis.conflicts.atoms import bits
from segc.analysis.conflicts.moments import BEGIN, END, WEEK, Times
from segc.analysis.conflicts.people import Who
from segc.analysis.conflicts.survey import Clause, Survey
from segc.policy.model import Flow
from tests.bench.analysis import generate, policy_of
from tests.fields import Fields

MEMORY = 6 << 30


class Answers(NamedTuple):
    """How many flows each question is answered with yes for."""

    never: int
    dead: int
    cut: int
    redundant: int
    taking: int


class Engine(Fields):
    def __init__(self, survey: Survey) -> None:
        self.survey, bdd = survey, cudd.BDD(memory_estimate=MEMORY)
        bdd.configure(reordering=False)
        guards = survey.guards
        self.dates = sorted({date for guard in guards for date in guard.times[1:]} | {BEGIN, END})
        self.postures = sorted({each for guard in guards for each in guard.postures})
        self.people = sorted(
            {person for guard in guards for who in guard[3:] for person in survey.people.least(who)},
            key=lambda person: (person.user or "", sorted(person.directories)),
        )
        counts = {
            "source": len(survey.spaces), "destination": len(survey.spaces), "sender": len(self.people),
            "receiver": len(self.people), "minute": WEEK, "date": len(self.dates),
            "service": survey.services.exists[4].bit_length(),
        }  # fmt: skip
        super().__init__(bdd, {field: count.bit_length() for field, count in counts.items()})
        bdd.declare("mfa", *(f"posture-{each}" for each in self.postures))
        self._known: dict[tuple[str, object], Any] = {}

    def ask(self, flows: Iterable[Flow], seconds: float) -> tuple[Answers, int]:
        """The answers, and how many flows were reached within that much CPU time."""
        started, nothing = time.process_time(), self.bdd.false
        denies, allows, cost = [], [], 0
        once = twice = denied = nothing
        for flow in (each for each in flows if not each.staged):
            if time.process_time() - started > seconds:
                break
            found, cost = self.flow(flow), cost + 1
            if flow.action == "deny":
                denies.append(found)
                denied = denied | found
            else:
                allows.append(found)
                twice = twice | (once & found)
                once = once | found
        within = self.any_of(map(self.clause, (c for c in self.survey.clauses if not isinstance(c.by, Flow))))
        elsewhere = twice | within | denied
        never = sum(each == nothing for each in allows)
        dead = sum((each & ~denied) == nothing for each in allows) - never
        cut = sum((each & denied) != nothing for each in allows) - dead
        redundant = sum((each & ~elsewhere) == nothing for each in allows) - never - dead
        return Answers(never, dead, cut, redundant, sum((each & once) != nothing for each in denies)), cost

    def flow(self, flow: Flow) -> Any:
        return self.any_of(map(self.clause, self.survey.by_flow[flow]))

    def clause(self, clause: Clause) -> Any:
        """Each part is made once."""
        ends = self.known("source", clause.source) & self.known("destination", clause.destination)
        return ends & self.known("service", clause.services) & self.known("guard", clause.guard) & self.real

    @cached_property
    def real(self) -> Any:
        """Both ends and the service are of one family."""
        families, exists = self.survey.families, self.survey.services.exists
        return self.any_of(
            self._mask("source", classes)
            & self._mask("destination", classes)
            & self._mask("service", exists[family])
            for family, classes in families.items()
        )

    def known(self, field: str, key: int) -> Any:
        if (field, key) not in self._known:
            self._known[field, key] = self._make(field, key)
        return self._known[field, key]

    def _make(self, field: str, key: int) -> Any:
        survey = self.survey
        if field == "guard":
            return self._guard(key)
        if field == "service":
            return self._mask("service", survey.services.mask(key))
        return self._mask(field, survey.masks[key])

    def _guard(self, number: int) -> Any:
        guard, found = self.survey.guards[number], self.bdd.true
        if guard.mfa:
            found &= self.bdd.var("mfa")
        for posture in guard.postures:
            found &= self.bdd.var(f"posture-{posture}")
        return (
            found
            & self._times(guard.times)
            & self._who("sender", guard.source)
            & self._who("receiver", guard.destination)
        )

    def _times(self, times: Times) -> Any:
        dates = self.between("date", self.dates.index(times.first), self.dates.index(times.last) - 1)
        return dates & self.any_of(self.between("minute", *pair) for pair in times.week)

    def _who(self, field: str, who: Who) -> Any:
        if not who.subjects and not who.without:
            return self.bdd.true
        held = (n for n, person in enumerate(self.people) if self.survey.people.holds(who, person))
        return self.any_of(self.between(field, n, n) for n in held)

    def _mask(self, field: str, mask: int) -> Any:
        return self.any_of(self.between(field, first, last) for first, last in _runs(mask))


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """The stretches of set bits."""
    for _, run in groupby(enumerate(bits(mask)), key=lambda each: each[1] - each[0]):
        values = [value for _, value in run]
        yield values[0], values[-1]


def main(flows: int, wide: float, seconds: float) -> None:
    """Prints CPU seconds, flows reached within the time that was given, and the answers."""
    survey = Survey(policy_of(generate(flows, wide)))
    started = time.process_time()
    answers, reached = Engine(survey).ask(survey.policy.flows, seconds)
    print(time.process_time() - started, reached, *answers)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
