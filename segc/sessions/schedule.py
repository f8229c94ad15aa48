"""When each session is to be looked at again."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from segc.sessions.session import Key

NEVER = float("inf")
FEW = 1000  # entries of the queue that are not worth a tidying


class Schedule:
    """A moment for each key, on the boot clock.

    A key that is put off keeps its place in the queue, and is put off when that comes up: what is renewed
    again and again leaves no trail there.
    """

    def __init__(self) -> None:
        self._moments: dict[Key, float] = {}
        self._places: dict[Key, float] = {}  # never later than its moment
        self._queue: list[tuple[float, Key]] = []  # places, and some that do not count any more

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, key: Key, moment: float) -> None:
        """In the place of the moment that it had, if any."""
        self._moments[key] = moment
        place = self._places.get(key)
        if place is None or moment < place:
            self._places[key] = moment
            heapq.heappush(self._queue, (moment, key))
            if place is not None:
                self._tidy()

    def drop(self, key: Key) -> None:
        self._moments.pop(key, None)
        if self._places.pop(key, None) is not None:
            self._tidy()

    @property
    def next(self) -> float:
        """Nothing is due before."""
        return self._queue[0][0] if self._queue else NEVER

    def due(self, now: float) -> Iterator[Key]:
        """Take out those whose moment has come."""
        while self._queue and self._queue[0][0] <= now:
            place, key = heapq.heappop(self._queue)
            if self._places.get(key) != place:
                continue
            del self._places[key]
            if self._moments[key] <= now:
                del self._moments[key]
                yield key
            else:
                self.put(key, self._moments[key])

    def _tidy(self) -> None:
        if len(self._queue) > 2 * len(self._places) + FEW:
            self._queue = [(place, key) for key, place in self._places.items()]
            heapq.heapify(self._queue)
