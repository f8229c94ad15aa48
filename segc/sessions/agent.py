"""The sessions of one host: what is asked of them, and how it is carried out.

A change is first written down and then made in the kernel, as one transaction, before anybody is told that it
was: so what was acknowledged is never lost, and whoever restarts after a crash finds at least as much written
as the kernel holds. What ends does so even where it cannot be written.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from segc.apply.host import RefusedByKernelError
from segc.identity.claim import Claim, Facts
from segc.sessions import records
from segc.sessions.activity import Activity
from segc.sessions.audit import Audit
from segc.sessions.clock import Clock, Moment
from segc.sessions.closed import NOTHING
from segc.sessions.journal import Journal
from segc.sessions.judge import BarredError, RefusedError, Situation, judge
from segc.sessions.kernel import Kernel, end_connections
from segc.sessions.ledger import Ledger
from segc.sessions.leftover import Leftover
from segc.sessions.registry import Registry
from segc.sessions.schedule import Schedule
from segc.sessions.session import Change, Key, Session
from segc.sessions.takeover import newer_at, taken_from
from segc.sessions.telling import Teller
from segc.space.addresses import Address

LOOKS = 8  # how often in its idle time a session is looked at
Hook = Callable[[str], None]


class Agent:
    """Everything it needs is handed to it. `before` is told of each step of a change."""

    def __init__(
        self,
        journal: Journal,
        kernel: Kernel,
        audit: Audit,
        clock: Clock,
        host: str,
        before: Hook = lambda step: None,
    ) -> None:
        self.ledger, self.kernel, self.clock = Ledger(journal), kernel, clock
        self.teller = Teller(audit, clock, host)
        self.registry = Registry()
        self.activity = Activity(kernel, self.registry, self.ledger)
        self.kept = records.Kept()
        self.situation = Situation(devices=self.kept.devices, barred=self.kept.barred)
        self.stale = True  # the kernel may hold something else than we think
        self.refresh: Callable[[], None] = lambda: None  # for whoever knows where the policy is to set
        self.leftover = Leftover()
        self.schedule = Schedule()
        self._before = before

    # -- what sources ask ----------------------------------------------------------------------------

    def bind(self, claim: Claim) -> Session | None:
        """Take a claim; the session, or None if something newer is known of its id, or of all its addresses.
        RefusedError."""
        now = self.clock()
        places = newer_at(claim, claim.at, self.registry, self.situation.book)
        if claim.at <= self._newest(claim.key) or not places:
            return None
        claim = claim if places == claim.addresses else replace(claim, addresses=places)
        try:
            return self._bind(claim, now)
        except RefusedByKernelError as error:
            if error.error != errno.ENOENT:
                raise RefusedError(str(error)) from None
        self.stale = True  # an apply has just put other sets in place: once more, by what stands now
        self.refresh()
        try:
            return self._bind(claim, self.clock())
        except RefusedByKernelError as error:
            raise RefusedError(f"{error}: see `segc verify`") from None

    def _bind(self, claim: Claim, now: Moment) -> Session:
        former, verified = self.registry.get(claim.key), now.on_boot_clock(claim.at)
        if former is not None and former.claim.user != claim.user:
            former = None
        began = verified if former is None else min(former.began, verified)
        session = Session(claim, began, verified, now.boot, claim.at)
        try:
            session = session.judged(judge(session, self.situation, now))
        except BarredError:
            with suppress(RefusedError):  # whoever sits there now, it is not who sat there before
                self.carry_out(list(taken_from(session, self.registry, self.situation.book)), now)
            raise
        why = "" if former is None else "verified again"
        self.commit(
            [*taken_from(session, self.registry, self.situation.book), Change(former, session, why)], now
        )
        return session

    def renew(
        self,
        key: Key,
        ttl: int | None,
        at: float,
        where: tuple[Address, ...] = (),
        active: bool = True,
        delegated: bool = False,
    ) -> Session | None:
        """The source sees it still, and with `where`, at these addresses. None if something newer is known;
        RefusedError if there is no such. Not `active`, it says nothing of whether anybody is at work."""
        now = self.clock()
        session = self.registry.get(key)
        if session is None:
            raise RefusedError(f"`{key[0]}` has no session `{key[1]}`: bind it")
        if at <= self._newest(key):
            return None
        old = session.claim
        claim = replace(old, ttl=old.ttl if ttl is None else ttl, addresses=where or old.addresses)
        places = newer_at(claim, at, self.registry, self.situation.book)
        if not places:
            return None
        claim = replace(claim, addresses=places, delegated=old.delegated or delegated)
        worked = now.boot if active else self.activity.seen(session, now).active
        renewed = replace(session, claim=claim, renewed=now.on_boot_clock(at), active=worked, last=at)
        try:
            after = renewed.judged(judge(renewed, self.situation, now))
        except RefusedError as error:
            self.carry_out([Change(session, None, str(error))], now)
            raise
        self.commit(
            [*taken_from(after, self.registry, self.situation.book), Change(session, after, "renewed")], now
        )
        return after

    def unbind(self, sessions: Iterable[Session], at: float, why: str) -> int:
        """End those that nothing newer is known of; how many."""
        changes = [Change(replace(each, last=at), None, why) for each in sessions if each.last <= at]
        self.carry_out(changes, self.clock())
        return len(changes)

    def close(self, key: Key, at: float) -> None:
        """Nothing of this id counts that is not newer; of no id of this source with an empty one, and of all
        that begin with one that ends in `/`."""
        if at > self._newest(key):
            now = self.clock()
            self.kept.closed.put(key, at, now.wall)
            self.ledger.put_down([records.ends(key, at, now, "")])

    def tell(self, device: str, facts: Facts, at: float, ttl: int, source: str) -> bool:
        """Facts about a device; whether any was news."""
        self.ledger.write([records.told(device, facts, at, at + ttl, source)])
        news = self.kept.tell(device, facts, at, at + ttl, source)
        if news:
            self.rejudge(self.registry.on_device(device), f"facts about `{device}`")
        return news

    def bar(self, users: Sequence[str], groups: frozenset[str] | None) -> int:
        """These are in no group any more, or not in these; how many sessions that changed."""
        for user in users:
            self.kept.bar(user, groups)
        self.ledger.put_down([records.barred(user, self.kept.barred[user]) for user in users])
        return self.rejudge([s for user in users for s in self.registry.of_user(user)], "revoked")

    def admit(self, users: Sequence[str]) -> int:
        """Take back that they are barred."""
        barred = [user for user in users if user in self.kept.barred]
        self.ledger.write([records.barred(user, frozenset()) for user in barred])
        for user in barred:
            del self.kept.barred[user]
        return self.rejudge([s for user in barred for s in self.registry.of_user(user)], "admitted again")

    def _newest(self, key: Key) -> float:
        """When the last event that we know of its id was, or of what it is part of."""
        session = self.registry.get(key)
        return max(self.kept.closed.newest(key), session.last if session else NOTHING)

    # -- how it is done ------------------------------------------------------------------------------

    def rejudge(self, sessions: Iterable[Session], why: str) -> int:
        """Have the policy look at them again; how many that changed."""
        now = self.clock()
        changes = list(self.judged([self.activity.seen(each, now) for each in sessions], now, why))
        self.carry_out(changes, now)
        return len(changes)

    def judged(self, sessions: Iterable[Session], now: Moment, why: str) -> Iterator[Change]:
        for session in sessions:
            try:
                verdict = judge(session, self.situation, now)
            except RefusedError as error:
                yield Change(session, None, str(error))
            else:
                if verdict != session.verdict:
                    yield Change(session, session.judged(verdict), why)

    def commit(self, changes: Sequence[Change], now: Moment) -> None:
        """Carry out all of it or nothing: RefusedError, RefusedByKernelError.

        What is in doubt since the start ends first: once it is written who comes, nothing would tell an agent
        that starts anew that it is not theirs.
        """
        if doubtful := self.leftover.doubtful(changes):
            self.forget(doubtful, now)
        self._before("journal")
        self.ledger.write(list(records.of_changes(changes, now)))
        self._before("kernel")
        try:
            self.kernel.change(changes, now.boot)
        except (RefusedByKernelError, OSError) as error:
            self.stale = True
            self.ledger.put_down(list(records.of_changes(self._undone(changes), now)))
            if isinstance(error, RefusedByKernelError):
                raise
            raise RefusedError(f"the kernel does not answer: {(error.strerror or '').lower()}") from None
        self._before("answer")
        self.settle(changes, now)

    def _undone(self, changes: Sequence[Change]) -> Iterator[Change]:
        """What takes them back. Of what never began nothing newer is known than before."""
        for before, after, _ in reversed(changes):
            if before is None and after is not None:
                after = replace(after, last=self.kept.closed.last(after.key))
            yield Change(after, before, "refused by the kernel")

    def carry_out(self, changes: Sequence[Change], now: Moment) -> None:
        """What follows from what is known already, above all what ends: it is so, even if it cannot be
        written at once, or the kernel has to be filled anew for it."""
        if not changes:
            return
        self._before("journal")
        self.ledger.put_down(list(records.of_changes(changes, now)))
        self._before("kernel")
        try:
            self.kernel.change(changes, now.boot)
        except (RefusedByKernelError, OSError):
            self.stale = True
        self._before("answer")
        self.settle(changes, now)

    def settle(self, changes: Sequence[Change], now: Moment) -> None:
        """What changed is so, in the journal and in the kernel: have it known here, and tell."""
        hands = self.leftover.hand_over(changes, now.boot)
        if hands:
            self.forget(hands, now)
        self.registry.apply(changes)
        for change in changes:
            if change.after is None:
                self.ended(change, now)
            else:
                if change.before is not None:
                    self.activity.changed(change.after)
                self.watch(change.after, now)
                self.teller.change(change)

    def forget(self, addresses: Collection[Address], now: Moment) -> None:
        """End what former people have open at addresses that are somebody else's by now."""
        try:
            end_connections(addresses)
            self.leftover.ended(addresses)
        except OSError:  # once more, at the next look: where nothing tracks connections, in vain again
            self.leftover.again(addresses, now.boot)

    def ended(self, change: Change, now: Moment) -> None:
        session = change.session
        self.kept.closed.put(session.key, session.last, now.wall)
        self.kept.carried.discard(session.key)
        self.activity.ended(session.key)
        self.schedule.drop(session.key)
        self.teller.change(change)

    # -- time ----------------------------------------------------------------------------------------

    def watch(self, session: Session, now: Moment) -> None:
        """Have it looked at again when it may have changed by itself."""
        wake, idle = session.wake, session.verdict.idle
        if idle is not None:
            wake = min(wake, now.boot + max(1.0, idle / LOOKS))
        self.schedule.put(session.key, wake)

    def look(self) -> None:
        """See to all sessions whose moment has come."""
        now = self.clock()
        due = [self.activity.seen(self.registry.sessions[key], now) for key in self.schedule.due(now.boot)]
        changes = list(self.judged(due, now, "time has passed"))
        changed = {each.session.key for each in changes}
        for session in due:
            if session.key not in changed:
                self.watch(session, now)
        self.carry_out(changes, now)
