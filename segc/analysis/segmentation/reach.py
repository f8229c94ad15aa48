"""What can be reached from a place that was taken over: in one hop, two, any number.

A hop is any traffic that somebody may be allowed to send at some time, as for `never ~>`; within an open
zone every host is one hop away. Hops run between cells. Masks of what allows open are made first, in the
flows and cells of each end; only pairs that a deny touches as well are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.analysis.conflicts.moments import moment, times_of
from segc.analysis.conflicts.survey import Survey
from segc.analysis.segmentation.difference import Uncovered
from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.signature import ICMP, OTHER_FAMILY, union, within
from segc.policy.model import End, Flow, Subject, Zone
from segc.source import Span
from segc.space.prefixes import PrefixSet
from segc.space.services import ANY_SERVICE, ServiceSet


class Reach:
    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.places = (1 << len(outline.spaces)) - 1  # gateways are no stepping stones here
        self._hops: dict[int, int] = {}
        self._opened: dict[End, tuple[int, int]] = {}
        self._possible: dict[object, bool] = {}
        self._cuts: dict[End, bool] = {}

    # -- what is asked ---------------------------------------------------------------------------------

    def of_zone(self, zone: int) -> tuple[int, int, int]:
        """The cells that somebody in a zone reaches in one hop, in two at most, and in any number."""
        return self._spread(self.outline.masks[zone], self.first(zone))

    def first(self, zone: int) -> int:
        """The cells that are one hop from a zone."""
        return union(map(self.hop, self.outline.cells[zone]))

    def of_group(self, name: str) -> tuple[int, int, int]:
        """What membership alone lets a member reach from wherever it counts, then anybody from there."""
        groups = self.outline.policy.groups
        subjects = {Subject("group", other) for other, group in groups.items() if name in group.members}
        first = union(self._granted(flow, subjects) for flow in allows(self.outline.policy.flows))
        return self._spread(0, first)

    def zones(self, cells: int, but: int = -1) -> list[int]:
        """The inner zones that have any of some cells."""
        at, external = self.outline.zone_at, self.outline.external
        found = {at[cell] for cell in bits(self.runs(cells & ~external))}
        return sorted(found - {but})

    def runs(self, cells: int) -> int:
        """One bit for each run of cells of one inner zone that has any of some cells: no fewer than zones.

        All runs at once: adding ones below the top bit of a run carries into it unless all of them were 0.
        """
        tops, below = self._runs
        return ((cells & below) + below | cells) & tops

    @cached_property
    def _runs(self) -> tuple[int, int]:
        """The top bit of each run of cells that one zone has, and all others of runs."""
        at = [self.outline.zone_at.get(cell, -1) for cell in range(len(self.outline.spaces))]
        inner = set(self.outline.inner)
        mine = [cell for cell, zone in enumerate(at) if zone in inner]
        tops = mask_of([cell for cell in mine if at[cell : cell + 2] != [at[cell]] * 2])
        return tops, mask_of(mine) & ~tops

    def score(self) -> float:
        """From 0 to 100: the share of other zones that no chain of hops leads to, on average over zones."""
        inner = self.outline.inner
        if len(inner) < 2:
            return 100.0
        reached = sum(len(self.zones(self.of_zone(zone)[2], but=zone)) for zone in inner)
        return 100 - 100 * reached / (len(inner) * (len(inner) - 1))

    def _spread(self, start: int, first: int) -> tuple[int, int, int]:
        seen, fresh, counts = first, first & ~start, [first]
        while fresh:
            step = union(map(self.hop, bits(fresh)))
            fresh = step & ~seen & ~start
            seen |= step
            counts.append(seen)
        return counts[0], counts[min(1, len(counts) - 1)], counts[-1]

    # -- hops ------------------------------------------------------------------------------------------

    def surely(self, zone: int) -> int:
        """No more than what one hop from a zone reaches: without the pairs that a deny touches as well."""
        return union(self._allowed(cell) & ~self._denied(cell) for cell in self.outline.cells[zone])

    def hop(self, cell: int) -> int:
        """The cells that are one hop from a cell; that one itself, if its hosts may talk."""
        known = self._hops.get(cell)
        if known is None:
            allowed = self._allowed(cell)
            doubtful = allowed & self._denied(cell)
            known = allowed & ~doubtful
            for other in bits(doubtful):
                known |= self._open(cell, other) << other
            self._hops[cell] = known
        return known

    def _allowed(self, cell: int) -> int:
        outline = self.outline
        zone = outline.zone_at[cell]
        found = 0 if outline.zones[zone].isolated else outline.masks[zone]
        families = [family for family in (4, 6) if outline.spaces[cell].ranges(family)]
        for end in outline.holders[cell]:
            opened = self._of_end(end)
            for family in families:
                found |= opened[family == 6]
        shared = union(outline.families[family] for family in families)
        return found & shared & self.places

    def _of_end(self, end: End) -> tuple[int, int]:
        """What the allows of an end open, by family, where somebody may use them."""
        known = self._opened.get(end)
        if known is None:
            wide, either, v4, v6 = self.outline.wide, 0, 0, 0
            for flow in self.outline.by_source.get(end, ()):
                if flow.action != "allow" or flow.staged or not self._usable(flow):
                    continue
                mask = wide[flow.destination]
                if within(flow.services, ICMP):
                    v4 |= mask * _exists(flow, 4)
                    v6 |= mask * _exists(flow, 6)
                else:
                    either |= mask
            families = self.outline.families
            known = self._opened[end] = (either | v4) & families[4], (either | v6) & families[6]
        return known

    def _usable(self, flow: Flow) -> bool:
        """Whether there is a moment, and somebody, for whom a flow holds."""
        if not (self._cut(flow.source) or self._cut(flow.destination)):
            when = flow.conditions
            return not when.timed or moment(times_of(when), self.outline.policy.timezone) is not None
        key = (flow.conditions, *(tuple(end.parts) for end in flow.ends))
        if key not in self._possible:
            survey = self._survey([flow])
            self._possible[key] = any(map(survey.matches, survey.clauses))
        return self._possible[key]

    def _cut(self, end: End) -> bool:
        """Whether an end takes people out."""
        known = self._cuts.get(end)
        if known is None:
            known = self._cuts[end] = any(part.unless for part in end.parts)
        return known

    def _denied(self, cell: int) -> int:
        wide = self.outline.wide
        return union(wide[flow.destination] for flow in self._denies(cell))

    def _denies(self, cell: int) -> Iterator[Flow]:
        for end in self.outline.holders[cell]:
            yield from self._denies_by_source.get(end, ())

    @cached_property
    def _denies_by_source(self) -> dict[End, list[Flow]]:
        found: dict[End, list[Flow]] = {}
        for flow in self.outline.policy.flows:
            if flow.action == "deny" and not flow.staged:
                found.setdefault(flow.source, []).append(flow)
        return found

    def _granted(self, flow: Flow, subjects: set[Subject]) -> int:
        """What a flow opens to sessions that prove one of the subjects."""
        parts = tuple(part for part in flow.source.parts if part.subject in subjects)
        if not parts or not self._usable(flow):
            return 0
        narrowed = replace(flow, source=replace(flow.source, parts=parts, gateways=()))
        outline, found = self.outline, 0
        held = zip(outline.by_part(flow.source), flow.source.parts, strict=True)
        for cell in bits(union(mask for mask, part in held if part in parts)):
            families = (f for f in (4, 6) if outline.spaces[cell].ranges(f) and _exists(flow, f))
            shared = union(outline.families[family] for family in families)
            opened = outline.wide[flow.destination] & shared & self.places
            doubtful = opened & self._denied(cell) & ~found
            found |= opened & ~doubtful
            found |= union(1 << other for other in bits(doubtful) if self._open(cell, other, [narrowed]))
        return found

    def _open(self, cell: int, other: int, opening: Sequence[Flow] = ()) -> bool:
        """Whether denies leave anything of what `opening`, or any allow, opens between two cells."""
        outline, wide = self.outline, self.outline.wide
        denies = [flow for flow in self._denies(cell) if wide[flow.destination] >> other & 1]
        if any(flow.certain and flow.services == ANY_SERVICE for flow in denies):
            return False
        inside: list[PrefixSet] = []
        if not opening:
            flows = (flow for end in outline.holders[cell] for flow in allows(outline.by_source.get(end, ())))
            opening = [flow for flow in flows if wide[flow.destination] >> other & 1]
            zone = outline.zone_at[cell]
            if zone == outline.zone_at[other] and not outline.zones[zone].isolated:
                inside = [outline.spaces[cell] | outline.spaces[other]]
        if self._spared(
            [flow.services for flow in opening] + [ANY_SERVICE] * len(inside), denies, cell, other
        ):
            return True
        survey = self._survey([*opening, *denies], outline.spaces[cell], outline.spaces[other], *inside)
        ends = (1 << survey.spaces.index(outline.spaces[each]) for each in (cell, other))
        source, destination = ends
        closing = [each for each in survey.clauses if isinstance(each.by, Flow) and each.by.action == "deny"]
        left = Uncovered(survey, closing)
        for clause in (each for each in survey.clauses if each not in closing):
            region = survey.region(clause)
            within = region._replace(
                source=region.source & source, destination=region.destination & destination
            )
            if any(left.of(within)):
                return True
        return False

    def _spared(self, opened: list[ServiceSet], denies: list[Flow], cell: int, other: int) -> bool:
        """Whether some service is opened that no deny speaks of: the quick answer to most questions."""
        here, there = self.outline.spaces[cell], self.outline.spaces[other]
        services = self.outline.services
        spoken_of = union(services.mask_of(flow.services) for flow in denies)
        free = union(services.exists[f] for f in (4, 6) if here.ranges(f) and there.ranges(f)) & ~spoken_of
        return any(services.mask_of(each) & free for each in dict.fromkeys(opened))

    def _survey(self, flows: Sequence[Flow], *spaces: PrefixSet) -> Survey:
        """Some flows alone, with classes no wider than the spaces; a third one is an open zone."""
        zones = {
            str(n): Zone(str(n), None, space, False, (), frozenset(), n < 2, "drop", "", Span("", 0, 0, 0))
            for n, space in enumerate(spaces)
        }
        return Survey(replace(self.outline.policy, flows=tuple(map(self._nameless, flows)), zones=zones))

    def _nameless(self, flow: Flow) -> Flow:
        """A flow whose ends do not name the zones that are left out."""
        source, destination = (replace(end, text="") for end in flow.ends)
        return replace(flow, source=source, destination=destination)


def _exists(flow: Flow, family: int) -> bool:
    """Whether any service of a flow is spoken in a family."""
    return any(protocol not in OTHER_FAMILY[family] for protocol, _ in flow.services.parts)
