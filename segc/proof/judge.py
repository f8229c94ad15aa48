"""Holds the events of one decision to the policy, flow by flow.

Every event must lie in the flow that it counts for, and every flow must be covered by events; then both
sides say the same of every packet. A packet that several flows decide may be counted for any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from segc.policy.model import Flow
from segc.proof.atoms import Rectangle, uncovered
from segc.proof.cover import Cover, Missing
from segc.proof.duties import RANKS, counter, expected, labels, rank
from segc.proof.events import Event
from segc.proof.guards import Guard
from segc.proof.meaning import Meaning, Product, Role
from segc.proof.model import Problem
from segc.proof.near import Near
from segc.proof.times import ALWAYS, Clock
from segc.proof.who import NOBODY
from segc.proof.witness import worded

SAYS = {"allow": "allows it", "deny": "denies it"}
DOES = {
    "accept": "accepts it",
    "continue": "counts it",
    "refuse": "refuses it",
    "refuse quietly": "refuses it",
    "ended": "ends it",
    "exit": "drops it",
}


@dataclass
class Judge:
    """`events` are those of `role` at one hook, and `everything` all packets that come there."""

    meaning: Meaning
    clock: Clock
    role: Role
    everything: Guard
    events: Sequence[Event]
    problems: list[Problem] = field(default_factory=list)

    def judge(self) -> list[Problem]:
        self._default()
        self._order()
        by_flow: dict[str, list[Event]] = {}
        for event in self.events:
            if rank(event, self.flows) == "unknown":
                self._odd(event)
            else:
                by_flow.setdefault(counter(event), []).append(event)
        unnamed = by_flow.pop("", [])
        self._intra([event for event in unnamed if not labels(event)])
        self._labelled([event for event in unnamed if labels(event)])
        for flow, products in self.meaning.products(self.role.opened):
            events = by_flow.get(f"flow_{flow.id}", [])  # flows of one meaning share their name
            self._sound(flow, products, events)
            self._complete(flow, products, events)
        here = {f"flow_{flow.id}" for flow, _ in self.meaning.products(self.role.opened)}
        for name in by_flow.keys() - here:
            self._sound(self.flows[name], (), by_flow[name])
        return self.problems

    @cached_property
    def cover(self) -> Cover:
        return Cover(self.meaning, self.clock, self.role, self.events, self.flows)

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
            if not late:
                continue
            near = Near(above)
            for event in late:
                early = next((e for e in near.to(event) if e.at < event.at and self._meet(e, event)), None)
                if early is not None:
                    self.report(
                        "it comes too late: another rule has decided before",
                        event,
                        early.guard.both(event.guard),
                    )
                    return

    def _meet(self, one: Event, other: Event) -> bool:
        """Whether a packet can be meant by both."""
        both = one.guard.both(other.guard)
        return both is not None and bool(self.meaning.atoms.real(both.source, both.destination))

    def _odd(self, event: Event) -> None:
        if event.verdict == "refuse" and not event.effects and self.whole(event):
            return
        self.report(f"it says `{event.verdict}` in the name of no flow", event)

    # -- soundness -------------------------------------------------------------------------------

    def _sound(self, flow: Flow, products: Sequence[Product], events: Sequence[Event]) -> None:
        for event in events:
            guard = event.guard
            exact = [p for p in products if p.who == guard.who]
            if not self.cover.serves(flow, guard.service):
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
            for missing in self.cover.gaps(product, own):
                self.lacking(missing)
                break

    def _labelled(self, events: Sequence[Event]) -> None:
        """Connections that no deny forbids yet must be known when one comes to. More of them do no harm."""
        sure = [event for event in events if (event.guard.who, event.guard.times) == (NOBODY, ALWAYS)]
        for flow, products in self.meaning.products(self.role.opened):
            for product in products if flow.action == "deny" and not flow.staged else ():
                if product.looming and (missing := next(self.cover.gaps(product, sure), None)):
                    self.lacking(missing)

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
        again = {"allow": "ends it", "deny": "lets it go on"}[flow.action]
        does = "does not count it" if flow.staged else again if self.role.still else "decides otherwise"
        message = f"the flow `{flow.id}` is not all there"
        self.problems.append(Problem(message, 0, witness, says, does, flow.id))


def _rest(wanted: Rectangle, products: Iterable[Product]) -> list[Rectangle]:
    for product in products:
        if not (wanted[0] & ~product.source or wanted[1] & ~product.destination):
            return []
    return uncovered(wanted, [(product.source, product.destination) for product in products])
