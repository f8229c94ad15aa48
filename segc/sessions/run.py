"""The agent as a process: what `segc agent` runs."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from segc.apply.errors import ApplyError
from segc.apply.state import State
from segc.apply.tally import Tally
from segc.sessions import clock
from segc.sessions.agent import Agent
from segc.sessions.audit import Audit
from segc.sessions.journal import FOLDER, Journal, LockedError
from segc.sessions.kernel import Kernel
from segc.sessions.server import Server
from segc.sessions.upkeep import Upkeep

PATIENCE = 5.0  # seconds for a former agent to be gone


def run(
    state: State, path: Path, audit: str, metrics: tuple[str, int] | None, say: Callable[[str], None]
) -> None:
    """Serve until told to stop; `say` is told what is waited for. ApplyError where that cannot begin."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no child can be waited for
    try:
        told = Audit(audit)
    except OSError as error:
        raise ApplyError(f"nothing can be told to `{audit}`: {_words(error)}") from None
    try:
        journal = _journal(state.root / FOLDER, say)
    except OSError as error:
        raise ApplyError(f"the journal in `{state.root / FOLDER}` cannot be used: {_words(error)}") from None
    try:
        kernel = Kernel(Tally(state.root).add)
        upkeep = Upkeep(Agent(journal, kernel, told, clock.now, socket.gethostname()), state)
        upkeep.start()
        server = Server(upkeep, path, metrics)
    except OSError as error:
        raise ApplyError(f"the agent cannot start: {_words(error)}") from None
    gc.freeze()
    gc.enable()
    notify("READY=1")
    server.run()
    notify("STOPPING=1")
    upkeep.agent.activity.write_all(upkeep.agent.kept.carried, upkeep.agent.clock())
    upkeep.finish()


def _journal(folder: Path, say: Callable[[str], None]) -> Journal:
    began, told = time.monotonic(), False
    while True:
        try:
            return Journal(folder)
        except LockedError as error:
            if time.monotonic() - began > PATIENCE:
                raise ApplyError(str(error)) from None
            if not told:
                say(f"{error}: waiting {PATIENCE:.0f} s for it to end")
            told = True
            time.sleep(0.05)


def _words(error: OSError) -> str:
    words = error.strerror or "input/output error"
    return words[:1].lower() + words[1:]


def notify(state: str) -> None:
    """Tell the service manager, if one asked for it (sd_notify(3))."""
    target = os.environ.get("NOTIFY_SOCKET", "")
    if target:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(state.encode(), target.replace("@", "\0", 1) if target[0] == "@" else target)
