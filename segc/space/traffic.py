"""Traffic: sets of (source, destination, service), as disjoint boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet


class Box(NamedTuple):
    """Every packet from `source` to `destination` of `services`. Gateways stand beside addresses:
    each end is the pair of an address set and a set of gateway names."""

    source: PrefixSet
    destination: PrefixSet
    services: ServiceSet
    from_gateways: frozenset[str] = frozenset()
    to_gateways: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        if not self.services:
            return False
        return (
            bool(self.source.v4 and self.destination.v4 and self.services.exist_in(4))
            or bool(self.source.v6 and self.destination.v6 and self.services.exist_in(6))
            or bool(self.from_gateways and (self.destination or self.to_gateways))
            or bool(self.to_gateways and self.source)
        )

    def __and__(self, other: Box) -> Box:
        return Box(
            self.source & other.source,
            self.destination & other.destination,
            self.services & other.services,
            self.from_gateways & other.from_gateways,
            self.to_gateways & other.to_gateways,
        )

    def minus(self, other: Box) -> Iterator[Box]:
        """What is left without `other`: at most three disjoint boxes, one for each side that sticks out."""
        common = self & other
        if not common:
            yield self
            return
        yield from filter(
            None,
            (
                self._replace(
                    source=self.source - other.source, from_gateways=self.from_gateways - other.from_gateways
                ),
                self._replace(
                    source=common.source,
                    from_gateways=common.from_gateways,
                    destination=self.destination - other.destination,
                    to_gateways=self.to_gateways - other.to_gateways,
                ),
                common._replace(services=self.services - other.services),
            ),
        )


def without(boxes: Iterable[Box], removed: Iterable[Box]) -> list[Box]:
    """The boxes less all of `removed`."""
    left = [box for box in boxes if box]
    for taken in removed:
        left = [rest for box in left for rest in box.minus(taken)]
    return left


def common(boxes: Iterable[Box], others: Iterable[Box]) -> list[Box]:
    """Where any of `boxes` meets any of `others`."""
    others = list(others)
    return [both for box in boxes for other in others if (both := box & other)]
