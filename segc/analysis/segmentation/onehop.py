"""No more than what one hop from a zone reaches, from masks alone: fast enough for every check.

A hop is any traffic that somebody may be allowed to send at some time, as for `never ~>`; within an open
zone every host is one hop away. What denies leave of the pairs that they touch is left out here; the whole
answer is `segc.analysis.reach.exposure`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from segc.analysis.conflicts.atoms import bits, mask_of
from segc.analysis.conflicts.moments import moment, times_of
from segc.analysis.conflicts.survey import Survey
from segc.analysis.segmentation.outline import Outline
from segc.analysis.segmentation.signature import only_icmp, union
from segc.policy.model import End, Flow


class OneHop:
    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.places = (1 << len(outline.spaces)) - 1  # gateways are no stepping stones here
        self._opened: dict[End, tuple[int, int]] = {}
        self._possible: dict[object, bool] = {}
        self._cuts: dict[End, bool] = {}

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

    def surely(self, zone: int) -> int:
        """No more than what one hop from a zone reaches: without the pairs that a deny touches as well."""
        return union(self._allowed(cell) & ~self._denied(cell) for cell in self.outline.cells[zone])

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
                if only_icmp(flow.services):
                    v4 |= mask * flow.services.exist_in(4)
                    v6 |= mask * flow.services.exist_in(6)
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
            survey = self._survey(flow)
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

    def _survey(self, flow: Flow) -> Survey:
        """A flow alone."""
        return Survey(replace(self.outline.policy, flows=(self._nameless(flow),), zones={}))

    def _nameless(self, flow: Flow) -> Flow:
        """A flow whose ends do not name the zones that are left out."""
        source, destination = (replace(end, text="") for end in flow.ends)
        return replace(flow, source=source, destination=destination)
