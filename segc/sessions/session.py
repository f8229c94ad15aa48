"""A claim that was taken, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from segc.frozen import frozen
from segc.identity.claim import Claim
from segc.sessions.book import Membership
from segc.space.addresses import Address

Key = tuple[str, str]  # the source, and its own name for the session
Place = tuple[str, Address]  # a kernel set, and an element of it


class Verdict(NamedTuple):
    """What the policy makes of a session. Moments are on the boot clock, `idle` is in seconds.

    A membership is held until its own moment if that comes before `until`: facts about the device go stale.
    """

    until: float
    bound: str  # what says so
    idle: int | None = None
    held: tuple[tuple[Membership, float], ...] = ()


NOT_JUDGED = Verdict(0.0, "")


@frozen
class Session:
    """`began`, `renewed` by its source and last `active` on the boot clock, `last` event in Unix seconds."""

    claim: Claim
    began: float
    renewed: float
    active: float
    last: float
    verdict: Verdict = NOT_JUDGED

    @property
    def key(self) -> Key:
        return self.claim.source, self.claim.id

    def elements(self) -> Iterator[tuple[Place, float]]:
        """The elements that it is worth, each until when, on the boot clock."""
        until = self.verdict.until
        for membership, limit in self.verdict.held:
            for address in self.claim.addresses:
                name = membership.ipv4 if address.version == 4 else membership.ipv6
                yield (name, address), min(until, limit)

    @property
    def wake(self) -> float:
        """When somebody must look at it again."""
        until, _, idle, held = self.verdict
        moment = until if idle is None else min(until, self.active + idle)
        for _, limit in held:
            moment = min(moment, limit)
        return moment

    def set_back(self, wall: float) -> Session:
        """The same after the clock was set back: what happens from now on is newer than its last event."""
        return replace(self, last=min(self.last, wall))

    def judged(self, verdict: Verdict) -> Session:
        """The same with another verdict; quicker than `replace`, as there may be very many."""
        return Session(self.claim, self.began, self.renewed, self.active, self.last, verdict)


class Change(NamedTuple):
    """A session that begins (`before` is None), ends (`after` is None) or becomes another, and why."""

    before: Session | None
    after: Session | None
    why: str = ""

    @property
    def session(self) -> Session:
        found = self.after or self.before
        assert found is not None
        return found
