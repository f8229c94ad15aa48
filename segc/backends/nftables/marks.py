"""How a packet's two places are held in its mark while the ruleset decides.

From the highest bit down: source zone, source class, destination zone, destination class. Bits that the
gateway's `mark` setting does not grant are never touched, and ours are zero again on every accepted packet.
"""

from __future__ import annotations

from segc.enforcement.places import Place, Places
from segc.enforcement.program import Level
from segc.frozen import frozen

ALL_BITS = 0xFFFFFFFF


@frozen
class MarkLayout:
    """`shift` is the lowest bit used; fields are `zone_bits` and `class_bits` wide, for each end."""

    zone_bits: int
    class_bits: int
    shift: int

    @property
    def end_bits(self) -> int:
        return self.zone_bits + self.class_bits

    def source(self, place: Place) -> int:
        return self._end(place) << (self.shift + self.end_bits)

    def destination(self, place: Place) -> int:
        return self._end(place) << self.shift

    def pair(self, source: Place, destination: Place) -> int:
        return self.source(source) | self.destination(destination)

    def _end(self, place: Place) -> int:
        return place[0] << self.class_bits | place[1]

    def mask(self, level: Level) -> int:
        """The bits that a lookup of this level compares."""
        source, destination = self._end_mask(level.source), self._end_mask(level.destination)
        return (source << self.end_bits | destination) << self.shift

    def _end_mask(self, depth: int) -> int:
        zone = ((1 << self.zone_bits) - 1) << self.class_bits
        return (0, zone, zone | (1 << self.class_bits) - 1)[depth]

    def write_source(self, place: Place) -> str:
        """The statement that puts a source into the mark and clears the rest of our bits."""
        return self.statement(self.source(place))

    def write_destination(self, place: Place) -> str:
        """The statement that adds a destination to the source."""
        return f"meta mark set meta mark | 0x{self.destination(place):08x}"

    def clear(self) -> str:
        return self.statement(0)

    def statement(self, value: int) -> str:
        if not self.kept:
            return f"meta mark set 0x{value:08x}"
        kept = f"meta mark set meta mark & 0x{self.kept:08x}"
        return f"{kept} | 0x{value:08x}" if value else kept

    @property
    def kept(self) -> int:
        """The bits that are not ours."""
        return ALL_BITS & ~self.mask(Level(2, 2))


def layout(places: Places, granted: int) -> MarkLayout | None:
    """The layout at the top of the longest run of granted bits; None where it does not fit."""
    zone_bits, class_bits = places.zone_bits, places.class_bits
    needed = 2 * (zone_bits + class_bits)
    top, length = longest_run(granted)
    return MarkLayout(zone_bits, class_bits, top + 1 - needed) if needed <= length else None


def longest_run(mask: int) -> tuple[int, int]:
    """The highest bit and the length of the longest run of ones, the higher of equal ones."""
    best = (-1, 0)
    length = 0
    for bit in range(32):
        length = length + 1 if mask >> bit & 1 else 0
        if length and length >= best[1]:
            best = (bit, length)
    return best
