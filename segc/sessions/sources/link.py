"""What the sources that run all the time have in common: how they speak to the daemon, and of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from segc.sessions.sources.hook import SOCKET, Request, ask, deliver


class LinkError(Exception):
    """The daemon cannot be reached, or does not make sense."""


@dataclass(slots=True)
class Link:
    """To the daemon at `path`. Each thing that goes wrong is told once, until all is well again."""

    path: str = SOCKET
    report: Callable[[str], None] = print
    _told: str = field(default="")

    def ask(self, request: Request) -> Request:
        """LinkError where there is no answer."""
        try:
            return ask(self.path, request)
        except OSError as error:
            raise LinkError(f"the session daemon cannot be reached: {error.strerror or error}") from None
        except ValueError as error:
            raise LinkError(str(error)) from None

    def deliver(self, request: Request) -> bool:
        """Ask for it; whether it was granted. What was refused is told. LinkError."""
        refused = deliver(request, self.ask)
        if refused:
            self.report(refused)
        else:
            self._told = ""
        return not refused

    def tell(self, request: Request) -> bool:
        """The same, where an answer that does not come is a refusal."""
        try:
            return self.deliver(request)
        except LinkError as error:
            self.complain(error)
            return False

    def ids(self, source: str) -> set[str]:
        """What the source calls its sessions that stand. LinkError."""
        found = self.ask({"do": "sessions", "source": source}).get("sessions")
        if not isinstance(found, list):
            raise LinkError("the session daemon does not tell its sessions")
        return {str(each["id"]) for each in found if each["source"] == source}

    def standing(self, source: str) -> set[str]:
        """The same, none where the daemon does not answer."""
        try:
            return self.ids(source)
        except LinkError as error:
            self.complain(error)
            return set()

    def complain(self, error: Exception) -> None:
        if str(error) != self._told:
            self._told = str(error)
            self.report(self._told)
