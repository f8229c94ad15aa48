"""Connections of sessions that are over: known a moment longer, so that they are reset, and then ended.

What was open when the agent started may be of a session that ended before, or need none, which nobody can
tell: it goes on until somebody binds there.
"""

from __future__ import annotations

from collections.abc import Iterable

from segc.sessions.session import Change
from segc.space.addresses import Address

LINGER = 10.0  # seconds


class Leftover:
    """The addresses that nobody has any more, each until its connections must go (boot clock), and those
    whose connections go when somebody comes."""

    def __init__(self) -> None:
        self._until: dict[Address, float] = {}
        self._doubtful: set[Address] | None = None  # any may be, while nobody has looked

    def doubtful(self, changes: Iterable[Change]) -> set[Address]:
        """The addresses where somebody comes, and what is open may be of whoever was there before a start."""
        former, current = _users(changes)
        come = current.keys() - former.keys()
        return come if self._doubtful is None else come & self._doubtful

    def hand_over(self, changes: Iterable[Change], now: float) -> set[Address]:
        """The addresses that somebody else has now: what the former one's session let in ends at once."""
        former, current = _users(changes)
        hands = {each for each, user in current.items() if former.get(each, user) != user}
        hands |= current.keys() & self._until.keys()
        self.ended(hands)
        for address in hands:
            self._until.pop(address, None)
        self._until |= dict.fromkeys(former.keys() - current.keys(), now + LINGER)
        return hands

    def found(self, addresses: Iterable[Address]) -> None:
        """These alone have connections, and nobody is there."""
        self._doubtful = set(addresses)

    def again(self, addresses: Iterable[Address], now: float) -> None:
        """Have theirs go at the next look."""
        self._until |= dict.fromkeys(addresses, now)

    def due(self, now: float) -> set[Address]:
        """Take out those whose connections must go. Until they have `ended`, they do when somebody comes."""
        due = {address for address, until in self._until.items() if until <= now}
        for address in due:
            del self._until[address]
        if self._doubtful is not None:
            self._doubtful |= due
        return due

    def ended(self, addresses: Iterable[Address]) -> None:
        if self._doubtful is not None:
            self._doubtful.difference_update(addresses)


def _users(changes: Iterable[Change]) -> tuple[dict[Address, str], dict[Address, str]]:
    """Who is at each address before and after."""
    former: dict[Address, str] = {}
    current: dict[Address, str] = {}
    for before, after, _ in changes:
        former |= dict.fromkeys(before.claim.addresses, before.claim.user) if before else {}
        current |= dict.fromkeys(after.claim.addresses, after.claim.user) if after else {}
    return former, current
