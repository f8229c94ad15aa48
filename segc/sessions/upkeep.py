"""What happens by itself: a start takes up what stood, applies are followed, and time passes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from segc.apply import host, live
from segc.apply.errors import ApplyError
from segc.apply.generation import Generation
from segc.apply.host import RefusedByKernelError
from segc.apply.state import State
from segc.sessions import records
from segc.sessions.agent import Agent
from segc.sessions.beside import Beside
from segc.sessions.book import NOTHING, Book, BookError, read_book
from segc.sessions.clock import Moment
from segc.sessions.journal import DamagedError
from segc.sessions.judge import Situation
from segc.sessions.kernel import NO_LAYOUT, Kernel, Layout, connected, end_connections
from segc.sessions.resuming import resumed

TICK = 0.25  # seconds between looks at the kernel and at the generation that stands
SHARE = 5  # times as long as it takes to fill large sets, nobody who changes tables has them filled again
HOUR = 3600.0
REMEMBERED = 24 * HOUR  # for which late events of a session that is over are known to be late
JUMP = 1.0  # seconds by which somebody has set the clock


class Upkeep:
    """The agent's housekeeping, for the state of one host or namespace."""

    def __init__(self, agent: Agent, state: State) -> None:
        self.agent, self.state = agent, state
        agent.refresh = self.refresh
        self.generation: int | None = None
        self.problem = ""  # why the policy that stands is not what sessions are judged by
        self.enforced = False  # there is one, and the kernel has every set of it
        self._pointer: int | None = None
        self._layout: Layout = NO_LAYOUT
        self._doubtful = False  # somebody else may have changed elements of ours
        self._beside = Beside()
        self._not_before = 0.0
        moment = agent.clock()
        self._began = self._swept = moment.boot
        self._offset = moment.wall - moment.boot

    # -- a start -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the sessions that are still valid, with the time that they have left, and no others."""
        agent, now, boot = self.agent, self.agent.clock(), host.boot()
        try:
            kept = records.read(agent.ledger.journal.read(), boot, now)
        except DamagedError as error:
            self.agent.teller.note("restore", "failure", f"{error}: no session is taken up")
            kept = records.Kept()
            agent.ledger.journal.begin_anew([])
        agent.kept = kept
        agent.situation = Situation(self._book(), kept.devices, kept.barred)
        valid, over = resumed(kept, agent.situation, now)
        for session in valid:
            agent.registry.add(session)
            agent.watch(session, now)
        kept.sessions.clear()
        self._fill(now)
        if handed := kept.handover.unsettled:
            agent.forget(handed, now)
        agent.ledger.put_down([records.run(boot), *records.of_changes(over, now)])
        for change in over:
            agent.ended(change, now)
        agent.leftover.hand_over(over, now.boot)
        with suppress(OSError):  # then any address may have some
            agent.leftover.found(connected().difference(agent.registry.holders))

    # -- again and again -----------------------------------------------------------------------------

    def tick(self) -> None:
        agent, now = self.agent, self.agent.clock()
        self._notice_jump(now)
        agent.look()
        self.follow(now)
        agent.activity.write_news(agent.kept.carried, now)
        due = agent.leftover.due(now.boot)
        if due:
            self._beside.do(
                lambda: end_connections(due), lambda done: agent.leftover.ended(due) if done else None
            )
        if agent.ledger.owed:
            agent.ledger.pay()
        if agent.ledger.journal.wants_compaction and not self._beside:
            self._compact()
        if now.boot - self._swept > HOUR:
            self._sweep(now)
        self._beside.reap()

    def follow(self, now: Moment) -> None:
        """Have the kernel's sets and the policy as they are by now."""
        moved = self.state.pointer("current") != self._pointer
        if moved or (now.boot >= self._not_before and self._off(self.agent.kernel)):
            self.refresh()

    def _off(self, kernel: Kernel) -> bool:
        """Whether the kernel's sets may not be what was put into them."""
        try:
            if self.agent.stale:
                return True
            if kernel.touched():
                if kernel.layout() != self._layout:
                    return True
                self._doubtful = True
        except (RefusedByKernelError, OSError):
            return True
        if self._doubtful and not self._beside:
            self._compare()
        return False

    def _compare(self) -> None:
        """Somebody else was at the tables, perhaps at elements of ours: look, beside, and have the sets
        filled where they are not as they should be."""
        self._doubtful = False
        registry, began = self.agent.registry, self.agent.clock().boot
        names = self._layout.names().intersection(self.agent.situation.book.sets)

        def look() -> None:
            if not Kernel().holds(names, registry, began):
                raise OSError

        def then(same: bool) -> None:
            self.agent.stale = self.agent.stale or not same
            done = self.agent.clock().boot
            self._not_before = done + SHARE * max(0.0, done - began - TICK)

        self._beside.do(look, then)

    def refresh(self) -> None:
        """Judge all sessions by the policy that stands now, and fill the kernel's sets with them."""
        agent, now = self.agent, self.agent.clock()
        with suppress(RefusedByKernelError, OSError):
            agent.activity.take_stock(
                agent.kernel.layout().names().intersection(agent.situation.book.sets), now
            )
        agent.situation = replace(agent.situation, book=self._book())
        agent.activity.begin(agent.situation.book.idle, now)
        self._forget_barred()
        changes = list(agent.judged(agent.registry, now, f"generation {self.generation}"))
        agent.ledger.put_down(list(records.of_changes(changes, now)))
        agent.settle(changes, now)
        self._fill(now)
        done = agent.clock().boot
        self._not_before = done + SHARE * max(0.0, done - now.boot - TICK)

    def _fill(self, now: Moment) -> None:
        agent, wanted = self.agent, self.agent.situation.book.sets
        try:
            self._layout = agent.kernel.layout()
            there = [name for name in wanted if name in self._layout.names()]
            self.enforced = self.generation is not None and len(there) == len(wanted)
            agent.kernel.fill(there, agent.registry, now.boot)
            agent.activity.count_anew()
        except (RefusedByKernelError, OSError):
            agent.stale = True  # somebody was quicker: at the next tick
        else:
            agent.stale = False

    def _book(self) -> Book:
        """What the generation that the kernel holds says; the former where it cannot be read."""
        self._pointer = self.state.pointer("current")
        try:
            generation = self._standing()
            text = generation.artifact("sessions.json") if generation else None
            self.generation = generation.number if generation else None
            self.problem = ""
            if generation and text is None:
                self.problem = "the generation that stands says nothing of sessions: apply it again"
            return read_book(text) if text else NOTHING
        except (ApplyError, BookError, OSError) as error:
            self.problem = str(error)
            return self.agent.situation.book

    def _standing(self) -> Generation | None:
        """The generation that the kernel says it holds, else the current one."""
        markers = live.held().markers
        if len(markers) == 1:
            with suppress(ApplyError):
                return self.state.generation(markers[0])
        return self.state.at("current")

    def _forget_barred(self) -> None:
        """Who is in no group of the policy any more need not be kept out of it."""
        agent = self.agent
        gone = [user for user in agent.kept.barred if user not in agent.situation.book.by_user]
        if gone and self.generation is not None:
            agent.ledger.put_down([records.barred(user, frozenset()) for user in gone])
            for user in gone:
                del agent.kept.barred[user]

    def _notice_jump(self, now: Moment) -> None:
        """Lifetimes are on a clock that nobody sets. But moments that came over a reboot were placed on it by
        Unix time: where that was behind, more time has passed than it said."""
        ahead, self._offset = now.wall - now.boot - self._offset, now.wall - now.boot
        if abs(ahead) < JUMP:
            return
        agent = self.agent
        self.agent.teller.note("clock", "success", f"the clock was set by {ahead:+.0f} s")
        if ahead < 0:
            agent.kept.set_back(now.wall)
            for key, session in agent.registry.sessions.items():
                agent.registry.sessions[key] = session.set_back(now.wall)
        else:
            for key in agent.kept.carried:
                old = agent.registry.sessions[key]
                began, renewed, active = (
                    each - ahead if each < self._began else each
                    for each in (old.began, old.renewed, old.active)
                )
                agent.registry.sessions[key] = replace(old, began=began, renewed=renewed, active=active)
        agent.rejudge(agent.registry, "the clock was set")

    def _sweep(self, now: Moment) -> None:
        """Forget what matters to nobody any more."""
        kept, self._swept = self.agent.kept, now.boot
        kept.closed.forget(now.wall - REMEMBERED)
        for device, facts in list(kept.devices.items()):
            over = all(fact.until + HOUR < now.wall for fact in facts.values())
            if over and not self.agent.registry.on_device(device):  # else an older word would count again
                del kept.devices[device]

    # -- beside ----------------------------------------------------------------------------------------

    def _compact(self) -> None:
        """Not where the disk has no room for another journal: then this one goes on."""
        agent, boot, now = self.agent, host.boot(), self.agent.clock()
        try:
            number = agent.ledger.journal.turn()
        except OSError:
            return
        agent.ledger.put_down([records.run(boot)])
        lines = records.all_of(agent.kept, agent.registry, boot, now)
        self._beside.do(
            lambda: agent.ledger.journal.write_snapshot(number, lines),
            lambda done: agent.ledger.journal.forget(number) if done else None,
        )

    def finish(self) -> None:
        """Wait for what is done beside."""
        self._beside.finish()
