"""Whether events say all that flows do: which packets of a flow no event decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from segc.policy.model import Flow
from segc.proof.atoms import Rectangle, uncovered
from segc.proof.duties import rank
from segc.proof.events import Event
from segc.proof.guards import ANY, Guard, Service, narrowed
from segc.proof.meaning import Meaning, Product, Role, Served, possible, served
from segc.proof.times import ALWAYS, Clock
from segc.proof.who import NOBODY
from segc.space.intervals import Intervals, covers, intersect
from segc.space.services import domain


class Missing(NamedTuple):
    """Packets of a product that no event decides."""

    product: Product
    places: Rectangle
    service: Service
    at: int | None


@dataclass
class Cover:
    """`events` are those of `role` at one hook; `flows` are by the names of their counters."""

    meaning: Meaning
    clock: Clock
    role: Role
    events: Sequence[Event]
    flows: dict[str, Flow]
    _served: dict[object, Served | None] = field(default_factory=dict)

    def serves(self, flow: Flow, service: Service) -> bool:
        values = self._values(flow)
        if values is None:
            return True
        protocols = range(256) if service == ANY else (service[0],)
        for protocol in protocols:
            held: Intervals = domain(protocol) if service == ANY else (service[1:],)
            can = possible(protocol, self.role)
            wanted = held if can is None else intersect(held, can)
            if not covers(values.get(protocol, ()), wanted):
                return False
        return True

    def _values(self, flow: Flow) -> Served | None:
        if flow.services not in self._served:
            self._served[flow.services] = served(flow.services, self.role)
        return self._served[flow.services]

    def gaps(self, product: Product, own: Sequence[Event]) -> Iterator[Missing]:
        timely: list[Event] = []
        late: int | None = None
        for event in own:
            lacks, _ = self.clock.differs([product.flow.conditions], event.guard.times)
            if lacks is None:
                timely.append(event)
            else:
                late = lacks
        wanted = product.source, product.destination
        if self._plain(product, timely, wanted):
            return
        for service in self.services(product.flow):
            for piece, rest in self._pieces(service, wanted, timely):
                others = [] if product.flow.staged else self._others(product, piece)
                for part, places in self._pieces(piece, rest, others):
                    for crossed in self.meaning.crossed(*places):
                        if self.meaning.atoms.real(*crossed):
                            yield Missing(product, crossed, part, late)

    def _plain(self, product: Product, events: Sequence[Event], wanted: Rectangle) -> bool:
        """Whether each part of the service is an event's own, for all of the places."""
        by_service: dict[Service, list[Rectangle]] = {}
        for event in events:
            if event.guard.family:
                return False
            by_service.setdefault(event.guard.service, []).append(event.guard[:2])
        return all(
            service in by_service and not uncovered(wanted, by_service[service])
            for service in self.services(product.flow)
        )

    def services(self, flow: Flow) -> Iterable[Service]:
        values = self._values(flow)
        if values is None:
            return (ANY,)
        return [(protocol, a, b) for protocol, spans in values.items() for a, b in spans]

    def _pieces(
        self, service: Service, wanted: Rectangle, events: Sequence[Event]
    ) -> Iterator[tuple[Service, Rectangle]]:
        """What of a product the events leave, for parts of the service that all events treat alike."""
        near = [event.guard for event in events if narrowed(event.guard.service, service)]
        for part in _parts(service, near):
            held = [guard for guard in near if narrowed(guard.service, part) == part]
            for family in (4, 6) if any(guard.family for guard in held) else (0,):
                mine = [guard[:2] for guard in held if guard.family in (0, family)]
                side = self._side(family)
                yield from (
                    (part, rest)
                    for rest in uncovered((wanted[0] & side, wanted[1] & side), mine)
                    if rest[0] and rest[1]
                )

    def _side(self, family: int) -> int:
        atoms = self.meaning.atoms
        return atoms.family[family] | atoms.own if family else atoms.everywhere | atoms.own

    def _others(self, product: Product, service: Service) -> list[Event]:
        """Events that decide the same way, whoever is there and whenever."""
        action = product.flow.action
        return [event for event in self._sure.get(action, ()) if narrowed(event.guard.service, service)]

    @cached_property
    def _sure(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in self.events:
            if event.guard.who == NOBODY and event.guard.times == ALWAYS:
                unlimited = not any(effect.kind != "counter" for effect in event.effects)
                if unlimited and (word := rank(event, self.flows)) in ("allow", "deny"):
                    found.setdefault(word, []).append(event)
        return found


def _parts(service: Service, guards: Iterable[Guard]) -> Iterator[Service]:
    """The service cut where an event's begins or ends."""
    near = {guard.service for guard in guards}
    if service == ANY:
        if near <= {ANY}:
            yield ANY
        else:
            for protocol in range(256):
                for values in domain(protocol):
                    yield from _parts((protocol, *values), guards)
        return
    protocol, first, last = service
    cuts = {first, last + 1}
    for number, low, high in near:
        if number == protocol:
            cuts.update(cut for cut in (low, high + 1) if first < cut <= last)
    yield from ((protocol, a, b - 1) for a, b in pairwise(sorted(cuts)))
