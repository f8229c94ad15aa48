"""Throwaway network namespaces, and the guard that keeps every kernel change inside one.

A namespace here is an open file descriptor and nothing else: no name under /run/netns, so nothing is
left behind when a test crashes. Work happens in short-lived threads that enter the namespace; the main
thread never leaves the one it was started in.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
MS_BIND, MNT_DETACH = 4096, 2
NAMES = Path("/run/netns")
PREFIX = "segc-test-"
_libc = ctypes.CDLL(None, use_errno=True)


def _identity(path: str | int) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 -- also takes a descriptor
    return status.st_dev, status.st_ino


HOME = _identity("/proc/self/ns/net")
_created: set[tuple[int, int]] = set()
_numbers = count()


class NotThrowawayError(RuntimeError):
    """Somebody tried to change the network of a namespace that this module did not create."""


def require_throwaway() -> None:
    """Raise NotThrowawayError unless the calling thread is in a namespace made by `Namespace.create`."""
    here = _identity("/proc/thread-self/ns/net")
    forbidden = {HOME}
    with suppress(OSError):
        forbidden.add(_identity("/proc/1/ns/net"))
    if here in forbidden or here not in _created:
        raise NotThrowawayError("refusing to touch a network namespace that the tests did not create")


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _in_thread(work: Callable[[], T]) -> T:
    """`work()` in a thread of its own, so that a change of namespace ends with it."""
    values: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            values.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return values[0]


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace. It lives until `close` (or the end of the process)."""

    fd: int
    label: str = field(default="", compare=False)

    @classmethod
    def create(cls, label: str = "") -> Namespace:
        """A new, empty namespace. OSError where the kernel or the caller's rights do not allow it."""

        def unshare() -> int:
            _check(_libc.unshare(CLONE_NEWNET))
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        fd = _in_thread(unshare)
        _created.add(_identity(fd))
        return cls(fd, label)

    @property
    def path(self) -> str:
        """A path by which other programs can open this namespace while it lives."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def call(self, work: Callable[[], T]) -> T:
        """`work()` inside the namespace; sockets it opens and programs it starts stay there."""

        def enter() -> T:
            _check(_libc.setns(self.fd, CLONE_NEWNET))
            return work()

        return _in_thread(enter)

    def close(self) -> None:
        _created.discard(_identity(self.fd))
        os.close(self.fd)

    @contextmanager
    def named(self) -> Iterator[str]:
        """A name under /run/netns for programs that want one, gone afterwards.

        OSError where mounts are denied.
        """
        _sweep()
        name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        place = NAMES / name
        place.parent.mkdir(exist_ok=True)
        place.touch()
        try:
            _mount(self.path, place)
            yield name
        finally:
            _forget(place)


def _mount(source: str, place: Path) -> None:
    _check(_libc.mount(source.encode(), bytes(place), None, MS_BIND, None))


def _forget(place: Path) -> None:
    """A first `ip netns add` beside the tests mounts the folder over itself: then a name stays busy until its
    process is gone, which hurts nobody."""
    while _libc.umount2(bytes(place), MNT_DETACH) == 0:
        pass
    with suppress(OSError):
        place.unlink(missing_ok=True)


def _sweep() -> None:
    """Take away the names that processes killed in mid-test have left."""
    for place in NAMES.glob(f"{PREFIX}*"):
        if not Path("/proc", place.name.removeprefix(PREFIX).split("-")[0]).exists():
            _forget(place)


def run(
    namespace: Namespace, argv: Sequence[str], *, stdin: str = "", check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program in the namespace and return what it said. CalledProcessError if it fails and `check`."""

    def work() -> subprocess.CompletedProcess[str]:
        require_throwaway()
        return subprocess.run(argv, input=stdin, text=True, capture_output=True)

    done = namespace.call(work)
    if check and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return done


def nft(ruleset: str) -> None:
    """Load nftables text into the calling thread's namespace. ValueError with nft's words if refused."""
    require_throwaway()
    done = subprocess.run(["nft", "-f", "-"], input=ruleset, text=True, capture_output=True)
    if done.returncode:
        raise ValueError(f"nft refused the ruleset:\n{done.stderr}")


def ip_batch(lines: Sequence[str]) -> None:
    """Run `ip -batch` lines in the calling thread's namespace. ValueError with ip's words on failure."""
    require_throwaway()
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True)
    if done.returncode:
        raise ValueError(f"ip refused the batch:\n{done.stderr}")


def sysctl(**values: object) -> None:
    """Write sysctls of the calling thread's namespace; `__` stands for the slash of the path."""
    require_throwaway()
    for key, value in values.items():
        Path("/proc/sys/net", key.replace("__", "/")).write_text(f"{value}\n")
