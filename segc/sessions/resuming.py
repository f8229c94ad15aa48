"""What of the journal is still valid: those who go on, and those who do not."""

from __future__ import annotations

from segc.apply import host
from segc.apply.state import State
from segc.sessions import records
from segc.sessions.book import Book
from segc.sessions.clock import Moment
from segc.sessions.journal import FOLDER, DamagedError, stored
from segc.sessions.judge import RefusedError, Situation, judge
from segc.sessions.records import Kept
from segc.sessions.session import Change, Session


def resumed(kept: Kept, situation: Situation, now: Moment) -> tuple[list[Session], list[Change]]:
    """The sessions that are still valid, as judged now, and the ends of the others."""
    late = now.wall < kept.newest  # somebody has set the clock back: how long we were gone, nobody knows
    if late:
        kept.set_back(now.wall)
    valid: list[Session] = []
    over: list[Change] = []
    for session in kept.sessions.values():
        session = session.set_back(now.wall)
        try:
            if late and session.key in kept.carried:
                raise RefusedError("the clock has been set back since it was written")
            valid.append(session.judged(judge(session, situation, now)))
        except RefusedError as error:
            over.append(Change(session, None, str(error)))
    return valid, over


def stored_sessions(state: State, book: Book, now: Moment) -> list[Session]:
    """Those that an agent would take up if it started now: none of a journal that is damaged. OSError."""
    try:
        kept = records.read(stored(state.root / FOLDER), host.boot(), now)
    except DamagedError:
        return []
    return resumed(kept, Situation(book, kept.devices, kept.barred), now)[0]
