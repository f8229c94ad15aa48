"""Two clocks: what people read, and what nobody can set.

Lifetimes are counted on CLOCK_BOOTTIME, which runs on while the machine sleeps and which setting the time
does not touch; moments that come from elsewhere, and all that is told, are in Unix seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


class Moment(NamedTuple):
    """Unix seconds and seconds since boot, taken together."""

    wall: float
    boot: float

    def on_boot_clock(self, wall: float) -> float:
        return self.boot + wall - self.wall

    def on_wall_clock(self, boot: float) -> float:
        return self.wall + boot - self.boot


Clock = Callable[[], Moment]


def now() -> Moment:
    return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))


def iso(wall: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
