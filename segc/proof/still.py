"""Connections that stand and whose permission may end: what is looked up again, against what still holds.

Nothing is counted there, so the events are held to the flows by what they say and not by a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segc.proof.atoms import uncovered
from segc.proof.events import Event
from segc.proof.guards import Service
from segc.proof.judge import Judge
from segc.proof.meaning import Product, possible
from segc.proof.recent import REMEMBER
from segc.proof.who import Who
from segc.space.intervals import intersect


def judge_still(judge: Judge) -> None:
    products = judge.meaning.fleeting(judge.role)
    by_service: dict[Service, list[Product]] = {}
    for product in products:
        for service in judge.cover.services(product.flow):
            by_service.setdefault(service, []).append(product)
    accepting: list[Event] = []
    for event in judge.events:
        if event.verdict == "accept" and not event.effects:
            accepting.append(event)
            _sound(judge, event, by_service.get(event.guard.service, ()), products)
        elif event.verdict == "continue" and [effect.kind for effect in event.effects] == [REMEMBER]:
            _sound(judge, event, by_service.get(event.guard.service, ()), products)
        elif event.verdict != "ended" or event.effects or not judge.whole(event):
            judge.report("it is not how a connection ends", event)
    last = max(judge.events, key=lambda event: event.at)
    if last.verdict != "ended":
        judge.report("a connection whose permission has ended goes on", last)
    found: dict[Service, list[Event]] = {}
    for event in accepting:
        found.setdefault(event.guard.service, []).append(event)
    for product in products:
        _complete(judge, product, found, accepting)


def _sound(judge: Judge, event: Event, near: Sequence[Product], every: Sequence[Product]) -> None:
    """An event must lie in flows that open what it keeps open."""
    guard = event.guard
    can = possible(guard.service[0], judge.role)
    if can is not None and not intersect(can, (guard.service[1:],)):
        return
    for products in (near, every):
        held = [p for p in products if p.who <= guard.who and judge.cover.serves(p.flow, guard.service)]
        wide = [p for p in held if not (guard.source & ~p.source or guard.destination & ~p.destination)]
        if wide and judge.clock.differs([p.flow.conditions for p in wide], guard.times)[1] is None:
            return
        timely = [p for p in held if judge.clock.differs([p.flow.conditions], guard.times)[1] is None]
        rest = uncovered(guard[:2], [(p.source, p.destination) for p in timely])
        if not any(judge.meaning.atoms.real(*each) for each in rest):
            return
    judge.report("it keeps a connection open that nothing would open now", event)


def _complete(
    judge: Judge, product: Product, found: dict[Service, list[Event]], every: Sequence[Event]
) -> None:
    near = [event for service in judge.cover.services(product.flow) for event in found.get(service, ())]
    if next(judge.cover.gaps(product, _weaker(near, product.who)), None) is None:
        return
    missing = next(judge.cover.gaps(product, _weaker(every, product.who)), None)
    if missing is not None:
        judge.lacking(missing)


def _weaker(events: Iterable[Event], who: Who) -> list[Event]:
    return [event for event in events if event.guard.who <= who]
