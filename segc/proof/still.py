"""Connections that stand and may have to end: what is looked up again, against what holds by now.

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
    meaning, role = judge.meaning, judge.role
    last = max(judge.events, key=lambda event: event.at)
    passing = [event for event in judge.events if _passes(event)]
    ending = [event for event in judge.events if not _passes(event) and (event is not last or role.lasting)]
    for event in ending:
        if event.verdict != "ended" or event.effects:
            judge.report("it is not how a connection ends", event)
    _held(judge, ending, meaning.looming(role), "it ends a connection that nothing would refuse now")
    first = min((event.at for event in passing), default=None)
    if late := next((event for event in ending if first is not None and event.at > first), None):
        judge.report("it comes too late: the connection has gone on before", late)
    if role.lasting:
        if last.verdict != "accept" or last.effects or not judge.whole(last):
            judge.report("a connection ends that no deny has come to", last)
        return
    _held(judge, passing, meaning.fleeting(role), "it keeps a connection open that nothing would open now")
    if last.verdict != "ended" or last.effects or not judge.whole(last):
        judge.report("a connection whose permission has ended goes on", last)


def _passes(event: Event) -> bool:
    """Whether it lets a connection go on, or remembers that it may."""
    if event.verdict == "accept":
        return not event.effects
    return event.verdict == "continue" and [effect.kind for effect in event.effects] == [REMEMBER]


def _held(judge: Judge, events: Sequence[Event], products: Sequence[Product], wrong: str) -> None:
    """Events must lie in the products, and those that decide have to cover them."""
    by_service: dict[Service, list[Product]] = {}
    for product in products:
        for service in judge.cover.services(product.flow):
            by_service.setdefault(service, []).append(product)
    for event in events:
        if not _sound(judge, event, by_service.get(event.guard.service, ()), products):
            judge.report(wrong, event)
    deciding = [event for event in events if event.verdict != "continue"]
    found: dict[Service, list[Event]] = {}
    for event in deciding:
        found.setdefault(event.guard.service, []).append(event)
    for product in products:
        _complete(judge, product, found, deciding)


def _sound(judge: Judge, event: Event, near: Sequence[Product], every: Sequence[Product]) -> bool:
    """Whether an event lies in flows that say the same."""
    guard = event.guard
    can = possible(guard.service[0], judge.role)
    if can is not None and not intersect(can, (guard.service[1:],)):
        return True
    for products in (near, every):
        held = [p for p in products if p.who <= guard.who and judge.cover.serves(p.flow, guard.service)]
        wide = [p for p in held if not (guard.source & ~p.source or guard.destination & ~p.destination)]
        if wide and judge.clock.differs([p.flow.conditions for p in wide], guard.times)[1] is None:
            return True
        timely = [p for p in held if judge.clock.differs([p.flow.conditions], guard.times)[1] is None]
        rest = uncovered(guard[:2], [(p.source, p.destination) for p in timely])
        if not any(judge.meaning.atoms.real(*each) for each in rest):
            return True
    return False


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
