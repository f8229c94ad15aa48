"""What the sources that run all the time have in common: how they speak to the agent, and of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from segc.sessions.client import UnansweredError, ask
from segc.sessions.sources.directory import IdentitiesError
from segc.sessions.sources.hook import Request, deliver


@dataclass(slots=True)
class Link:
    """To the agent at `path`. What goes wrong is told once, and again when all has been well in between."""

    path: Path
    report: Callable[[str], None] = print
    _told: str = ""

    def ask(self, request: Request) -> Request:
        """Its answer. UnansweredError."""
        return ask(self.path, request)

    def begin(self, source: str, kind: str) -> None:
        """Tell where the policy in force does not name this source, as nothing that it says will count."""
        with suppress(UnansweredError):  # so much is told when there is something to say
            warning = self.ask({"do": "status", "source": source, "kind": kind}).get("warning")
            if warning:
                self.complain(f"warning: {warning}: nothing is taken from here")

    def deliver(self, request: Request, heard: Callable[[Request], None] = lambda answer: None) -> bool:
        """Ask for it; whether it was granted. What was refused is told. UnansweredError."""

        def agent(asked: Request) -> Request:
            heard(answer := self.ask(asked))
            return answer

        refused = deliver(request, agent)
        if refused:
            self.complain(refused)
        else:
            self._told = ""
        return not refused

    def tell(self, request: Request) -> bool:
        """The same, where an answer that does not come is a refusal."""
        try:
            return self.deliver(request)
        except UnansweredError as error:
            self.complain(error)
            return False

    def ids(self, source: str) -> set[str]:
        """What the source calls its sessions that stand. UnansweredError."""
        found = self.ask({"do": "sessions", "source": source})
        sessions = found.get("sessions")
        if not isinstance(sessions, list):
            raise UnansweredError(str(found.get("error") or "the agent does not tell its sessions"))
        return {str(each["id"]) for each in sessions}

    def standing(self, source: str) -> set[str]:
        """The same, none where the agent does not answer."""
        try:
            return self.ids(source)
        except UnansweredError as error:
            self.complain(error)
            return set()

    def again(self, work: Callable[[], None], interval: float = 1.0) -> NoReturn:
        """Do it for ever. OSError and IdentitiesError are raised at first, and later told."""
        work()
        while True:
            time.sleep(interval)
            try:
                work()
            except (OSError, IdentitiesError) as error:
                self.complain(error)

    def complain(self, about: object) -> None:
        words = str(about)
        if isinstance(about, OSError) and about.filename and about.strerror:
            words = f"`{about.filename}`: {about.strerror}"
        if words != self._told:
            self._told = words
            self.report(words)


@dataclass(slots=True)
class Seldom:
    """Tells of what anybody in the network can cause once a second, and of how many that was since."""

    _until: float = 0.0
    _others: int = 0

    def report(self, words: str, now: float, report: Callable[[str], None]) -> None:
        """`now` in Unix seconds, of a clock that may be set."""
        if self._until - 1 <= now < self._until:
            self._others += 1
            return
        report(f"{words} (and {self._others:,} others before it)" if self._others else words)
        self._until, self._others = now + 1, 0
