"""Zones, gateways and groups, as rows and columns have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from segc.analysis.conflicts.survey import Survey


class Place(NamedTuple):
    """A row or a column: `kind` is zone, gateway or group."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "zone" else f"{self.kind} {self.name}"


def split(mask: int, survey: Survey) -> Iterator[tuple[Place, int]]:
    """The zones and gateways that a mask of classes lies in, each with its part of the mask."""
    rest = mask
    while rest:
        index = (rest & -rest).bit_length() - 1
        if index in survey.gateways:
            place, whole = Place("gateway", survey.gateways[index]), 1 << index
        else:
            zone = next(number for number in survey.members[index] if number in survey.zone_names)
            place, whole = Place("zone", survey.zone_names[zone]), survey.masks[zone]
        yield place, mask & whole
        rest &= ~whole
