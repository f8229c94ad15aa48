"""How an apply can end other than well; each carries a sentence for the user and the command's exit code."""

from __future__ import annotations

from segc.diagnostics.model import Diagnostic


class ApplyError(Exception):
    """Nothing was changed, or what was changed is said."""

    exit_code = 1


class LockedOutError(ApplyError):
    """The guard refused for what it found; nothing was changed."""

    exit_code = 4

    def __init__(self, words: str, found: tuple[Diagnostic, ...]) -> None:
        super().__init__(words)
        self.found = found


class RolledBackError(ApplyError):
    """What was begun has been undone."""

    exit_code = 5


class StaleError(ApplyError):
    """The plan was made against another state; nothing was changed."""

    exit_code = 6


class BusyError(StaleError):
    """Another command is at work on the host, or waits for its confirmation; nothing was changed."""
