"""Files that are there whole or not at all, also after a power cut (rename(2), fsync(2))."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import TextIO


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """With those above it, where they are not there yet. OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    for each in missing:
        sync(each.parent)


def write_folder(folder: Path, contents: Mapping[str, str | Path]) -> None:
    """Make a folder with these texts by path below it. OSError, and no such folder, if that fails.

    What a file has already that never changes is given by its path, and shared.
    """
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(mode=0o700)
        places = map(PurePath, {name.rpartition("/")[0] for name in contents})
        below = {new / path for place in places for path in (place, *place.parents)}
        for path in below:
            path.mkdir(parents=True, exist_ok=True)
        written = [name for name, content in contents.items() if _put(f"{new}/{name}", content)]
        for path in (*(new / name for name in written), *below):  # all written: one flush serves most
            sync(path)
        new.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put(path: str, content: str | Path) -> bool:
    """Whether it has to be flushed."""
    if isinstance(content, Path):
        with suppress(OSError):
            os.link(content, path)
            return False
        content = content.read_text("utf-8")
    Path(path).write_text(content, encoding="utf-8", newline="")
    return True


def write_file(path: Path, text: str) -> None:
    """Put a file in the place of one that may be there. OSError, and what was there stays, if that fails.

    Who comes second waits: both write their new file under the same name, so that a crash leaves only one.
    """
    new = path.with_name(f".{path.name}.new")
    with _alone(new) as file:
        try:
            file.truncate(0)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    sync(path.parent)


@contextmanager
def _alone(path: Path) -> Iterator[TextIO]:
    """Open a file that nobody takes away or puts elsewhere as long as it is ours (flock(2))."""
    while True:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            with suppress(OSError):  # of a file system without locks, who comes second fails
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is(path, handle):
                yield file
                return


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def point(link: Path, target: str | None) -> None:
    """Make a symbolic link lead to `target` at one stroke, or take it away."""
    if target is None:
        link.unlink(missing_ok=True)
    else:
        new = link.with_name(f".{link.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(link)
    sync(link.parent)


def sync(path: Path) -> None:
    """Have a file or a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
