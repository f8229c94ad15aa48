"""Random small policies: what the conflict checks find is what counting every packet finds.

The oracle enumerates addresses, services, sessions and moments of policies given as data, reads them by the
words of the language reference, and shares no code with segc. Every witness is put to `segc trace`'s own
function as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, cached_property
from itertools import product
from operator import and_
from unittest.mock import patch
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from segc.analysis.conflicts import check_conflicts
from segc.analysis.conflicts.bypass import Bypass
from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.dead import Losses, _any_of, _met
from segc.analysis.conflicts.evaded import Evasions, check_evaded
from segc.analysis.conflicts.redundant import duplicates, standing_in
from segc.analysis.conflicts.staged import would_cut
from segc.analysis.conflicts.withheld import check_withheld, withheld
from segc.diagnostics.model import Severity
from segc.policy.model import Flow, Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.trace import Decision, trace
from tests.property.atoms import ATOMS, EXISTS, SERVICES
from tests.property.ends import EndText, end_texts

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "300"))
BERLIN = ZoneInfo("Europe/Berlin")
GATEWAY = "gateway gw"
# Addresses as (zone, host, family).
PLACES = (
    ("a", "h", 4), ("a", "", 4), ("a", "", 6), ("b", "h", 4), ("b", "h", 6), ("b", "", 4), ("b", "", 6),
    ("c", "six", 6), ("c", "", 4), ("c", "", 6), (GATEWAY, "", 4), (GATEWAY, "", 6),
)  # fmt: skip
TAGGED = {("a", "h"), ("b", "h"), ("b", "")}
USERS = (None, "u1", "u2", "u3")
SESSIONS = tuple(product(USERS, ((), ("d1",), ("d2",), ("d1", "d2"))))
INVENTORY = """
timezone "Europe/Berlin"
zone a { subnet 10.0.1.0/30, 2001:db8:1::/126  host h = 10.0.1.2 { tag t } }
zone b { subnet 10.0.2.0/30, 2001:db8:2::/126  host h = 10.0.2.2, 2001:db8:2::2  tag t  intra deny }
zone c { subnet 10.0.3.0/30, 2001:db8:3::/126  host six = 2001:db8:3::2 }
group g1 { user "u1" }
group g2 { user "u2"  group g1 }
group g3 from directory "d1"
group g3x { user "u3" }
group g4 from directory "d2"
group g5 { group g3, g4 }
posture fit { edr = true }
gateway gw {
  interface e0 { zone a }  interface e1 { zone b }  interface e2 { zone c }
  address a 10.0.1.1/30, 2001:db8:1::1/126
}
"""
GROUPS = {
    "g1": ({"u1"}, set()),
    "g2": ({"u1", "u2"}, set()),
    "g3": (set(), {"d1"}),
    "g4": (set(), {"d2"}),
    "g5": (set(), {"d1", "d2"}),
}
TIMES = {
    "": (range(7), 0, 24, None, None),
    "when mon 00:00-12:00": ((0,), 0, 12, None, None),
    "when mon,tue 06:00-18:00": ((0, 1), 6, 18, None, None),
    "when sun 22:00-06:00": ((6,), 22, 6, None, None),
    "when daily 00:00-24:00": (range(7), 0, 24, None, None),
    "from 2026-03-02": (range(7), 0, 24, "2026-03-02", None),
    "until 2026-03-02": (range(7), 0, 24, None, "2026-03-02"),
    "when sat from 2026-03-02 until 2026-03-03": ((5,), 0, 24, "2026-03-02", "2026-03-03"),
    "when sun 00:00-24:00 until 2026-03-08": ((6,), 0, 24, None, "2026-03-08"),
}


def _on_time(when: str, at: datetime) -> bool:
    days, start, end, first, last = TIMES[when]
    if (first and f"{at:%Y-%m-%d}" < first) or (last and f"{at:%Y-%m-%d}" > last):
        return False
    if start < end:
        return at.weekday() in days and start <= at.hour < end
    return (at.weekday() in days and at.hour >= start) or ((at.weekday() - 1) % 7 in days and at.hour < end)


_hours = [datetime(2026, 2, 20, tzinfo=BERLIN) + timedelta(hours=n) for n in range(0, 24 * 28, 2)]
MOMENTS = tuple({tuple(_on_time(when, at) for when in TIMES): at for at in _hours}.values())
SPANS = {when: frozenset(i for i, at in enumerate(MOMENTS) if _on_time(when, at)) for when in TIMES}
FACTS = tuple(product((False, True), (False, True)))  # mfa, posture


class Part(EndText):
    @cached_property
    def places(self) -> frozenset[int]:
        terms = self.terms or ("any",)
        return frozenset(i for i, place in enumerate(PLACES) if any(_in(term, place) for term in terms))


def _in(term: str, place: tuple[str, str, int]) -> bool:
    zone, host, _ = place
    if GATEWAY in (term, zone):
        return term == zone
    if term == "tag t":
        return (zone, host) in TAGGED
    return term in ("any", zone, f"{zone}.{host}")


@cache
def _is(who: str, session: tuple[str | None, tuple[str, ...]]) -> bool:
    user, directories = session
    if not who:
        return True
    kind, name = who.replace('"', "").split()
    if kind == "user":
        return user == name
    users, drawn = GROUPS[name]
    return user in users or bool(drawn.intersection(directories))


@cache
def people(part: Part) -> frozenset[int]:
    """The sessions that a part holds."""
    return frozenset(
        i for i, s in enumerate(SESSIONS) if _is(part.who, s) and not (part.unless and _is(part.unless, s))
    )


@dataclass(frozen=True)
class Spec:
    verb: str
    staged: bool
    source: Part
    destination: Part
    services: str
    mfa: bool = False
    fit: bool = False
    when: str = ""
    options: str = ""

    @property
    def text(self) -> str:
        needs = ", ".join(["mfa"] * self.mfa + ["posture fit"] * self.fit)
        words = ["staged"] if self.staged else []
        words += [self.verb, self.source.text, "->", self.destination.text, ":", self.services]
        words += [f"require {needs}"] if needs else []
        return " ".join([*words, self.when, self.options])

    @cached_property
    def boxes(self) -> frozenset[tuple[int, int]]:
        """Pairs of places with a family in common."""
        pairs = product(self.source.places, self.destination.places)
        return frozenset(pair for pair in pairs if _family(pair))

    @cached_property
    def facts(self) -> frozenset[int]:
        held = (i for i, (mfa, fit) in enumerate(FACTS) if mfa >= self.mfa and fit >= self.fit)
        return frozenset(held)

    @cached_property
    def bits(self) -> int:
        """Services x moments x facts, as one number."""
        found = 0
        for atom, at, facts in product(SERVICES[self.services], SPANS[self.when], self.facts):
            found |= 1 << ((ATOMS.index(atom) * len(MOMENTS) + at) * len(FACTS) + facts)
        return found

    def at(self, cell: tuple[int, int, int, int]) -> int:
        """What it matches between two places under two sessions, as `bits`."""
        here, there, sender, receiver = cell
        if (here, there) not in self.boxes:
            return 0
        if sender not in people(self.source) or receiver not in people(self.destination):
            return 0
        return self.bits & possible((here, there))


def _family(pair: tuple[int, int]) -> bool:
    return PLACES[pair[0]][2] == PLACES[pair[1]][2]


@cache
def possible(pair: tuple[int, int]) -> int:
    size = len(MOMENTS) * len(FACTS)
    return sum(((1 << size) - 1) << (ATOMS.index(atom) * size) for atom in EXISTS[PLACES[pair[0]][2]])


PAIRS = tuple(pair for pair in product(range(len(PLACES)), repeat=2) if _family(pair))


class Oracle:
    """Every cell with what each flow matches there."""

    def __init__(self, specs: list[Spec]) -> None:
        self.specs = specs
        used = {part for spec in specs for part in (spec.source, spec.destination)}
        seen: dict[tuple[object, ...], int] = {}
        for i in range(len(SESSIONS)):
            seen.setdefault(tuple(i in people(part) for part in sorted(used, key=str)), i)
        kept = sorted(seen.values())
        self.cells = [(a, b, s, r) for a, b in PAIRS for s, r in product(kept, repeat=2)]
        self.kept = kept
        self.rows = [[spec.at(cell) for cell in self.cells] for spec in specs]
        self.open = [self._intra(cell) for cell in self.cells]
        self.denied = self.union(i for i, spec in enumerate(specs) if spec.verb == "deny" and not spec.staged)

    def _intra(self, cell: tuple[int, int, int, int]) -> int:
        zones = PLACES[cell[0]][0], PLACES[cell[1]][0]
        return possible(cell[:2]) if zones[0] == zones[1] and zones[0] in ("a", "c") else 0

    def union(self, indices) -> list[int]:
        found = [0] * len(self.cells)
        for index in indices:
            found = [x | y for x, y in zip(found, self.rows[index], strict=True)]
        return found

    def within(self, index: int, *others: list[int]) -> bool:
        return not any(mine & ~_any(each) for mine, *each in zip(self.rows[index], *others, strict=True))

    def overlap(self, one: list[int], other: list[int]) -> bool:
        return any(x & y & ~z for x, y, z in zip(one, other, self.denied, strict=True))

    def allowed(self, indices) -> list[int]:
        opened = self.union(i for i in indices if self.specs[i].verb == "allow" and not self.specs[i].staged)
        rows = zip(opened, self.open, self.denied, strict=True)
        return [(x | y) & ~z for x, y, z in rows]


def _any(masks: list[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


# -- drawing ---------------------------------------------------------------------------------------------

WHERE = ["a", "b", "c", "a.h", "b.h", "c.six", "tag t", "any"]
WHO = ["group g1", "group g2", "group g3", "group g4", "group g5", 'user "u1"', 'user "u3"']


def parts() -> st.SearchStrategy[Part]:
    return end_texts(Part, WHERE, WHO, GATEWAY)


@st.composite
def specs(draw: st.DrawFn) -> list[Spec]:
    found = []
    for _ in range(draw(st.integers(2, 7))):
        source = draw(parts())
        asks = bool(source.who)
        verb = draw(st.sampled_from(["allow", "allow", "allow", "deny"]))
        limits = ["limit 5/minute"] if verb == "allow" else []
        found.append(
            Spec(
                verb,
                draw(st.sampled_from([False, False, False, False, True])),
                source,
                draw(parts()),
                draw(st.sampled_from(sorted(SERVICES))),
                asks and draw(st.booleans()),
                asks and draw(st.booleans()),
                draw(st.sampled_from(["", "", "", *TIMES])),
                draw(st.sampled_from(["", "", "", "log", *limits])),
            )
        )
    return found


@st.composite
def denials(draw: st.DrawFn) -> list[Spec]:
    """Flows that mostly meet, as they go to one place or come from it, and speak of people there."""
    swapped = draw(st.booleans())
    found = []
    for verb in [
        "deny",
        *draw(st.lists(st.sampled_from(["allow", "allow", "deny"]), min_size=1, max_size=4)),
    ]:
        who = draw(st.sampled_from(["", "", "", *WHO]))
        terms = tuple(draw(st.lists(st.sampled_from("ab"), min_size=not who, max_size=2, unique=True)))
        end, other = Part(terms, who, draw(st.sampled_from(["", *WHO]))), draw(st.sampled_from(["c", "any"]))
        asks = bool(who) and not swapped and draw(st.booleans())
        ends = (Part((other,)), end) if swapped else (end, Part((other,)))
        found.append(Spec(verb, False, *ends, draw(st.sampled_from(["any", "tcp/1"])), asks))
    return found


def read(found: list[Spec], more: str = "") -> tuple[Policy, list[Flow]]:
    """The policy, and its flows in the order of the specs."""
    text = INVENTORY + more + "\n".join(spec.text for spec in found) + "\n"
    file, broken = parse(SourceFile("policy.seg", text))
    assert not broken, (text, broken)
    policy, findings = resolve([file])
    assume(not any(each.severity is Severity.ERROR for each in findings))
    return policy, sorted(policy.flows, key=lambda flow: flow.span.start)


COMMON = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def decide(context: Context, gap: Gap) -> Decision | None:
    witness = context.wording.witness(gap)
    return witness.packet and trace(context.policy, witness.packet, witness.situation)


@COMMON
@given(specs())
def test_every_finding_is_what_counting_finds(found: list[Spec]) -> None:
    policy, flows = read(found)
    context = Context(policy)
    losses = Losses(context)
    oracle = Oracle(found)
    number = {flow: index for index, flow in enumerate(flows)}

    empty = {i for i in range(len(found)) if not any(oracle.rows[i])}
    assert {number[flow] for flow in losses.never} == empty

    live = [i for i, spec in enumerate(found) if not spec.staged and spec.verb == "allow" and i not in empty]
    dead = {i for i in live if oracle.within(i, oracle.denied)}
    assert {number[flow] for flow in losses.dead} == dead
    for flow in losses.dead:
        for gap in _any_of(context.survey.by_flow[flow], context):
            decision = decide(context, gap)
            assert decision is None or (decision.reason == "deny" and flow in decision.overruled)

    denies = [i for i, spec in enumerate(found) if spec.verb == "deny"]
    for deny in denies:
        if found[deny].staged:
            cut = list(would_cut(flows[deny], context)) if deny not in empty else []
            assert {number[by] for by, _, _ in cut if isinstance(by, Flow)} == {
                i for i in live if oracle.overlap(oracle.rows[i], oracle.rows[deny])
            }
            assert any(not isinstance(by, Flow) for by, _, _ in cut) == oracle.overlap(
                oracle.open, oracle.rows[deny]
            )
            for by, _, gap in cut:
                decision = decide(context, gap)
                assert decision is None or (decision.verdict == "allow" and flows[deny] in decision.staged)
                assert decision is None or by in decision.statements or not isinstance(by, Flow)
        else:
            met = {number[flow] for flow, _ in _met(flows[deny], context)}
            both = {i for i in live if any(map(int.__and__, oracle.rows[i], oracle.rows[deny]))}
            assert met == both
            for flow, region in _met(flows[deny], context):
                gap, _ = context.denies.of_region(region, lambda each: False)
                decision = decide(context, gap)
                assert decision is None or (flow in decision.overruled and flows[deny] in decision.statements)

    removed = losses.never | losses.dead.keys()
    for flow, first in duplicates(context):
        assert found[number[flow]] == found[number[first]] or flow.id == first.id
    for flow in reversed(flows):
        if number[flow] not in live or flow in removed or flow.limit:
            continue
        mine = number[flow]
        others = [
            i
            for i in live
            if i != mine and flows[i] not in removed and not flows[i].limit and flows[i].log >= flow.log
        ]
        covers = [oracle.union(others), oracle.denied] + [oracle.open] * (not flow.log)
        by = standing_in(flow, context, removed)
        assert bool(by) == oracle.within(mine, *covers)
        if by:
            removed.add(flow)
            decision = decide(context, context.undenied(flow))
            assert decision is None or decision.verdict == "allow"
    before, after = (
        oracle.allowed(each)
        for each in (range(len(found)), [i for i in range(len(found)) if flows[i] not in removed])
    )
    assert before == after


@COMMON
@given(specs())
def test_every_bypass_is_what_counting_finds(found: list[Spec]) -> None:
    policy, flows = read(found)
    context = Context(policy)
    losses = Losses(context)
    bypass = Bypass(context, losses)
    oracle = Oracle(found)
    gone = losses.never | losses.dead.keys()
    for flow, spec in zip(flows, found, strict=True):
        if flow.staged or flow.action == "deny" or flow in gone:
            assert flow not in bypass.found
            continue
        by = bypass.found.get(flow, {})
        expected = {
            other
            for other, theirs in zip(flows, found, strict=True)
            if not other.staged
            and other.action == "allow"
            and not other.limit
            and bypasses(oracle, theirs, spec)
        }
        if len(by) < 3:
            assert {other for other in by if isinstance(other, Flow)} == expected
        for other, each in by.items():
            decision = decide(context, each.gap)
            assert decision is None or (decision.verdict == "allow" and flow not in decision.statements)
            assert decision is None or other in decision.statements or not isinstance(other, Flow)


def bypasses(oracle: Oracle, theirs: Spec, mine: Spec) -> bool:
    """Whether one flow asks for no more than another and for less in facts or time, where both reach."""
    holds = people(mine.source) <= people(theirs.source) and people(mine.destination) <= people(
        theirs.destination
    )
    facts, spans = (theirs.facts > mine.facts), (SPANS[theirs.when] > SPANS[mine.when])
    no_more = theirs.facts >= mine.facts and SPANS[theirs.when] >= SPANS[mine.when]
    if not (holds and no_more and (facts or spans)):
        return False
    outside = Spec(
        "allow", False, mine.source, mine.destination, mine.services, theirs.mfa, theirs.fit, theirs.when
    )
    rest = ~mine.bits
    rows = [spec.at(cell) & rest & theirs.at(cell) for cell in oracle.cells for spec in (outside,)]
    if facts:  # without the facts, at the times of the stricter flow
        times = Spec("allow", False, mine.source, mine.destination, mine.services, when=mine.when)
        rows = [row & times.bits for row in rows]
    return any(row & ~denied for row, denied in zip(rows, oracle.denied, strict=True))


@COMMON
@given(specs() | denials(), st.sets(st.sampled_from("abc")))
def test_every_evasion_is_what_counting_finds(found: list[Spec], entered: set[str]) -> None:
    source = f"source s openvpn {{ zone {', '.join(sorted(entered))} }}\n" if entered else ""
    policy, flows = read(found, source)
    context = Context(policy)
    oracle = Oracle(found)
    evasions = Evasions(context)
    told = {each.primary.span: each.code for each in check_evaded(context, Losses(context))}
    for index, (flow, spec) in enumerate(zip(flows, found, strict=True)):
        if spec.staged:
            assert flow.span not in told
            continue
        inside, outside = (
            evading(oracle, index, {z for z in "abc" if (z in entered) == on}) for on in (1, 0)
        )
        assert told.get(flow.span) == ("SEG321" if outside else "SEG322" if inside else None)
        evaded = list(evasions.of(flow, -1))
        assert {each.denied.by for each in evaded} == {flows[each] for each in inside | outside}
        for each in evaded:
            passing, stopped = decide(context, each.passing), decide(context, each.stopped)
            if passing is not None and stopped is not None:
                assert passing.verdict == "allow"
                assert each.denied.by in passing.statements
                assert stopped.verdict == "deny"
                assert flow in stopped.statements if spec.verb == "deny" else not stopped.overruled


LEAST = sum(1 << each for each in range(0, len(ATOMS) * len(MOMENTS) * len(FACTS), len(FACTS)))  # no facts


def evading(oracle: Oracle, index: int, zones: set[str]) -> set[int]:
    """The allows that let through, where no session binds an end in these zones, what a denial of people
    takes from somebody there."""
    denial = oracle.specs[index]
    enforced = [(i, spec) for i, spec in enumerate(oracle.specs) if not spec.staged]
    allows, denies = ([i for i, spec in enforced if spec.verb == verb] for verb in ("allow", "deny"))
    found = set()
    for side, part in enumerate((denial.source, denial.destination)):
        whom = part.who if denial.verb == "deny" else part.unless
        for number, cell in enumerate(oracle.cells if whom else ()):
            if PLACES[cell[side]][0] not in zones or not _is(whom, SESSIONS[cell[2 + side]]):
                continue
            without = (*cell[:2], 0, cell[3]) if side == 0 else (*cell[:3], 0)
            rows = [spec.at(without) & (LEAST if side == 0 else -1) for spec in oracle.specs]
            mine, by = oracle.rows[index][number], allows
            if side == 0:  # whoever proves everything is denied whatever anybody is
                mine = mine >> (len(FACTS) - 1) & LEAST
            if denial.verb == "allow":
                others = [oracle.rows[each][number] for each in allows]
                mine, by = ~_any([*others, oracle.open[number]]), [index]
            mine &= ~_any([rows[each] for each in denies])
            found |= {each for each in by if rows[each] & mine}
    return found


@COMMON
@given(specs() | denials())
def test_every_proof_that_is_withheld_is_what_counting_finds(found: list[Spec]) -> None:
    policy, flows = read(found)
    context, oracle = Context(policy), Oracle(found)
    told = {each.primary.span for each in check_withheld(context, Losses(context))}
    for flow, spec in zip(flows, found, strict=True):
        asks = spec.verb == "deny" and not spec.staged and (spec.mfa or spec.fit)
        without = replace(spec, mfa=False, fit=False)
        open_to = [
            without.at(cell) & ~denied for cell, denied in zip(oracle.cells, oracle.denied, strict=True)
        ]
        through = {
            other
            for other, theirs, row in zip(flows, found, oracle.rows, strict=True)
            if theirs.verb == "allow" and not theirs.staged and any(map(and_, open_to, row))
        }
        evaded = list(withheld(context, flow)) if asks else []
        assert {each.by for each in evaded} == (through if asks else set())
        assert (flow.span in told) == bool(evaded)
        for each in evaded:
            decision = decide(context, each.passing)
            if decision is not None:
                assert decision.verdict == "allow"
                assert each.by in decision.statements


@COMMON
@given(specs())
def test_flows_that_meet_no_other_change_nothing(found: list[Spec]) -> None:
    policy, _ = read(found)
    with patch("segc.analysis.conflicts.meeting_flows", lambda policy: policy.flows):
        looked_at_all = list(check_conflicts(policy))
    assert [(each.code, each.primary) for each in check_conflicts(policy)] == [
        (each.code, each.primary) for each in looked_at_all
    ]
