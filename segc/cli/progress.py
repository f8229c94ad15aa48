"""One line on a terminal that says what takes so long; nothing at all in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

PATIENCE, STEP = 0.5, 0.1  # seconds before the first sign, and between two
ERASE = "\r\x1b[K"


@contextmanager
def progress(first: str = "reading") -> Iterator[Callable[[str], None]]:
    """Gives a function to be told of each stage. Once left, the line is gone."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    line = _Line(first)
    try:
        yield line.enter
    finally:
        line.erase()


class _Line:
    """A thread of its own shows the line, since a stage may run for long without a word."""

    def __init__(self, stage: str) -> None:
        self.stage, self.start = stage, time.monotonic()
        self.done = Event()
        self.thread = Thread(target=self.run, daemon=True)
        self.thread.start()

    def enter(self, stage: str) -> None:
        self.stage = stage

    def run(self) -> None:
        wait = PATIENCE
        while not self.done.wait(wait):
            wait = STEP
            sys.stderr.write(f"{ERASE}{self.stage} ({time.monotonic() - self.start:.1f} s)")
            sys.stderr.flush()

    def erase(self) -> None:
        self.done.set()
        self.thread.join()
        if time.monotonic() - self.start >= PATIENCE:
            sys.stderr.write(ERASE)
            sys.stderr.flush()
