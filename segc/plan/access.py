"""The difference of two policies as a plan tells it: who gains, who loses, when, and by which statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from math import prod
from operator import or_

from segc.analysis.conflicts.atoms import bits
from segc.analysis.conflicts.people import Who
from segc.plan.align import BEFORE, Aligned, Clause, align
from segc.plan.concerned import tags_of, zones_of
from segc.plan.difference import Cause, Difference, Rectangle
from segc.plan.model import Access, Kind, Part, Statement
from segc.plan.people import people_of
from segc.plan.witness import witness
from segc.plan.words import BOTH, Names
from segc.policy.model import Flow, Policy
from segc.source import SourceFile, Span
from segc.space.prefixes import PrefixSet

APART = 4  # rectangles of one cause that are told one by one
LISTED = 1000  # rectangles of one set that are written out, and people
LONGEST = 200  # characters of a statement
ORDER = list(Kind)
OF_FORMER = frozenset((Kind.CLOSES, Kind.TIGHTENS, Kind.UNLOGS, Kind.UNSTAGES))
Sources = Mapping[str, SourceFile]


def access_changes(
    before: Policy, after: Policy, sources: tuple[Sources, Sources]
) -> tuple[tuple[Access, ...], Aligned]:
    """Everything that changes, gains first and the widest first; `sources` by path, for each policy."""
    aligned = align(before, after)
    if not aligned.clauses:
        return (), aligned
    telling = _Telling(before, after, aligned, sources)
    found = sorted(telling.all(), key=lambda each: (ORDER.index(each.kind), -each.pairs, each.source))
    return tuple(found), aligned


class _Telling:
    def __init__(
        self, before: Policy, after: Policy, aligned: Aligned, sources: tuple[Sources, Sources]
    ) -> None:
        self.policies, self.aligned, self.sources = (before, after), aligned, sources
        self.difference = Difference(aligned)
        self.names = [Names(policy, aligned.subjects.groups) for policy in self.policies]
        gateways = self.difference.gateways
        self._sizes = {
            family: [
                each.only(family).size + (n in gateways) for n, each in enumerate(self.difference.spaces)
            ]
            for family in (4, 6)
        }

    def all(self) -> Iterator[Access]:
        for cause, rectangles in self.difference.found.items():
            if len(rectangles) <= APART:
                yield from (self._access(cause, [each]) for each in rectangles)
            else:
                yield self._access(cause, rectangles)

    def _access(self, cause: Cause, rectangles: list[Rectangle]) -> Access:
        names, guard = self.names[cause.kind not in OF_FORMER], cause.guard
        source = _any_of(each.source for each in rectangles)
        destination = _any_of(each.destination for each in rectangles)
        services = _any_of(each.services for each in rectangles)
        people, peers = self._people(guard.source), self._people(guard.destination)
        from_space, to_space = (self.difference.space_of(mask) for mask in (source, destination))
        from_place = self._place(names, source, from_space, self._families(destination, to_space))
        to_place = self._place(names, destination, to_space, self._families(source, from_space))
        return Access(
            kind=cause.kind,
            source=_end(names.who(guard.source), from_place),
            destination=_end(names.who(guard.destination), to_place),
            services=str(self.difference.service_set(services)),
            conditions=names.conditions(guard),
            people=people[:LISTED],
            peers=peers[:LISTED],
            pairs=sum(map(self._pairs, rectangles)),
            parts=tuple(map(self._part, rectangles[:LISTED])),
            unlisted=max(0, len(rectangles) - LISTED),
            statements=tuple(
                dict.fromkeys(self._statement(self.difference.clauses[n]) for n in cause.clauses)
            ),
            witness=witness(self.difference, self.aligned, guard, rectangles[0]),
            from_zones=zones_of(self.names, from_space),
            to_zones=zones_of(self.names, to_space),
            from_tags=tags_of(self.names, from_space),
            to_tags=tags_of(self.names, to_space),
        )

    def _people(self, who: Who) -> tuple[str, ...]:
        return tuple(sorted(people_of(who, self.aligned.subjects.groups) or ()))

    def _place(self, names: Names, mask: int, space: PrefixSet, families: frozenset[int]) -> str:
        return names.place(space, self.difference.names_of(mask), families)

    def _families(self, mask: int, space: PrefixSet) -> frozenset[int]:
        """Those that an end has; a gateway may have any."""
        return BOTH if self.difference.names_of(mask) else space.families

    def _part(self, rectangle: Rectangle) -> Part:
        services = self.difference.service_set(rectangle.services)
        return Part(self._texts(rectangle.source), self._texts(rectangle.destination), str(services))

    def _texts(self, mask: int) -> tuple[str, ...]:
        space = self.difference.space_of(mask)
        gateways = (f"gateway {name}" for name in self.difference.names_of(mask))
        return (*gateways, *space.prefixes(4), *space.prefixes(6))

    def _pairs(self, rectangle: Rectangle) -> int:
        count = 0
        for family, exists in self.difference.services.exists.items():
            if rectangle.services & exists:
                ends = (self._size(mask, family) for mask in (rectangle.source, rectangle.destination))
                count += prod(ends)
        return count

    def _size(self, mask: int, family: int) -> int:
        return sum(self._sizes[family][each] for each in bits(mask))

    def _statement(self, clause: Clause) -> Statement:
        by, side = clause.by, "before" if clause.side == BEFORE else "after"
        text = worded(by.span, self.sources[clause.side])
        return Statement(side, by.span.path, by.span.line, text, by.id if isinstance(by, Flow) else "")


def _end(who: str, place: str) -> str:
    return f"{who} in {place}" if who else place


def _any_of(masks: Iterable[int]) -> int:
    return reduce(or_, masks)


def whole(span: Span, sources: Sources) -> str:
    """The text of a statement on one line."""
    source = sources.get(span.path)
    return " ".join(source.text[span.start : span.end].split()) if source else ""


def worded(span: Span, sources: Sources) -> str:
    """As `whole`, of a long one the beginning."""
    text = whole(span, sources)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
