"""Conditions that another flow makes idle: the same access without them.

`SEG308` where that takes all meaning from a condition: for a flow as a whole, or for all that it grants from
one zone, to one zone, or by one of its services. `SEG312`, a note, where it is less. A flow bypasses another
where it asks for no more in any respect, and for less in one: two flows for different hours are two grants.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from segc.analysis.conflicts.atoms import low_bit
from segc.analysis.conflicts.context import Context, is_deny
from segc.analysis.conflicts.cover import Gap
from segc.analysis.conflicts.dead import Losses
from segc.analysis.conflicts.guards import Guard
from segc.analysis.conflicts.survey import Clause, Region
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Flow, Zone

NAMED = 3  # bypasses looked for, as many as are shown
SLICES = 16  # zones of an end that are looked at one by one


class Found(NamedTuple):
    clause: Clause
    other: Clause
    gap: Gap  # what both match but for the conditions, and is allowed


class Bypass:
    """Each conditional flow with the clauses that bypass it; `wholly` are those left without any meaning."""

    def __init__(self, context: Context, losses: Losses) -> None:
        self.context = context
        self._weaker: dict[tuple[int, int], bool] = {}
        self.found: dict[Flow, dict[Flow | Zone, Found]] = {}
        self.idle: dict[Flow, str] = {}
        self.wholly: set[Flow] = set()
        for flow in context.enforced("allow"):
            if conditional(flow) and flow not in losses.never and flow not in losses.dead:
                self._judge(flow)

    def _judge(self, flow: Flow) -> None:
        found: dict[Flow | Zone, Found] = {}
        for by, each in self._bypasses(flow):
            found.setdefault(by, each)
            if len(found) >= NAMED:
                break
        if not found:
            return
        self.found[flow] = found
        survey = self.context.survey
        clauses = [each for each in survey.by_flow[flow] if survey.matches(each)]
        if all(self._covered(flow, survey.region(each)) for each in clauses):
            self.wholly.add(flow)
            self.idle[flow] = "for all that this flow grants"
        else:
            idle = (word for clause in clauses for word in self._slices(flow, clause))
            if word := next(idle, ""):
                self.idle[flow] = word

    def _bypasses(self, flow: Flow) -> Iterator[tuple[Flow | Zone, Found]]:
        survey = self.context.survey
        for clause in survey.by_flow[flow]:
            region = survey.region(clause)
            for other in self.context.allows.touching(clause):
                shared = region.services & survey.services.mask(other.services)
                if shared and self._bypassing(flow, clause, other):
                    part = survey.meet(region, other)
                    gap = part and self._open_without(clause, other, part)
                    if part and gap:
                        yield other.by, Found(clause, other, gap)

    def _bypassing(self, flow: Flow, clause: Clause, other: Clause) -> bool:
        if isinstance(other.by, Flow) and (other.by is flow or other.by.limit):
            return False
        key = (clause.guard, other.guard)
        if key not in self._weaker:
            self._weaker[key] = self._asks_less(*key)
        return self._weaker[key]

    def _asks_less(self, one: int, other: int) -> bool:
        """Whether guard `other` lets through all that `one` does, and asks for less facts or less time."""
        survey = self.context.survey
        if one == 0 or not survey.guards.implies(one, other):
            return False
        strict, loose = survey.guards[one], survey.guards[other]
        facts = strict.mfa > loose.mfa or strict.postures > loose.postures
        return facts or survey.guards.left_of(loose.times, [strict.times]) is not None

    def _open_without(self, clause: Clause, other: Clause, part: Region) -> Gap | None:
        """Traffic of `part` that fails the condition of `clause`, holds for `other`, and is not denied."""
        survey = self.context.survey
        strict, loose = survey.guards[clause.guard], survey.guards[other.guard]
        times = strict.times
        if strict.mfa == loose.mfa and strict.postures == loose.postures:
            left = survey.guards.left_of(loose.times, [strict.times])
            assert left is not None, "one of two guards asks for less"
            times = left
        guard = Guard(loose.mfa, loose.postures, times, strict.source, strict.destination)
        outside = part._replace(guard=survey.guards.number(guard))
        return self.context.denies.of_region(outside, lambda each: True)[0]

    def _covered(self, flow: Flow, region: Region) -> bool:
        """Whether what denies leave of a region is open under less."""

        def wanted(clause: Clause) -> bool:
            return is_deny(clause.by) or self._bypassing(flow, own, clause)

        own = Clause(0, 0, 0, region.guard, flow)
        gap, by = self.context.decisions.of_region(region, wanted)
        return gap is None and not all(is_deny(each.by) for each in by)

    def _slices(self, flow: Flow, clause: Clause) -> Iterator[str]:
        """The slices of a clause in which its condition means nothing, in words."""
        survey = self.context.survey
        region = survey.region(clause)
        if len(survey.by_flow[flow]) > 1 and self._covered(flow, region):
            yield f"for {self.context.wording.region(region)}"
        for zone, mask in self._zones(region.source):
            if self._covered(flow, region._replace(source=mask)):
                yield f"for all that this flow grants from `{zone}`"
        for zone, mask in self._zones(region.destination):
            if self._covered(flow, region._replace(destination=mask)):
                yield f"for all that this flow grants to `{zone}`"
        services = survey.services.sets[clause.services]
        for part in survey.services.parts(services):
            mask = survey.services.mask(survey.services.number(part))
            if mask != region.services and self._covered(flow, region._replace(services=mask)):
                yield f"for `{part}`"

    def _zones(self, mask: int) -> Iterator[tuple[str, int]]:
        """The zones of a mask, if it has several but not too many, each with its part of it."""
        survey = self.context.survey
        found: list[tuple[str, int]] = []
        rest = mask
        while rest and len(found) <= SLICES:
            number = next((n for n in survey.members[low_bit(rest)] if n in survey.zone_names), None)
            if number is None:
                rest &= rest - 1
                continue
            found.append((survey.zone_names[number], mask & survey.masks[number]))
            rest &= ~survey.masks[number]
        if 1 < len(found) <= SLICES:
            yield from found


def conditional(flow: Flow) -> bool:
    conditions = flow.conditions
    return conditions.mfa or bool(conditions.postures) or conditions.timed


def check_bypass(context: Context, bypass: Bypass) -> Iterator[Diagnostic]:
    for flow, found in bypass.found.items():
        yield _told(flow, found, bypass.idle.get(flow), context)


def _told(flow: Flow, found: dict[Flow | Zone, Found], idle: str | None, context: Context) -> Diagnostic:
    wording, words = context.wording, _words(flow)
    where = idle or "for a part of what this flow grants"
    gap = next(iter(found.values())).gap

    def opens(by: Flow | Zone) -> str:
        part = context.survey.meet(context.survey.region(found[by].clause), found[by].other)
        assert part is not None, "what bypasses a flow meets it"
        return f"opens {wording.region(part)}"

    return finding(
        "SEG308" if idle else "SEG312",
        f"{' and '.join(words)} mean{'s' if len(words) == 1 else ''} nothing {where}",
        flow.span,
        "granted elsewhere for less",
        also=wording.labels(found, opens),
        notes=(f"for instance: {wording.witness(gap).text} is allowed",),
        help="narrow the other flow, or drop the condition if it is not meant" if idle else "",
    )


def _words(flow: Flow) -> list[str]:
    conditions = flow.conditions
    names = (["mfa"] if conditions.mfa else []) + [f"posture {name}" for name in conditions.postures]
    words = [f"`require {', '.join(names)}`"] if names else []
    words += ["`when`"] if conditions.schedule else []
    words += ["`from`"] if conditions.not_before is not None else []
    return words + (["`until`"] if conditions.not_after is not None else [])
