"""Denials of people that addresses without a session evade.

`deny group G` and `allow PLACE except group G` stop nobody whom no session binds. So each packet that they
stop is looked at once more without one, and where it is let through, the denial is evaded: `SEG321`. In zones
that people enter by a source only, whoever is there has a session as a rule; `SEG322`, a note, says what
comes of it when that ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

from segc.analysis.conflicts.context import Context, is_deny
from segc.analysis.conflicts.cover import Cover, Gap
from segc.analysis.conflicts.dead import COUNTED, Losses
from segc.analysis.conflicts.index import Index
from segc.analysis.conflicts.people import ANYBODY, Person, Who
from segc.analysis.conflicts.survey import Clause, Region
from segc.analysis.conflicts.wording import SHOWN
from segc.diagnostics.model import Diagnostic, finding
from segc.identity.kinds import KINDS
from segc.policy.model import Flow, Subject

DESTINATION = 1  # of two sides, of which the source is 0
HELP = (
    "let a group in rather than keep one out, as in `allow group NAME in {} -> …`",
    "open what a group holds rather than shut it, as in `allow … -> group NAME in {}`",
)


class Denied(NamedTuple):
    """What is denied to `subjects` at an end, and let through by `by` where no session binds that end."""

    region: Region
    side: int
    subjects: frozenset[Subject]
    by: Flow


class Evasion(NamedTuple):
    """A packet that is `stopped` where it is a member's, and the same `passing` without a session."""

    denied: Denied
    stopped: Gap
    passing: Gap


class Evasions:
    def __init__(self, context: Context) -> None:
        self.context, self.survey = context, context.survey
        self._without_session = cache(self._cover)

    def of(self, flow: Flow, places: int) -> Iterator[Evasion]:
        """How an enforced flow's denials are evaded from or to classes in the mask `places`; for each of whom
        they speak and each statement that lets through, once."""
        told: set[tuple[frozenset[Subject], Flow]] = set()
        for denied in self._denied(flow, places):
            key = denied.subjects, denied.by
            evasion = None if key in told else self._evasion(denied, flow.action == "deny")
            if evasion:
                told.add(key)
                yield evasion

    def _denied(self, flow: Flow, places: int) -> Iterator[Denied]:
        for side, end in enumerate(flow.ends):
            for clause in () if end.anybody else self.survey.by_flow[flow]:
                region = self._within(self.survey.region(clause), side, places)
                who = self._who(clause.guard, side)
                if flow.action == "deny" and who.subjects:
                    yield from self._by_deny(clause, region, side)
                elif flow.action == "allow" and not who.subjects:
                    for subject in sorted(who.without):
                        members = self._guard(clause.guard, side, Who(frozenset((subject,))))
                        yield Denied(region._replace(guard=members), side, frozenset((subject,)), flow)

    def _by_deny(self, clause: Clause, region: Region, side: int) -> Iterator[Denied]:
        subjects = self._who(clause.guard, side).subjects
        for allow in self.context.allows.touching(clause):
            if isinstance(allow.by, Flow):  # what hosts of one zone may do among themselves is not let in
                unbound = self._unbound(allow, side)
                part = unbound and self.survey.meet(region, unbound)
                if part:
                    yield Denied(part, side, subjects, allow.by)

    def _evasion(self, denied: Denied, by_deny: bool) -> Evasion | None:
        """An `except` takes nothing from members whom another statement lets in."""
        cover = self._without_session(denied.side)
        stopped, _ = cover.of_region(denied.region, lambda each: is_deny(each.by) or not by_deny)
        if stopped is None:
            return None
        if denied.side == DESTINATION:
            return Evasion(denied, stopped, stopped._replace(receiver=Person()))
        guard = stopped.guard._replace(mfa=False, postures=frozenset())
        return Evasion(denied, stopped, stopped._replace(sender=Person(), guard=guard))

    def _cover(self, side: int) -> Cover:
        """Denies that need no session at a side, as if they held for everybody there; and allows."""
        denies = (self._unbound(each, side) for each in self.context.doing("deny"))
        return Cover(Index(self.survey, (*self.context.doing("allow"), *filter(None, denies))))

    def _unbound(self, clause: Clause, side: int) -> Clause | None:
        """A clause as it holds without a session at a side; None where it asks for one."""
        if self._who(clause.guard, side).subjects:  # who must prove facts is one of them
            return None
        number = self._guard(clause.guard, side, ANYBODY)
        return clause if number == clause.guard else clause._replace(guard=number)

    def _who(self, guard: int, side: int) -> Who:
        found = self.survey.guards[guard]
        return found.destination if side == DESTINATION else found.source

    def _guard(self, guard: int, side: int, who: Who) -> int:
        if who == self._who(guard, side):
            return guard
        found = self.survey.guards[guard]
        changed = found._replace(destination=who) if side == DESTINATION else found._replace(source=who)
        return self.survey.guards.number(changed)

    def _within(self, region: Region, side: int, places: int) -> Region:
        if side == DESTINATION:
            return region._replace(destination=region.destination & places)
        return region._replace(source=region.source & places)


