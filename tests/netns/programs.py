"""Real servers and clients in namespaces: started, waited for by what they say, and never left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pytest

from tests.netns.namespace import Namespace, require_throwaway


def needs(*programs: str) -> pytest.MarkDecorator:
    """A mark for tests of programs that a developer's machine may lack, but `make test` may not."""
    missing = [
        each for each in programs if shutil.which(each, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]
    required = "SEGC_REQUIRE_KERNEL" in os.environ
    return pytest.mark.skipif(bool(missing) and not required, reason=f"{', '.join(missing)} not installed")


def awaited(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it comes to hold in that time; asked often, for what no event tells."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Program:
    """A program in a namespace, with all that it has said so far. It ends with the block."""

    def __init__(
        self, namespace: Namespace, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> None:
        def start() -> subprocess.Popen[str]:
            require_throwaway()
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **(env or {})},
            )

        self.argv = list(argv)
        self.process = namespace.call(start)
        self.said = ""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said += line
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def says(self, text: str, seconds: float = 60, times: int = 1) -> None:
        """Wait until it has said this so many times. AssertionError with all it said if it does not."""
        with self._news:
            self._news.wait_for(
                lambda: self.said.count(text) >= times or not self._reader.is_alive(), seconds
            )
            assert self.said.count(text) >= times, f"{self.argv[0]} never said `{text}`:\n{self.said[-3000:]}"

    def stop(self, hard: bool = False) -> None:
        """End it, and wait for that."""
        with suppress(ProcessLookupError):
            self.process.kill() if hard else self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()


def process_list() -> bytes:
    """The arguments of every process, as `ps` shows them to everybody."""
    return b"\n".join(_read(each) for each in Path("/proc").glob("[0-9]*/cmdline"))


def environments(pid: int) -> bytes:
    """What a process, and all that it has started, began with."""
    children = b" ".join(_read(each) for each in Path(f"/proc/{pid}/task").glob("*/children"))
    return b"\n".join(
        [_read(Path(f"/proc/{pid}/environ")), *(environments(int(each)) for each in children.split())]
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""
