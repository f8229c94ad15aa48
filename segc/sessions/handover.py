"""Addresses that were just changing hands when the journal ends.

What a former holder had open is forgotten before anything else is written. So only the last record can tell
of a session whose agent died before that, and of those who were there in the seconds before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from segc.sessions.leftover import LINGER
from segc.sessions.session import Session
from segc.space.addresses import Address

Addresses = frozenset[Address]
NONE: Addresses = frozenset()


@dataclass(slots=True)
class Handover:
    """Told of all records in order, with their moments on the boot clock."""

    _left: deque[tuple[float, Addresses]] = field(default_factory=deque)
    _come: Addresses = NONE  # with the last record
    _when: float = 0.0

    @property
    def unsettled(self) -> Addresses:
        """Those that the last record gave to somebody, and somebody else had until just before."""
        recent = (each for left, each in self._left if 0 <= self._when - left <= LINGER)
        return self._come & NONE.union(*recent)

    def begins(self, before: Session | None, after: Session, boot: float) -> None:
        known = frozenset(before.claim.addresses) if before is not None else NONE
        self._leave(known.difference(after.claim.addresses), boot)
        self._come, self._when = frozenset(after.claim.addresses) - known, boot

    def ends(self, before: Session | None, boot: float) -> None:
        self._leave(frozenset(before.claim.addresses) if before is not None else NONE, boot)
        self.settled()

    def settled(self) -> None:
        self._come = NONE

    def _leave(self, addresses: Addresses, boot: float) -> None:
        while self._left and not 0 <= boot - self._left[0][0] <= LINGER:
            self._left.popleft()
        if addresses:
            self._left.append((boot, addresses))
