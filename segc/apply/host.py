"""The network namespace that is worked in, and the programs that work there."""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from segc.apply.errors import ApplyError

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class RefusedByKernelError(ApplyError):
    """nft or the kernel would not have it; `words` are theirs, `error` is an errno where it is known."""

    def __init__(self, words: str, error: int = 0, by: str = "nft") -> None:
        super().__init__(f"{by} refused: {words}")
        self.words, self.error = words, error


def enter(name: str) -> None:
    """Move into the network namespace `name`, for good (setns(2)). ApplyError if there is none."""
    if not re.fullmatch(r"[^/\0]{1,255}", name) or name in (".", ".."):
        raise ApplyError(f"`{name}` cannot name a network namespace")
    try:
        handle = os.open(NAMESPACES / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise ApplyError(f"there is no network namespace `{name}`: see `ip netns list`") from None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno()).lower()
            raise ApplyError(f"the network namespace `{name}` cannot be entered: {reason}")
    finally:
        os.close(handle)


def run(*argv: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program by its usual name, in the C locale and in UTC; ApplyError where it is not installed."""
    try:
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, env=_environment())
    except FileNotFoundError:
        raise ApplyError(f"`{argv[0]}` is not installed") from None


def _environment() -> Mapping[str, str]:
    return os.environ | {"PATH": f"{os.environ.get('PATH', '')}:{SAFE_PATH}", "LC_ALL": "C", "TZ": "UTC"}


def nft(*arguments: str) -> str:
    """What `nft ARGUMENTS` prints; RefusedByKernelError with its words if it fails."""
    return _told(run("nft", *arguments))


def load(transaction: str) -> None:
    """Carry out the commands as one transaction: all of them, or none with RefusedByKernelError."""
    _told(run("nft", "-f", "-", stdin=transaction))


def _told(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        words = done.stderr.strip() or f"nft ended with status {done.returncode}"
        raise RefusedByKernelError(words.splitlines()[0].removeprefix("/dev/stdin:"))
    return done.stdout


def boot() -> str:
    """What names this run of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def namespace() -> str:
    """What names the network namespace while it lives."""
    found = Path("/proc/thread-self/ns/net").stat()
    return f"{found.st_dev}:{found.st_ino}"


def who() -> str:
    """The person behind the command: whoever called sudo, else the user."""
    name = os.environ.get("SUDO_USER")
    if name:
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
