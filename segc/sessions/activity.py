"""Who is at work, of those whose sessions end when nothing is heard of them (`idle`).

The elements of a session count the packets of connections that it opens. That somebody is at work is written
down a few times in their idle time, for an agent that takes the sessions up after a crash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from segc.sessions import records
from segc.sessions.clock import Moment
from segc.sessions.journal import Record
from segc.sessions.judge import RefusedError
from segc.sessions.kernel import Kernel
from segc.sessions.ledger import Ledger
from segc.sessions.registry import Registry
from segc.sessions.session import Key, Session

WRITES = 4  # how often in somebody's idle time it is written down that they are at work


class Activity:
    def __init__(self, kernel: Kernel, registry: Registry, ledger: Ledger) -> None:
        self._kernel, self._registry, self._ledger = kernel, registry, ledger
        self._packets: dict[Key, int] = {}
        self._unwritten: set[Key] = set()

    def seen(self, session: Session, now: Moment) -> Session:
        """The session with the time of its last packet, if somebody asks for that."""
        if session.verdict.idle is None:
            return session
        return self._heard(session, self._count(session), now)

    def take_stock(self, names: Collection[str], now: Moment) -> None:
        """See who sent packets, before these sets are filled and count anew. OSError."""
        watched = [each for each in self._registry if each.verdict.idle is not None]
        counts = self._kernel.counts(names) if watched else {}
        for session in watched:
            self._heard(session, sum(counts.get(place, 0) for place, _ in session.elements()), now)

    def begin(self, limited: Collection[str], now: Moment) -> None:
        """Who was not asked for packets so far, and is by the policy that comes, may well be at work."""
        for session in list(self._registry):
            if session.verdict.idle is None and session.claim.user in limited:
                self._works(session, now)

    def changed(self, session: Session) -> None:
        """What its elements have counted, which may be the same as before, is no news."""
        if session.verdict.idle is not None:
            self._packets[session.key] = self._count(session)

    def ended(self, key: Key) -> None:
        self._packets.pop(key, None)
        self._unwritten.discard(key)

    def count_anew(self) -> None:
        """All sets have been filled."""
        self._packets.clear()

    def _count(self, session: Session) -> int:
        return self._kernel.packets(place for place, _ in session.elements())

    def _heard(self, session: Session, count: int, now: Moment) -> Session:
        """Of elements that are gone, or were made anew, nothing is heard."""
        if count in (0, self._packets.get(session.key, 0)):
            return session
        self._packets[session.key] = count
        return self._works(session, now)

    def _works(self, session: Session, now: Moment) -> Session:
        idle = session.verdict.idle
        if idle is None or session.active * WRITES // idle != now.boot * WRITES // idle:
            self._unwritten.add(session.key)
        active = replace(session, active=now.boot)
        self._registry.sessions[session.key] = active
        return active

    # -- for the next agent --------------------------------------------------------------------------

    def write_news(self, carried: Collection[Key], now: Moment) -> None:
        """What an agent should know that takes the sessions up after a crash. Not of those that came over a
        reboot (`carried`), whose moments are still by a clock that may be put right."""
        if self._unwritten:
            with suppress(RefusedError):  # where the disk is full, later
                self._ledger.write(list(self._records(self._unwritten, carried, now)))
                self._unwritten.clear()

    def write_all(self, carried: Collection[Key], now: Moment) -> None:
        """Who was at work until now, at a stop. Who was not asked for packets so far may well have been, and
        the policy may ask when the next agent starts."""
        for session in list(self._registry):
            if session.verdict.idle is None:
                self._works(session, now)
            else:
                self.seen(session, now)
        keys = (each.key for each in self._registry)
        self._ledger.put_down(list(self._records(keys, carried, now)))

    def _records(self, keys: Iterable[Key], carried: Collection[Key], now: Moment) -> Iterator[Record]:
        return (records.begins(self._registry.sessions[key], now) for key in keys if key not in carried)
