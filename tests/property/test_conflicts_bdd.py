"""Larger generated policies: the conflict checks against binary decision diagrams (CUDD).

The diagrams are over the bits of a packet and its circumstances: family, both addresses, protocol, port,
user, facts, moment. They know neither classes nor clauses.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.dead import Losses, _met
from segc.analysis.conflicts.redundant import standing_in
from segc.policy.claims import Claims, Situation, met
from segc.policy.model import Conditions, Flow, Part, Policy
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet
from tests.bench.analysis import generate, policy_of

cudd = pytest.importorskip("dd.cudd")

WIDTHS = {"family": 1, "protocol": 8, "value": 16, "user": 8, "fact": 2, "moment": 12, "src": 128, "dst": 128}
EVERY = Claims(mfa=True, postures=frozenset({"managed"}))


class Diagrams:
    def __init__(self, policy: Policy) -> None:
        self.policy, self.bdd = policy, cudd.BDD()
        self.names = {field: [f"{field}{n}" for n in range(width)] for field, width in WIDTHS.items()}
        for names in self.names.values():
            self.bdd.declare(*names)
        users = sorted({user for group in policy.groups.values() for user in group.users})
        self.users = {user: number for number, user in enumerate(users, 1)}
        self.moments = self._moments()
        self._known: dict[object, object] = {}

    def _moments(self) -> list[int]:
        """One moment of each kind: on the hour, in the weeks around each date."""
        conditions = sorted(
            {flow.conditions for flow in self.policy.flows if flow.conditions.timed}, key=repr
        )
        dates = sorted({c.not_after for c in conditions if c.not_after is not None})
        start = datetime(2026, 1, 5, tzinfo=UTC)
        weeks = [start, *(datetime.fromtimestamp(date, UTC) for date in dates)]
        every = [int((week + timedelta(hours=h)).timestamp()) for week in weeks for h in range(168)]
        return list({tuple(self._holds(c, at) for c in conditions): at for at in every}.values())

    def _holds(self, conditions: Conditions, at: int) -> bool:
        return met(conditions, Situation(EVERY, at=at))

    def between(self, field: str, first: int, last: int):
        """The values first..last of a field, bit by bit from the lowest."""
        low = high = self.bdd.true
        for n, name in enumerate(reversed(self.names[field])):
            bit = self.bdd.var(name)
            low = low & bit if first >> n & 1 else low | bit
            high = ~bit | high if last >> n & 1 else ~bit & high
        return low & high

    def any_of(self, diagrams):
        found = self.bdd.false
        for each in diagrams:
            found = found | each
        return found

    def known(self, key, make):
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def space(self, field: str, space: PrefixSet):
        families = zip((4, 6), (~self.bdd.var("family0"), self.bdd.var("family0")), strict=True)
        return self.any_of(
            family & self.between(field, *pair)
            for number, family in families
            for pair in space.ranges(number)
        )

    def part(self, field: str, part: Part):
        places = self.space(field, part.space)
        if part.subject is None:
            return places
        users = self.policy.groups[part.subject.name].users
        return places & self.any_of(self.between("user", *[self.users[user]] * 2) for user in users)

    def services(self, services: ServiceSet):
        exists = self.any_of([~self.bdd.var("family0") & ~self.between("protocol", 58, 58),
                              self.bdd.var("family0") & ~self.between("protocol", 1, 1)])  # fmt: skip
        return exists & self.any_of(
            self.between("protocol", protocol, protocol) & self.between("value", *pair)
            for protocol, values in services.parts
            for pair in values
        )

    def conditions(self, conditions: Conditions):
        found = self.bdd.var("fact0") if conditions.mfa else self.bdd.true
        found &= self.bdd.var("fact1") if conditions.postures else self.bdd.true
        held = [i for i, at in enumerate(self.moments) if self._holds(conditions, at)]
        return found & self.any_of(self.between("moment", i, i) for i in held)

    def flow(self, flow: Flow):
        ends = [
            self.known(
                (field, end), lambda f=field, e=end: self.any_of(self.part(f, each) for each in e.parts)
            )
            for field, end in zip(("src", "dst"), flow.ends, strict=True)
        ]
        services = self.known(flow.services, lambda: self.services(flow.services))
        return (
            ends[0]
            & ends[1]
            & services
            & self.known(flow.conditions, lambda: self.conditions(flow.conditions))
        )


@pytest.mark.parametrize("wide", [0.05, 0.6])
@pytest.mark.parametrize("seed", range(2))
def test_diagrams_agree(wide: float, seed: int) -> None:
    policy = policy_of(generate(250, wide, seed))
    context, diagrams = Context(policy), Diagrams(policy)
    losses = Losses(context)
    matched = {flow: diagrams.flow(flow) for flow in context.flows}
    nothing = diagrams.bdd.false
    denies, allows = list(context.enforced("deny")), list(context.enforced("allow"))
    denied = diagrams.any_of(matched[flow] for flow in denies)
    assert set(losses.dead) == {flow for flow in allows if (matched[flow] & ~denied) == nothing}
    assert losses.dead
    for deny in denies:
        expected = {flow for flow in allows if (matched[flow] & matched[deny]) != nothing}
        assert {flow for flow, _ in _met(deny, context)} == expected
    within = diagrams.any_of(
        diagrams.space("src", zone.space) & diagrams.space("dst", zone.space)
        for zone in policy.zones.values()
    )
    removed = set(losses.dead)
    for flow in reversed(allows):
        if flow in removed:
            continue
        others = (o for o in allows if o is not flow and o not in removed and o.log >= flow.log)
        granted = diagrams.any_of(matched[other] for other in others) | denied
        rest = matched[flow] & ~(granted if flow.log else granted | within)
        assert bool(standing_in(flow, context, removed)) == (rest == nothing)
        if rest == nothing:
            removed.add(flow)
    assert len(removed) > len(losses.dead)
