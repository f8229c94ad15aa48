"""A folder of files that is replaced whole or not at all, and only if segc wrote it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from segc import manifest

EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
HERE = -100  # AT_FDCWD

Contents = Mapping[str, Mapping[str, str]]  # text by file name, which may hold `/`, by node


class RefusedError(Exception):
    """The folder holds what segc did not write; carries a sentence for the user."""


def replace_folder(path: str, contents: Contents) -> None:
    """Make the folder `path` hold exactly `contents`.

    All is written and synced beside it first, then put in its place in one step where the file system can
    exchange two names (Linux 3.15), else in two, of which an interrupted one is put right by the next call.
    Raises RefusedError, or OSError with `path` as it was before.
    """
    target = Path(os.path.realpath(path))
    _check_here(path, target)
    new, old = (target.with_name(f".{target.name}.segc-{which}") for which in ("new", "old"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent):
        if old.exists() and not target.exists():
            old.rename(target)
        _check(path, target)
        for left in (new, old):
            _remove(left)
        try:
            _write(new, contents, target)
            if target.exists():
                new.chmod(target.stat().st_mode & 0o7777)
                _swap(new, target, old)
            else:
                new.rename(target)
            _sync(target.parent)
        finally:
            with suppress(OSError):
                _remove(new)
                _remove(old)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time; where a file system has no locks, there is only hope."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_here(path: str, target: Path) -> None:
    if not path:
        raise RefusedError("the name of the folder is empty: name one, as in `-o build`")
    here = _here()
    if target == here:
        raise RefusedError(f"`{path}` is the folder that you are in: name another, as in `-o build`")
    if (here and target in here.parents) or target == target.parent:
        raise RefusedError(f"`{path}` holds the folder that you are in: name another, as in `-o build`")


def _here() -> Path | None:
    """The folder that we are in; None where it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _check(path: str, target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise RefusedError(f"`{path}` is a file, and what is compiled needs a folder")
    stranger = next(_strangers(target), None)
    if stranger is not None:
        name = stranger.relative_to(target)
        raise RefusedError(
            f"`{path}` holds `{name}`, which segc did not write: name another folder, or empty it"
        )


def _strangers(target: Path) -> Iterator[Path]:
    """What stands in the folder beside the files that manifests name."""
    for node in sorted(target.iterdir()):
        if node.is_symlink() or not node.is_dir():
            yield node
            continue
        files = listed(node / manifest.FILE)
        for each in sorted(node.rglob("*")):
            if each.is_symlink() or (not each.is_dir() and each.relative_to(node).as_posix() not in files):
                yield each
        if not files:
            yield node


def listed(path: Path) -> frozenset[str]:
    """The files of a node, by its manifest; none where that cannot be read or is not ours."""
    try:
        return manifest.listed(text_of(path))
    except (OSError, ValueError):
        return frozenset()


def text_of(path: Path) -> str:
    """OSError, or ValueError, where it is no file of text; a pipe is not waited for."""
    if not path.is_file():
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return path.read_bytes().decode("utf-8")  # with the ends of lines that it has


def _write(folder: Path, contents: Contents, former: Path) -> None:
    made = {folder}
    folder.mkdir()
    for node, files in contents.items():
        for name, text in files.items():
            path = inside(folder, f"{node}/{name}")
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.update((path.parent, folder / node))
            _put(path, text.encode("utf-8"), former / node / name)
    for each in made:
        _sync(each)


def _put(path: Path, data: bytes, former: Path) -> None:
    """A file that holds `data`; where the former build has it already, that very one, which is synced."""
    if _holds(former, data):
        with suppress(OSError):
            os.link(former, path)
            return
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _holds(path: Path, data: bytes) -> bool:
    try:
        found = os.lstat(path)
        return stat.S_ISREG(found.st_mode) and found.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def inside(folder: Path, name: str) -> Path:
    """Names are checked where they are given; this holds even if they were not. ValueError."""
    if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")):
        raise ValueError(f"`{name}` cannot name a file")
    return folder / name


def _swap(new: Path, target: Path, old: Path) -> None:
    try:
        _exchange(new, target)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
            raise
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise


def _exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE; OSError(ENOSYS) where the C library lacks it."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    if call(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
