"""Holds the events of one decision to the policy, flow by flow.

Every event must lie in the flow that it counts for, and every flow must be covered by events; then both
sides say the same of every packet. A packet that several flows decide may be counted for any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from segc.policy.model import Flow
from segc.proof.atoms import Rectangle, uncovered
from segc.proof.duties import RANKS, counter, expected, rank
from segc.proof.events import Event
from segc.proof.guards import ANY, Guard, Service, narrowed
from segc.proof.meaning import Meaning, Product, Role, Served, possible, served
from segc.proof.model import Problem
from segc.proof.times import ALWAYS, Clock
from segc.proof.who import NOBODY
from segc.proof.witness import worded
from segc.space.intervals import Intervals, covers, intersect
from segc.space.services import domain

SAYS = {"allow": "allows it", "deny": "denies it"}
DOES = {
    "accept": "accepts it",
    "continue": "counts it",
    "refuse": "refuses it",
    "refuse quietly": "refuses it",
    "ended": "ends it",
    "exit": "drops it",
}


class Missing(NamedTuple):
    """Packets of a product that no event decides."""

    product: Product
    places: Rectangle
    service: Service
    at: int | None


@dataclass
class Judge:
    """`events` are those of `role` at one hook, and `everything` all packets that come there."""

    meaning: Meaning
    clock: Clock
    role: Role
    everything: Guard
    events: Sequence[Event]
    problems: list[Problem] = field(default_factory=list)
    _served: dict[object, Served | None] = field(default_factory=dict)

    def judge(self) -> list[Problem]:
        self._default()
        self._order()
        by_flow: dict[str, list[Event]] = {}
        for event in self.events:
            if rank(event, self.flows) == "unknown":
                self._odd(event)
            else:
                by_flow.setdefault(counter(event), []).append(event)
        self._intra(by_flow.pop("", []))
        for flow, products in self.meaning.products(self.role.opened):
            events = by_flow.get(f"flow_{flow.id}", [])  # flows of one meaning share their name
            self._sound(flow, products, events)
            self._complete(flow, products, events)
        here = {f"flow_{flow.id}" for flow, _ in self.meaning.products(self.role.opened)}
        for name in by_flow.keys() - here:
            self._sound(self.flows[name], (), by_flow[name])
        return self.problems

    @cached_property
    def flows(self) -> dict[str, Flow]:
        return {f"flow_{flow.id}": flow for flow in self.meaning.policy.flows}

    # -- structure -------------------------------------------------------------------------------

    def _default(self) -> None:
        """What nothing decides is refused, and logged."""
        last = max(self.events, key=lambda event: event.at, default=None)
        if last is None or last.verdict != "refuse" or last.effects or not self.whole(last):
            self.report("packets that no flow decides are not refused", last)

    def whole(self, event: Event) -> bool:
        return event.guard == self.everything

    def _order(self) -> None:
        """Staged flows see every packet, denies come before allows, and flows before what zones open."""
        ranked: list[tuple[int, Event]] = []
        for event in self.events:
            word = rank(event, self.flows)
            ranked.append((RANKS.index(word) if word in RANKS else len(RANKS), event))
        for high in range(1, len(RANKS) + 1):
            above = [event for number, event in ranked if number == high]
            below = [event for number, event in ranked if number < high]
            first = min((event.at for event in above), default=None)
            late = [event for event in below if first is not None and event.at > first]
            for event in late:
                early = next((e for e in above if e.at < event.at and e.guard.both(event.guard)), None)
                if early is not None and self.meaning.atoms.real(*early.guard.both(event.guard)[:2]):  # type: ignore[index]
                    self.report("it comes too late: another rule has decided before", event, early.guard)
                    return

    def _odd(self, event: Event) -> None:
        if event.verdict == "refuse" and not event.effects and self.whole(event):
            return
        self.report(f"it says `{event.verdict}` in the name of no flow", event)

    # -- soundness -------------------------------------------------------------------------------

    def _sound(self, flow: Flow, products: Sequence[Product], events: Sequence[Event]) -> None:
        for event in events:
            guard = event.guard
            exact = [p for p in products if p.who == guard.who]
            if not self.serves(flow, guard.service):
                self.report(
                    f"it counts for the flow `{flow.id}`, which is of another service", event, flow=flow.id
                )
                continue
            held = exact or [p for p in products if p.who <= guard.who]
            rest = _rest(guard[:2], held)
            if rest and exact:
                rest = _rest(guard[:2], [p for p in products if p.who <= guard.who])
            wrong = next((each for each in rest if self.meaning.atoms.real(*each)), None)
            if wrong is not None:
                narrow = guard._replace(source=wrong[0], destination=wrong[1])
                self.report(
                    f"it counts for the flow `{flow.id}`, which says nothing of this",
                    event,
                    narrow,
                    flow=flow.id,
                )
                continue
            self._timely(flow, event)
            self._effects(flow, event)

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

    def _timely(self, flow: Flow, event: Event) -> None:
        _, extra = self.clock.differs([flow.conditions], event.guard.times)
        if extra is not None:
            self.report(
                f"it holds at a time at which the flow `{flow.id}` does not", event, at=extra, flow=flow.id
            )

    def _effects(self, flow: Flow, event: Event) -> None:
        wanted, verdict = expected(flow, event.guard.who)
        if event.verdict != verdict:
            self.report(
                f"it says `{event.verdict}`, and the flow `{flow.id}` stands for `{verdict}`",
                event,
                flow=flow.id,
            )
        elif event.effects != wanted:
            message = f"for the flow `{flow.id}` it counts, limits, logs or labels otherwise than it should"
            self.report(message, event, flow=flow.id)

    # -- completeness ----------------------------------------------------------------------------

    def _complete(self, flow: Flow, products: Sequence[Product], events: Sequence[Event]) -> None:
        for product in products:
            own = [e for e in events if e.guard.who <= product.who]
            for missing in self.gaps(product, own):
                self.lacking(missing)
                break

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

    # -- within zones ----------------------------------------------------------------------------

    def _intra(self, events: Sequence[Event]) -> None:
        zones = self.meaning.policy.zones if self.role.opened == "forward" and not self.role.still else {}
        wide = {
            name: bits
            for name, bits in self.meaning.zones.items()
            if name in zones and not zones[name].isolated
        }
        exact: set[Rectangle] = set()
        for event in events:
            zone = next(
                (b for b in wide.values() if not event.guard[0] & ~b and not event.guard[1] & ~b), None
            )
            if zone is None or event.effects or event.guard != Guard(*event.guard[:2]):
                self.report("it accepts in the name of no flow", event)
            else:
                exact.add(event.guard[:2])
        for name, bits in wide.items():
            if bits and (bits, bits) not in exact and uncovered((bits, bits), exact):
                witness = worded(self.meaning, self.role, Guard(bits, bits), None)
                message = f"hosts of the zone `{name}` may not talk to each other"
                self.problems.append(Problem(message, 0, witness, "allows it", "decides otherwise"))

    # -- findings --------------------------------------------------------------------------------

    def report(
        self,
        message: str,
        event: Event | None,
        guard: Guard | None = None,
        at: int | None = None,
        flow: str = "",
    ) -> None:
        """An event that the policy does not stand behind."""
        if event is None:
            self.problems.append(Problem(message))
            return
        witness = worded(self.meaning, self.role, guard or event.guard, at)
        does = DOES.get(event.verdict, f"says {event.verdict}")
        self.problems.append(Problem(message, event.line, witness, "", does, flow))

    def lacking(self, missing: Missing) -> None:
        flow = missing.product.flow
        guard = Guard(*missing.places, missing.service, 0, missing.product.who)
        witness = worded(self.meaning, self.role, guard, missing.at)
        says = SAYS[flow.action] + (" when no longer staged" if flow.staged else "")
        does = "does not count it" if flow.staged else "ends it" if self.role.still else "decides otherwise"
        message = f"the flow `{flow.id}` is not all there"
        self.problems.append(Problem(message, 0, witness, says, does, flow.id))


def _rest(wanted: Rectangle, products: Iterable[Product]) -> list[Rectangle]:
    for product in products:
        if not (wanted[0] & ~product.source or wanted[1] & ~product.destination):
            return []
    return uncovered(wanted, [(product.source, product.destination) for product in products])


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
