"""Events by the places that they are from, lest each is compared with each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from segc.proof.atoms import members
from segc.proof.events import Event

FEW = 64  # places; an event that is from more of them is compared with all


class Near:
    def __init__(self, events: Sequence[Event]) -> None:
        self._all, self._wide = events, [each for each in events if _wide(each)]
        self._by_place: dict[int, list[Event]] = defaultdict(list)
        for event in events:
            for place in () if _wide(event) else members(event.guard.source):
                self._by_place[place].append(event)

    def to(self, event: Event) -> Iterator[Event]:
        """All that can be from where this one is from; some of them more than once."""
        if _wide(event):
            yield from self._all
            return
        yield from self._wide
        for place in members(event.guard.source):
            yield from self._by_place.get(place, ())


def _wide(event: Event) -> bool:
    return event.guard.source.bit_count() > FEW
