"""What the plain flows of one file amount to at a gateway: data that is kept until the file changes.

A flow is plain if it always decides and nothing but decides, whoever is at its ends. Nearly all flows of a
large policy are, and each is a few cells by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from segc.enforcement.places import Place
from segc.enforcement.program import Hook, Kind, Level, LevelKey, Phase, PlainCell, Slot
from segc.policy.model import End, Flow
from segc.space.protocols import PORT_NUMBERS
from segc.space.services import ANY_SERVICE, ServiceSet, domain

ServicePart = tuple[Kind, int, int, int]  # with protocol, first and last value
PlacesOf = Callable[[End], Iterable[Place]]
HookOf = Callable[[Place, Place], Hook | None]


class Layout(NamedTuple):
    """`flows` are those in which the gateway has a part; here they count from the first of the file."""

    flows: frozenset[int]
    levels: Mapping[LevelKey, set[Level]]
    cells: Mapping[Slot, Sequence[PlainCell]]


def lay_out(flows: Sequence[Flow], places_of: PlacesOf, hook_of: HookOf) -> Layout:
    """Lay out plain flows. O(places of their ends x service parts) each."""
    levels: dict[LevelKey, set[Level]] = {}
    cells: dict[Slot, list[PlainCell]] = {}
    used: set[int] = set()
    for number, flow in enumerate(flows):
        phase = phase_of(flow)
        parts = service_parts(flow.services)
        for source in places_of(flow.source):
            for destination in places_of(flow.destination):
                hook = hook_of(source, destination)
                if hook is None:
                    continue
                used.add(number)
                level = Level.of(source, destination)
                for kind, protocol, first, last in parts:
                    slot = Slot(phase, kind, protocol)
                    levels.setdefault((hook, slot, True), set()).add(level)
                    cells.setdefault(slot, []).append((source, destination, first, last, number))
    return Layout(frozenset(used), levels, cells)


def pack(layout: Layout) -> object:
    """Numbers and texts that `unpack` makes the same layout of."""
    places: dict[Place, int] = {}

    def number(place: Place) -> int:
        return places.setdefault(place, len(places))

    cells = tuple(
        (*_words(slot), tuple((number(s), number(d), first, last, flow) for s, d, first, last, flow in found))
        for slot, found in layout.cells.items()
    )
    levels = tuple(
        (str(hook), *_words(slot), tuple(map(tuple, found)))
        for (hook, slot, _), found in layout.levels.items()
    )
    return tuple(layout.flows), levels, tuple(places), cells


def unpack(packed: Any) -> Layout:
    used, levels, places, cells = packed
    return Layout(
        flows=frozenset(used),
        levels={
            (Hook(hook), _slot(*words), True): {Level(*each) for each in found}
            for hook, *words, found in levels
        },
        cells={
            _slot(*words): [(places[s], places[d], first, last, flow) for s, d, first, last, flow in found]
            for *words, found in cells
        },
    )


@cache
def service_parts(services: ServiceSet) -> tuple[ServicePart, ...]:
    """The kinds of look-up that tell whether a packet is of a service."""
    return tuple(_service_parts(services))


def _service_parts(services: ServiceSet) -> Iterator[ServicePart]:
    if services == ANY_SERVICE:
        yield Kind.ALL, 0, 0, 0
        return
    for protocol, values in services.parts:
        if values == domain(protocol):
            yield Kind.PROTOCOL, 0, protocol, protocol
        elif protocol in PORT_NUMBERS:
            yield from ((Kind.PORT if a == b else Kind.RANGE, protocol, a, b) for a, b in values)
        else:
            yield from ((Kind.TYPE, protocol, value, value) for a, b in values for value in range(a, b + 1))


def _words(slot: Slot) -> tuple[str, str, int]:
    return str(slot.phase), str(slot.kind), slot.protocol


def _slot(phase: str, kind: str, protocol: int) -> Slot:
    return Slot(Phase(phase), Kind(kind), protocol)


def phase_of(flow: Flow) -> Phase:
    return Phase.STAGED if flow.staged else Phase(flow.action)