def check_evaded(context: Context, losses: Losses) -> Iterator[Diagnostic]:
    evasions = Evasions(context)
    everywhere = (1 << len(context.survey.spaces)) - 1
    entered = _entered(context)
    for flow in context.flows:
        if (flow.source.anybody and flow.destination.anybody) or flow.staged or flow in losses.never:
            continue
        for code, places in (("SEG321", everywhere & ~entered), ("SEG322", entered)):
            found = list(islice(evasions.of(flow, places), COUNTED))
            if found:
                yield _told(code, flow, found, context)
                break


def _entered(context: Context) -> int:
    """The classes of zones that people come into by a source only."""
    survey, mask = context.survey, 0
    for source in context.policy.sources.values():
        if KINDS[source.kind].entrance:
            for zone in source.zones:
                mask |= survey.masks[survey.zones[zone]] if zone in survey.zones else 0
    return mask


def _told(code: str, flow: Flow, found: list[Evasion], context: Context) -> Diagnostic:
    whom = [str(each) for each in sorted({each for one in found for each in one.denied.subjects})]
    whom[SHOWN:] = [f"{len(whom) - SHOWN} more"] * (len(whom) > SHOWN)
    others = {evasion.denied.by for evasion in found} - {flow}
    word = "deny" if flow.action == "deny" else "`except`"
    told = {
        "SEG321": f"addresses without a session evade this {word}",
        "SEG322": f"this {word} ends with the sessions of those whom it speaks of",
    }
    return finding(
        code,
        told[code],
        flow.span,
        f"holds only while a session binds {' or '.join(whom)}",
        also=context.wording.labels(others, lambda _: "lets through what has none"),
        notes=tuple(_notes(code, found[0], context)),
        help=HELP[found[0].denied.side].format(_zone(found[0], context)) if code == "SEG321" else "",
    )


def _notes(code: str, evasion: Evasion, context: Context) -> Iterator[str]:
    witness = context.wording.witness(evasion.passing)
    unbound = witness.packet[evasion.denied.side] if witness.packet else _zone(evasion, context)
    yield f"for instance: {witness.text} is allowed while no session binds {unbound}"
    if code == "SEG321":
        kinds = [name for name, kind in KINDS.items() if kind.entrance]
        none = f"no source of kind {', '.join(kinds[:-1])} or {kinds[-1]} vouches for it"
        yield f"nobody needs a session to be in `{_zone(evasion, context)}`: {none}"


def _zone(evasion: Evasion, context: Context) -> str:
    """The zone of the end that no session binds."""
    passing, survey = evasion.passing, context.survey
    index = passing.destination if evasion.denied.side == DESTINATION else passing.source
    return next(survey.zone_names[each] for each in survey.members[index] if each in survey.zone_names)
