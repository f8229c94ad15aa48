"""How many transactions the session agent has made, so that an apply can tell them from anybody else's.

nf_tables counts the transactions of a network namespace. Where the count says that nobody but an apply and
the agent was there, no table has to be listed: what the agent changes are sets of people, and those are its
own. It may have made more than it tells, never fewer: then somebody looks once more than needed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from segc.apply import host, live
from segc.apply.state import State

NAME = "agent-transactions"  # in the state folder


class Tally:
    """The agent's: goes on where a former agent stopped in the same network namespace. OSError."""

    def __init__(self, root: Path) -> None:
        self._made = _made(root)
        self._file = os.open(root / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def add(self) -> None:
        """One more, that the kernel has carried out; on a full disk it is told of with the next."""
        self._made += 1
        with suppress(OSError):
            os.pwrite(self._file, f"{_here()} {self._made}\n".encode(), 0)


def transactions(state: State) -> int:
    """Those of all others than the agent, as far as it has told of its own."""
    made = _made(state.root)  # first: what the agent makes meanwhile must not make up for what others do
    return live.transactions() - made


def _made(root: Path) -> int:
    try:
        line, _, _ = (root / NAME).read_text().partition("\n")
        here, _, made = line.rpartition(" ")
        return int(made) if here == _here() else 0
    except (OSError, ValueError):
        return 0


def _here() -> str:
    return f"{host.boot()} {host.namespace()}"
