"""What could be written wrongly: each statement deleted, and each widened in every way that widens it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from segc.frozen import entity
from segc.policy.model import Conditions, End, Flow, Part, Policy
from segc.space.prefixes import union
from segc.space.services import ANY_SERVICE


@entity
class Mutant:
    """`flow` as it might be: `into` another, or deleted where that is None. `change` says what was done."""

    flow: Flow
    change: str
    into: Flow | None

    @property
    def opens(self) -> bool:
        """Whether more is allowed by it; else less is."""
        return (self.flow.action == "allow") == (self.into is not None)


def mutants(policy: Policy) -> Iterator[Mutant]:
    """Of all that is enforced. What a gateway's statements imply can be deleted, but not widened."""
    ends = Ends(policy)
    for flow in sorted(policy.flows, key=lambda each: (each.span, each.id)):
        if not flow.staged:
            yield Mutant(flow, "deleted", None)
            if flow.kind == "flow":
                yield from _wider(flow, ends)


def _wider(flow: Flow, ends: Ends) -> Iterator[Mutant]:
    if flow.services != ANY_SERVICE:
        yield Mutant(flow, "for any service", replace(flow, services=ANY_SERVICE))
    for word, end in ends.wider(flow.source):
        left = flow.conditions._replace(mfa=False, postures=())  # nobody is asked, so nothing is proved
        yield Mutant(flow, f"from {word}", replace(flow, source=end, conditions=left))
    for word, end in ends.wider(flow.destination):
        yield Mutant(flow, f"to {word}", replace(flow, destination=end))
    for word, conditions in _fewer(flow.conditions):
        yield Mutant(flow, f"without `{word}`", replace(flow, conditions=conditions))


def _fewer(conditions: Conditions) -> Iterator[tuple[str, Conditions]]:
    if conditions.mfa:
        yield "mfa", conditions._replace(mfa=False)
    for name in conditions.postures:
        left = tuple(each for each in conditions.postures if each != name)
        yield f"posture {name}", conditions._replace(postures=left)
    if conditions.schedule is not None:
        yield "when", conditions._replace(schedule=None)
    if conditions.not_before is not None:
        yield "from", conditions._replace(not_before=None)
    if conditions.not_after is not None:
        yield "until", conditions._replace(not_after=None)


class Ends:
    """Wider ends, each made once."""

    def __init__(self, policy: Policy) -> None:
        self._zones = policy.zones
        self._everywhere = union(zone.space for zone in policy.zones.values())
        self._known: dict[End, tuple[tuple[str, End], ...]] = {}

    def wider(self, end: End) -> tuple[tuple[str, End], ...]:
        """All of the zones that an end lies in, whoever sits there, and `any`."""
        if end not in self._known:
            self._known[end] = tuple(self._wider(end))
        return self._known[end]

    def _wider(self, end: End) -> Iterator[tuple[str, End]]:
        before = end.parts
        zones = [zone for zone in self._zones.values() if end.space.overlaps(zone.space)]
        whole = (Part(union(zone.space for zone in zones)),) if zones else ()
        everything = (Part(self._everywhere),)
        if whole and whole not in (before, everything):
            names = ", ".join(zone.name for zone in zones)
            yield f"all of `{names}`", End(names, whole, end.gateways)
        if everything != before:
            yield "`any`", End("any", everything, end.gateways)
