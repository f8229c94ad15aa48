"""Whatever asks a directory ends in time: one that trickles its answer must not hold up a revocation."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from segc.identity.errors import DirectoryError

T = TypeVar("T")


class Deadline:
    """`seconds` from now, of a clock that nobody sets."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def timeout(self) -> float:
        """For one call into the network. DirectoryError where no time is left."""
        if self.left <= 0:
            raise self.passed()
        return self.left

    def wait(self, seconds: float, why: str) -> None:
        """DirectoryError, at once, where that takes too long."""
        if seconds >= self.left:
            raise DirectoryError(f"it {why} for {seconds:.0f} s, and has {self.seconds:.0f} s in all")
        time.sleep(seconds)

    def passed(self) -> DirectoryError:
        return DirectoryError(f"it did not answer within {self.seconds:.0f} s")


def within(deadline: Deadline, work: Callable[[], T]) -> T:
    """What `work` returns or raises. DirectoryError where it takes longer; it is then left to itself, and
    whatever it comes to is thrown away. Timeouts of sockets alone start anew with every byte."""
    outcome: SimpleQueue[tuple[bool, T | BaseException]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((True, work()))
        except BaseException as error:
            outcome.put((False, error))

    Thread(target=run, daemon=True).start()
    try:
        done, value = outcome.get(timeout=max(deadline.left, 0.001))
    except Empty:
        raise deadline.passed() from None
    if not done:
        assert isinstance(value, BaseException)
        raise value
    return value  # type: ignore[return-value]
