"""What is written of sessions: before they begin, and when they end, or as soon after as the disk allows."""

from __future__ import annotations

import errno

from segc.sessions.journal import Journal, Record
from segc.sessions.judge import RefusedError
from segc.space.words import system_reason


class Ledger:
    """`owed` is what ended and could not be written yet."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.owed: list[Record] = []

    def write(self, lines: list[Record]) -> None:
        """RefusedError, and none of it written, if that cannot be, or what came before is still owed."""
        try:
            if not self.pay():
                raise OSError(errno.ENOSPC, "what has ended is not written yet")
            self.journal.append(lines)
        except OSError as error:
            reason = system_reason(error)
            raise RefusedError(f"it cannot be written down: {reason}") from None

    def put_down(self, lines: list[Record]) -> None:
        """Write what is so already, now or later."""
        self.owed += lines
        self.pay()

    def pay(self) -> bool:
        """Write what is owed; whether nothing is any more."""
        try:
            self.journal.append(self.owed, ending=True)
        except OSError:
            return False
        self.owed = []
        return True
