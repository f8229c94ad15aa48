"""What the journal says: sessions that began, changed or ended, facts about devices, people who are barred.

Boot-clock moments mean something within one run of the kernel only, so every run begins with its name, and
every record has both clocks: from another run, moments come over by way of Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from segc.identity.claim import Facts, packed, unpacked
from segc.sessions.clock import Moment
from segc.sessions.closed import Closed
from segc.sessions.handover import Handover
from segc.sessions.journal import DamagedError, Record
from segc.sessions.posture import Known
from segc.sessions.session import Change, Key, Session

BEGINS, ENDS, TOLD, BARRED, RUN = "session", "end", "facts", "barred", "run"


@dataclass(slots=True)
class Kept:
    """All that outlives the agent."""

    sessions: dict[Key, Session] = field(default_factory=dict)
    closed: Closed = field(default_factory=Closed)
    devices: dict[str, dict[tuple[str, str], Known]] = field(default_factory=dict)  # by fact and source
    barred: dict[str, frozenset[str] | None] = field(default_factory=dict)
    carried: set[Key] = field(default_factory=set)  # sessions that come from another run of the kernel
    newest: float = 0.0  # Unix seconds of the last record
    handover: Handover = field(default_factory=Handover)

    def tell(self, device: str, facts: Facts, at: float, until: float, source: str) -> bool:
        """Keep what is newer than what we know from that source; whether there was any of it. Of two words of
        one moment nobody knows which is the later, so neither is believed."""
        known = self.devices.setdefault(device, {})
        told = {(name, source): Known(fact, until, at, source) for name, fact in facts.items()}
        fresh = {key: fact for key, fact in told.items() if key not in known or known[key].at < at}
        unsure = {
            key: known[key]._replace(until=at)
            for key, fact in told.items()
            if key not in fresh and known[key].at == at < known[key].until and known[key].value != fact.value
        }
        known.update(fresh | unsure)
        return bool(fresh or unsure)

    def bar(self, user: str, groups: frozenset[str] | None) -> None:
        """From these groups as well, or from all of them."""
        former = self.barred.get(user, frozenset())
        self.barred[user] = None if groups is None or former is None else former | groups

    def set_back(self, wall: float) -> None:
        """The clock shows less than it did: an event now is no older than one that came before it, and facts
        of which nobody can tell how old they are say nothing."""
        self.closed.set_back(wall)
        for facts in self.devices.values():
            for name in [name for name, fact in facts.items() if fact.at > wall]:
                del facts[name]


def run(boot: str) -> Record:
    return [RUN, boot]


def of_changes(changes: Iterable[Change], now: Moment) -> Iterator[Record]:
    """What must be written of changes; what the policy makes of a session is found out anew each time."""
    for before, after, why in changes:
        if after is None:
            if before is not None:
                yield ends(before.key, before.last, now, why)
        elif before is None or _told(before) != _told(after):
            yield begins(after, now)


def _told(session: Session) -> tuple[Any, ...]:
    return session.claim, session.began, session.renewed, session.last


def begins(session: Session, now: Moment) -> Record:
    moments = [session.began, session.renewed, session.active]
    return [BEGINS, now.wall, now.boot, packed(session.claim), moments, session.last]


def ends(key: Key, last: float, now: Moment, why: str) -> Record:
    return [ENDS, now.wall, now.boot, *key, last, why]


def told(device: str, facts: Facts, at: float, until: float, source: str) -> Record:
    return [TOLD, device, dict(facts), at, until, source]


def barred(user: str, groups: frozenset[str] | None) -> Record:
    """An empty set lifts it."""
    return [BARRED, user, None if groups is None else sorted(groups)]


def read(records: Iterable[Record], boot: str, now: Moment) -> Kept:
    """What stood when the last of the records was written, with moments on the clock of the run `boot`."""
    kept, current = Kept(), ""
    for record in records:
        try:
            if record[0] == RUN:
                current = record[1]
                kept.handover.settled()
            else:
                _take(kept, record, current == boot, now)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise DamagedError(f"a record of the journal cannot be read: {error}") from error
    return kept


def _take(kept: Kept, record: Record, here: bool, now: Moment) -> None:
    match record:
        case [kind, wall, boot, claim, [began, renewed, active], last] if kind == BEGINS:
            session = Session(unpacked(claim), began, renewed, active, last)
            key = session.key
            if here:
                kept.carried.discard(key)
            else:
                session = _carried(session, Moment(wall, boot), now)
                kept.carried.add(key)
            kept.handover.begins(kept.sessions.get(key), session, boot)
            kept.sessions[key] = session
            kept.newest = max(kept.newest, wall)
        case [kind, wall, boot, source, id_, last, _] if kind == ENDS:
            kept.handover.ends(kept.sessions.pop((source, id_), None), boot)
            kept.carried.discard((source, id_))
            kept.closed.put((source, id_), last, wall)
            kept.newest = max(kept.newest, wall)
        case [kind, device, facts, at, until, source] if kind == TOLD:
            kept.tell(device, facts, at, until, source)
            kept.handover.settled()
        case [kind, user, groups] if kind == BARRED:
            kept.barred.pop(user, None)
            kept.handover.settled()
            if groups is None or groups:
                kept.barred[user] = None if groups is None else frozenset(groups)
        case _:
            raise ValueError("it is of no kind that this segc knows")


def _carried(session: Session, then: Moment, now: Moment) -> Session:
    began, renewed, active = (
        now.on_boot_clock(then.on_wall_clock(moment))
        for moment in (session.began, session.renewed, session.active)
    )
    return replace(session, began=began, renewed=renewed, active=active)


def all_of(kept: Kept, sessions: Iterable[Session], boot: str, now: Moment) -> Iterator[Record]:
    """A snapshot. `sessions` are those that stand now."""
    yield run(boot)
    for session in sessions:
        yield begins(session, now)
    for key, (last, wall) in kept.closed:
        yield [ENDS, wall, now.boot, *key, last, ""]
    for device, facts in kept.devices.items():
        for (name, _), fact in facts.items():
            yield told(device, {name: fact.value}, fact.at, fact.until, fact.source)
    for user, groups in kept.barred.items():
        yield barred(user, groups)
