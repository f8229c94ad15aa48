"""Larger generated policies: conflicts, reach and promises against binary decision diagrams (CUDD).

The diagrams are over the bits of a packet and its circumstances: who sits at either end, facts, moment,
protocol, port, family and both addresses. They know neither classes nor clauses. `SEGC_POLICIES` says how
many policies of tens of flows are tried, from the seed `SEGC_SEED` on; two of hundreds come on top.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import product
from typing import Any

import pytest

from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.dead import Losses, _met
from segc.analysis.conflicts.redundant import standing_in
from segc.analysis.conflicts.staged import would_cut
from segc.analysis.reach.matrix import Matrix
from segc.analysis.reach.places import Place
from segc.policy.claims import Claims, Situation, met
from segc.policy.model import Conditions, End, Flow, Policy, Subject
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.prefixes import PrefixSet, union
from segc.space.services import ANY_SERVICE, ServiceSet
from segc.syntax.parse import parse
from tests.bench import analysis
from tests.fields import Fields
from tests.property import networks

cudd = pytest.importorskip("dd.cudd")

POLICIES = int(os.environ.get("SEGC_POLICIES", "50"))
SEED = int(os.environ.get("SEGC_SEED", "1"))
ATONCE = 25
EVERY = Claims(mfa=True, postures=frozenset({"managed", "fit"}))
DIRECTORIES = ("d1", "d2")


class Diagrams(Fields):
    """`bits` of an address are told apart, the lowest ones."""

    def __init__(self, policy: Policy, bits: int) -> None:
        self.policy = policy
        widths = {"family": 1, "protocol": 8, "value": 16, "moment": 12, "facts": 2}
        for side in ("src", "dst"):
            widths |= {
                side: bits,
                f"{side}-gateway": 1,
                f"{side}-user": 8,
                f"{side}-directory": len(DIRECTORIES),
            }
        super().__init__(cudd.BDD(), widths)
        self.low = (1 << bits) - 1
        self.own = union(gateway.own for gateway in policy.gateways.values())
        users = {user for group in policy.groups.values() for user in group.users}
        users |= {s.name for flow in policy.flows for s in _subjects(flow) if s.kind == "user"}
        self.users = {user: number for number, user in enumerate(sorted(users), 1)}
        self._known: dict[object, Any] = {}

    @cached_property
    def moments(self) -> list[int]:
        """One moment of each kind: on the hour, in the weeks around each date."""
        conditions = sorted(
            {flow.conditions for flow in self.policy.flows if flow.conditions.timed}, key=repr
        )
        dates = sorted({d for c in conditions for d in (c.not_before, c.not_after) if d is not None})
        weeks = [datetime(2026, 1, 5, tzinfo=UTC)]
        weeks += [datetime.fromtimestamp(date, UTC) - timedelta(days=n) for date in dates for n in (7, 0)]
        every = {int((week + timedelta(hours=h)).timestamp()) for week in weeks for h in range(168)}
        kinds = {tuple(self._holds(c, at) for c in conditions): at for at in sorted(every)}
        return list(kinds.values())

    def _holds(self, conditions: Conditions, at: int) -> bool:
        return met(conditions, Situation(EVERY, at=at))

    def known(self, key: object, make: Any) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def space(self, side: str, space: PrefixSet) -> Any:
        return self.known((side, space), lambda: self._space(side, space - self.own))

    def _space(self, side: str, space: PrefixSet) -> Any:
        families = zip((4, 6), (~self.bdd.var("family0"), self.bdd.var("family0")), strict=True)
        return ~self.bdd.var(f"{side}-gateway0") & self.any_of(
            family & self.between(side, first & self.low, last & self.low)
            for number, family in families
            for first, last in space.ranges(number)
        )

    def subject(self, side: str, subject: Subject) -> Any:
        if subject.kind == "user":
            return self.between(f"{side}-user", *[self.users[subject.name]] * 2)
        group = self.policy.groups[subject.name]
        listed = (self.between(f"{side}-user", *[self.users[user]] * 2) for user in group.users)
        drawn = (self.bdd.var(f"{side}-directory{DIRECTORIES.index(d)}") for d in group.directories)
        return self.any_of([*listed, *drawn])

    def end(self, side: str, end: End) -> Any:
        found = self.bdd.var(f"{side}-gateway0") if end.gateways else self.bdd.false
        for part in end.parts:
            held = self.space(side, part.space)
            if part.subject is not None:
                held &= self.subject(side, part.subject)
            for subject, space in part.unless:
                held &= ~(self.subject(side, subject) & self.space(side, space))
            found |= held
        return found

    def services(self, services: ServiceSet) -> Any:
        return self.known(services, lambda: self._services(services))

    def _services(self, services: ServiceSet) -> Any:
        v6 = self.bdd.var("family0")
        exists = (v6 | ~self.between("protocol", 58, 58)) & (~v6 | ~self.between("protocol", 1, 1))
        return exists & self.any_of(
            self.between("protocol", protocol, protocol) & self.between("value", *pair)
            for protocol, values in services.parts
            for pair in values
        )

    def conditions(self, conditions: Conditions) -> Any:
        found = self.bdd.var("facts0") if conditions.mfa else self.bdd.true
        found &= self.bdd.var("facts1") if conditions.postures else self.bdd.true
        held = [i for i, at in enumerate(self.moments) if self._holds(conditions, at)]
        return found & self.any_of(self.between("moment", i, i) for i in held)

    def flow(self, flow: Flow) -> Any:
        ends = [
            self.known((side, end), lambda s=side, e=end: self.end(s, e))
            for side, end in zip(("src", "dst"), flow.ends, strict=True)
        ]
        services = self.services(flow.services)
        conditions = self.known(flow.conditions, lambda: self.conditions(flow.conditions))
        return ends[0] & ends[1] & services & conditions

    @cached_property
    def within(self) -> Any:
        """What hosts of open zones may do among themselves."""
        real = self.services(ANY_SERVICE) & self.conditions(Conditions())
        return real & self.any_of(
            self.space("src", zone.space) & self.space("dst", zone.space)
            for zone in self.policy.zones.values()
            if not zone.isolated
        )


def _subjects(flow: Flow) -> Iterable[Subject]:
    for end in flow.ends:
        for part in end.parts:
            yield from ([part.subject] if part.subject else [])
            yield from (subject for subject, _ in part.unless)


class Judged:
    """A policy, its analysis and its diagrams."""

    def __init__(self, policy: Policy, bits: int) -> None:
        self.policy, self.context = policy, Context(policy)
        self.diagrams = Diagrams(policy, bits)
        self.losses = Losses(self.context)
        self.matched = {flow: self.diagrams.flow(flow) for flow in self.context.flows}
        self.nothing = self.diagrams.bdd.false
        self.denies = list(self.context.enforced("deny"))
        self.allows = list(self.context.enforced("allow"))
        self.denied = self.diagrams.any_of(self.matched[flow] for flow in self.denies)

    def conflicts_agree(self) -> None:
        matched, denied, nothing = self.matched, self.denied, self.nothing
        assert self.losses.never == {flow for flow in matched if matched[flow] == nothing}
        live = [flow for flow in self.allows if flow not in self.losses.never]
        assert set(self.losses.dead) == {flow for flow in live if (matched[flow] & ~denied) == nothing}
        for deny in self.denies:
            expected = {flow for flow in self.allows if (matched[flow] & matched[deny]) != nothing}
            assert {flow for flow, _ in _met(deny, self.context)} == expected
        for deny in (f for f in self.context.flows if f.staged and f.action == "deny"):
            cut = {by for by, _, _ in would_cut(deny, self.context) if isinstance(by, Flow)}
            taken = matched[deny] & ~denied
            assert cut == {flow for flow in self.allows if (matched[flow] & taken) != nothing}

    def redundancy_agrees(self) -> int:
        removed = self.losses.never | self.losses.dead.keys()
        before = len(removed)
        for flow in reversed(self.allows):
            if flow in removed or flow.limit:
                continue
            others = (
                o
                for o in self.allows
                if o is not flow and o not in removed and not o.limit and o.log >= flow.log
            )
            granted = self.diagrams.any_of(self.matched[other] for other in others) | self.denied
            granted = granted if flow.log else granted | self.diagrams.within
            rest = self.matched[flow] & ~granted
            assert bool(standing_in(flow, self.context, removed)) == (rest == self.nothing)
            if rest == self.nothing:
                removed.add(flow)
        return len(removed) - before

    def reach_agrees(self) -> None:
        """Every cell of the matrix: exactly the services that somebody may use at some time."""
        diagrams, matrix = self.diagrams, Matrix(self.policy)
        opened = diagrams.any_of(self.matched[flow] for flow in self.allows) | diagrams.within
        opened &= ~self.denied
        bystanders = {
            n for field, names in diagrams.names.items() if field not in ("protocol", "value") for n in names
        }
        places = [Place("zone", name) for name in self.policy.zones]
        ends = {place: self.policy.zones[place.name].space for place in places}
        for row, column in product(places, repeat=2):
            between = diagrams.space("src", ends[row]) & diagrams.space("dst", ends[column])
            expected = diagrams.bdd.exist(bystanders, opened & between)
            grants = matrix.cells.get((row, column), [])
            services = diagrams.any_of(diagrams.services(grant.box.services) for grant in grants)
            assert diagrams.bdd.exist(bystanders, services) == expected


def small(seed: int) -> Policy:
    file, broken = parse(SourceFile("policy.seg", networks.generate(seed)))
    assert not broken, broken[:3]
    return resolve([file])[0]  # flows without a family in common are kept: they never match


@pytest.mark.parametrize("first", range(SEED, SEED + POLICIES, ATONCE))
def test_diagrams_agree(first: int) -> None:
    redundant = dead = 0
    for seed in range(first, min(first + ATONCE, SEED + POLICIES)):
        judged = Judged(small(seed), networks.SIZE)
        judged.conflicts_agree()
        redundant += judged.redundancy_agrees()
        judged.reach_agrees()
        dead += len(judged.losses.dead)
    assert redundant
    assert dead


@pytest.mark.parametrize("wide", [0.05, 0.6])
def test_diagrams_agree_on_hundreds_of_flows(wide: float) -> None:
    judged = Judged(analysis.policy_of(analysis.generate(120, wide, 1)), 128)
    judged.conflicts_agree()
    redundant = judged.redundancy_agrees()
    assert redundant or wide < 0.5, "wide flows grant much twice; narrow ones may not"
