"""What segc remembers of a host: every generation that was applied, and which of them stand.

    lock                 held by whoever changes anything
    generations/7/       see `generation`
    current              -> generations/7, what the kernel holds
    confirmed            -> generations/6, what a boot brings back
    pending              -> generations/7, from before the kernel is touched until it is confirmed or undone
    window.json          until when `pending` waits for its confirmation, and who will undo it
    ended/7              how a generation ended that was undone
    answered             -> generations/7, the last undone before an apply with a window found nothing to do

Pointers are symbolic links, exchanged by rename(2). `pending` without `current` on the same generation is an
apply that died: `revert/` says how to undo it, and needs nothing of segc for that.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from segc.apply import durable
from segc.apply.errors import ApplyError, BusyError
from segc.apply.generation import Generation, Meta, read_generation, write_generation
from segc.document import DocumentError, read_json
from segc.frozen import frozen
from segc.space.words import system_reason

DEFAULT = Path("/var/lib/segc")
KEPT = 20  # generations, beside those that stand
# All that segc writes there, from the pointers on. The sessions are the agent's.
CONTENTS = (
    *("pending", "current", "confirmed", "answered", "window.json", "kernel.json", "generations", "ended"),
    *("boot.sh", "closed.nft", "sessions", "agent-transactions", "revoked.json", "lock"),
)


@frozen
class State:
    """A state directory. Reading it needs no lock; `locked` makes the folder where there is none."""

    root: Path

    @property
    def generations(self) -> Path:
        return self.root / "generations"

    def pointer(self, name: str) -> int | None:
        """The number that `current`, `confirmed` or `pending` leads to."""
        try:
            return int((self.root / name).readlink().name)
        except (OSError, ValueError):
            return None

    def point(self, name: str, number: int | None) -> None:
        durable.point(self.root / name, None if number is None else f"generations/{number}")

    def generation(self, number: int) -> Generation:
        """ApplyError where it is not kept any more, is not whole, or cannot be read."""
        return read_generation(self.generations / str(number))

    def at(self, name: str) -> Generation | None:
        number = self.pointer(name)
        return None if number is None else self.generation(number)

    def intact(self, name: str) -> Generation | None:
        """As `at`, but None where it is damaged: what cannot be told must not stand in the way of mending."""
        with suppress(ApplyError):
            return self.at(name)
        return None

    def numbers(self) -> list[int]:
        return _numbers(self.generations)

    def next_number(self) -> int:
        """That no generation has or had, be its files there or not."""
        pointed = (self.pointer(name) or 0 for name in ("current", "confirmed", "pending"))
        return max((*self.numbers(), *_numbers(self.root / "ended"), *pointed)) + 1

    def record(self, meta: Meta, contents: Mapping[str, str | Path]) -> Generation:
        """Keep a new generation, which shares with the former one what both have. OSError if it cannot be
        written."""
        folder, former = (self.generations / str(each) for each in (meta.number, meta.former))
        return write_generation(folder, meta, contents, former)

    def end(self, number: int, how: str) -> None:
        durable.make_folder(self.root / "ended")
        durable.write_file(self.root / "ended" / str(number), how + "\n")

    def ended(self, number: int) -> str | None:
        try:
            return (self.root / "ended" / str(number)).read_text("utf-8").strip()
        except OSError:
            return None

    def read(self, name: str) -> dict[str, Any]:
        """A small JSON file of the folder; empty where there is none, or it is damaged."""
        try:
            found = read_json((self.root / name).read_bytes())
        except (OSError, DocumentError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        durable.write_file(self.root / name, json.dumps(content) + "\n")

    def prune(self) -> None:
        """Forget all but the newest generations and those that stand."""
        standing = {self.pointer(name) for name in ("current", "confirmed", "pending")}
        for number in self.numbers()[:-KEPT]:
            if number not in standing:
                shutil.rmtree(self.generations / str(number), ignore_errors=True)

    def purge(self) -> tuple[str, ...]:
        """Delete all of it, and the folder; the names of what others put there, which stays. OSError."""
        for name in CONTENTS:
            for path in (self.root / name, *self.root.glob(f".{name}.*")):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        left = tuple(sorted(path.name for path in self.root.iterdir()))
        if not left:
            self.root.rmdir()
        return left

    def _refuse_strangers(self) -> None:
        for path in (self.root, self.generations):
            found = path.stat()
            if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
                words = f"others than root can write to `{path}`, and scripts in it are run by root"
                mend = f"`chown root {path} && chmod go-w {path}` if you trust what is there"
                raise ApplyError(f"{words}; nothing was changed: {mend}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the folder. BusyError where another has it, ApplyError where it cannot be written, or by
        too many."""
        os.umask(os.umask(0o022) | 0o022)
        try:
            durable.make_folder(self.generations, 0o700)
            self._refuse_strangers()
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(self.root, error) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                words = f"another segc is at work on `{self.root}`; nothing was changed: try again later"
                raise BusyError(words) from None
            yield
        finally:
            with suppress(OSError):
                os.close(handle)


def _numbers(folder: Path) -> list[int]:
    """What files in it are called; none where it is not there. ApplyError."""
    try:
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ApplyError(f"`{folder}` cannot be read: {system_reason(error)}") from None


def unwritable(root: Path, error: OSError, outcome: str = "nothing was changed") -> ApplyError:
    """With what came of it."""
    return ApplyError(f"the state directory `{root}` cannot be written: {system_reason(error)}; {outcome}")
