"""How far somebody comes who takes over a host of a zone, or the account of a member of a group.

Hops are those of `hops`: any traffic that somebody may send at some time. Gateways are no stepping stones.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from segc.analysis.conflicts.atoms import bits
from segc.analysis.reach.grants import Grant
from segc.analysis.reach.hops import Hops
from segc.analysis.reach.matrix import Matrix
from segc.policy.model import Policy, Subject

Spread = tuple[int, int, int]  # classes in reach: in one hop, in two at most, in any number


class Exposure:
    """Masks are of the classes of `survey`."""

    def __init__(self, policy: Policy) -> None:
        self.matrix = Matrix(policy)
        self.survey = self.matrix.survey
        self.hops = Hops(self.matrix.context)

    @cached_property
    def inner(self) -> dict[str, int]:
        """The zones of the network itself, those that have any addresses, with their classes."""
        zones, survey = self.survey.policy.zones, self.survey
        return {name: survey.masks[n] for name, n in survey.zones.items() if not zones[name].external}

    def of_zone(self, zone: str) -> Spread:
        """What somebody in a zone reaches."""
        start = self.survey.masks[self.survey.zones[zone]]
        return self._spread(start, self._from(start))

    def of_group(self, name: str) -> Spread:
        """What membership alone opens, from wherever it counts, and then what anybody reaches from there."""
        groups, guards = self.survey.policy.groups, self.survey.guards
        proved = {Subject("group", other) for other, group in groups.items() if name in group.members}
        grants = self.matrix.of_group(name)
        alone = (grant for grant in grants if guards[grant.box.guard].source.subjects <= proved)
        return self._spread(0, self._together(alone))

    def zones(self, mask: int, but: str = "") -> list[str]:
        """The inner zones that have any of some classes."""
        return [name for name, zone in self.inner.items() if zone & mask and name != but]

    def score(self) -> float:
        """From 0 to 100: the share of other zones that no chain of hops leads to, on average over zones."""
        pairs = len(self.inner) * (len(self.inner) - 1)
        reached = sum(len(self.zones(self.of_zone(zone)[2], but=zone)) for zone in self.inner)
        return 100 - 100 * reached / pairs if pairs else 100.0

    def _spread(self, start: int, first: int) -> Spread:
        two = seen = first | self._from(first & ~start)
        fresh = two & ~first & ~start
        while fresh:
            step = self._from(fresh)
            fresh = step & ~seen & ~start
            seen |= step
        return first, two, seen

    def _from(self, mask: int) -> int:
        """What is one hop from any of some classes."""
        found = 0
        for node in bits(mask):
            found |= self._hop[node]
        return found

    @cached_property
    def _hop(self) -> list[int]:
        """What is one hop from each class."""
        found = [0] * len(self.survey.spaces)
        for clause in self.hops.clauses():
            for grant in self.hops.grants(clause):
                for node in bits(grant.box.source):
                    if grant.box.destination & ~found[node]:
                        found[node] |= self._entered(node, grant)
        return found

    def _together(self, grants: Iterable[Grant]) -> int:
        found = 0
        for grant in grants:
            for node in bits(grant.box.source):
                found |= self._entered(node, grant)
        return found

    def _entered(self, node: int, grant: Grant) -> int:
        entered = grant.box.destination & self.hops.beside(node, grant.box.services) & ~self.hops.gateways
        return self.survey.alike.with_alike(entered)
