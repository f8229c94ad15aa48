"""What takes long is done beside, by a copy of this process, so that nobody waits for it."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


class Beside:
    """The copies that are at work; they end with the thread that began them (prctl(2))."""

    def __init__(self) -> None:
        self._children: dict[int, Callable[[bool], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._children)

    def do(self, work: Callable[[], object], then: Callable[[bool], None] = lambda done: None) -> None:
        """`then` is told whether it went well, by `reap`. Where there can be no copy, everybody waits."""
        try:
            child = os.fork()
        except OSError:
            then(_went_well(work))
            return
        if child:
            self._children[child] = then
            return
        code = 1
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            work()
            code = 0
        finally:
            os._exit(code)

    def reap(self, flags: int = os.WNOHANG) -> None:
        """See to those that are done."""
        for child in list(self._children):
            found, status = os.waitpid(child, flags)
            if found:
                self._children.pop(child)(status == 0)

    def finish(self) -> None:
        """Wait for all of them."""
        self.reap(0)


def _went_well(work: Callable[[], object]) -> bool:
    try:
        work()
    except OSError:
        return False
    return True
