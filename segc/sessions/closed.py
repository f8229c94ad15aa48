"""What is known of sessions that are over, so that events which come late change nothing.

Any number of ids may be told to be over, also of sessions that never were. So of each source only so many are
known one by one: of more, the older ones go, and with them counts no event of what they are part of that is
not newer than all of them. That keeps out what may not come back, and else only what comes very late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from segc.sessions.session import Key

MOST = 100_000  # ids of one source
NOTHING = -1.0  # the last event of an id that nothing was heard of


class End(NamedTuple):
    """The last event, and when we heard of it, in Unix seconds."""

    last: float
    heard: float


@dataclass(slots=True)
class Closed:
    """By source and id. An id that ends in `/` stands for all that begin so, an empty one for the source."""

    _ends: dict[str, dict[str, End]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Key, End]]:
        for source, ends in self._ends.items():
            for id_, end in ends.items():
                yield (source, id_), end

    def __len__(self) -> int:
        return sum(map(len, self._ends.values()))

    def last(self, key: Key) -> float:
        """Of this very id."""
        source, id_ = key
        return self._ends.get(source, {}).get(id_, End(NOTHING, 0)).last

    def newest(self, key: Key) -> float:
        """Of this id, or what it is part of."""
        source, id_ = key
        parts = ["", *(id_[:end] for end, each in enumerate(id_, 1) if each == "/"), id_]
        return max(self.last((source, part)) for part in parts)

    def put(self, key: Key, last: float, heard: float) -> None:
        source, id_ = key
        ends = self._ends.setdefault(source, {})
        ends[id_] = End(max(last, self.last(key)), heard)
        if len(ends) > MOST:
            _fold(ends)

    def set_back(self, wall: float) -> None:
        """The clock shows less than it did: an event now is no older than one that came before it."""
        for ends in self._ends.values():
            for id_, (last, heard) in ends.items():
                ends[id_] = End(min(last, wall), min(heard, wall))

    def forget(self, before: float) -> None:
        """What was heard before that."""
        for source, ends in list(self._ends.items()):
            self._ends[source] = {id_: end for id_, end in ends.items() if end.heard >= before}
            if not self._ends[source]:
                del self._ends[source]


def _fold(ends: dict[str, End]) -> None:
    """Have the older half of those that have most in common known as one: of an access server that tells of
    more than all others, or else of the source."""
    sizes = Counter(id_[: id_.find("/") + 1] for id_ in ends)
    part, size = sizes.most_common(1)[0]
    part = part if 2 * size >= len(ends) else ""
    among = sorted((end, id_) for id_, end in ends.items() if id_.startswith(part))
    older = [ends.pop(id_) for _, id_ in among[: len(among) // 2]]
    older += [ends[part]] if part in ends else []
    ends[part] = End(max(end.last for end in older), max(end.heard for end in older))
