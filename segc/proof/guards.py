"""Sets of packets between places, as rules and elements of maps single them out."""

from __future__ import annotations

from typing import NamedTuple

from segc.proof.times import ALWAYS, Lines
from segc.proof.who import NOBODY, Who
from segc.space.protocols import PORT_NUMBERS

Service = tuple[int, int, int]  # protocol, first and last port or type
ANY: Service = (-1, 0, 0)
WITH_PORTS = -2  # any protocol that has ports, until the rule before says which


class Guard(NamedTuple):
    """Packets: from places, to places, of a service, of a family (0: both), of whom, and when."""

    source: int
    destination: int
    service: Service = ANY
    family: int = 0
    who: Who = NOBODY
    times: Lines = ALWAYS

    def both(self, other: Guard) -> Guard | None:
        source, destination = self.source & other.source, self.destination & other.destination
        service = narrowed(self.service, other.service)
        apart = self.family and other.family and self.family != other.family
        if not (source and destination) or service is None or apart:
            return None
        return Guard(
            source,
            destination,
            service,
            self.family or other.family,
            self.who | other.who if other.who else self.who,
            _and(self.times, other.times),
        )


def narrowed(a: Service, b: Service) -> Service | None:
    if a[0] < b[0]:
        a, b = b, a
    if b == ANY or a == b:
        return a
    if b[0] == WITH_PORTS and a == ANY:
        return b
    if a[0] != b[0] and not (b[0] == WITH_PORTS and a[0] in PORT_NUMBERS):
        return None
    first, last = max(a[1], b[1]), min(a[2], b[2])
    return (a[0], first, last) if first <= last else None


def _and(a: Lines, b: Lines) -> Lines:
    if a == ALWAYS or b == ALWAYS:
        return b if a == ALWAYS else a
    return frozenset(x + y for x in a for y in b)
