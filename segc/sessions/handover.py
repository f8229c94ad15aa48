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
    _last: tuple[Session | None, Session] | None = None  # what the last record made of one, if it began
    _when: float = 0.0

    @property
    def unsettled(self) -> Addresses:
        """Those that the last record gave to somebody, and somebody else had until just before."""
        if self._last is None:
            return NONE
        before, after = self._last
        recent = (each for left, each in self._left if 0 <= self._when - left <= LINGER)
        return _addresses(after).difference(_addresses(before)) & NONE.union(*recent)

    def begins(self, before: Session | None, after: Session, boot: float) -> None:
        if before is not None:
            self._leave(_addresses(before).difference(after.claim.addresses), boot)
        self._last, self._when = (before, after), boot

    def ends(self, before: Session | None, boot: float) -> None:
        self._leave(_addresses(before), boot)
        self.settled()

    def settled(self) -> None:
        self._last = None

    def _leave(self, addresses: Addresses, boot: float) -> None:
        while self._left and not 0 <= boot - self._left[0][0] <= LINGER:
            self._left.popleft()
        if addresses:
            self._left.append((boot, addresses))


def _addresses(session: Session | None) -> Addresses:
    return NONE if session is None else frozenset(session.claim.addresses)
