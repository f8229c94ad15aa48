"""Results kept between runs, for speed only: losing, disabling or corrupting them changes nothing else.

Entries are files in `$XDG_CACHE_HOME/segc` (else `~/.cache/segc`), named by kind and key. A folder that
others may write to is not trusted, since what is read from it may be unpickled. `SEGC_CACHE=0` turns it off.
"""

from __future__ import annotations

import marshal
import os
import pickle
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

LIMIT = 256 << 20  # bytes kept in all
PRUNE_EVERY = 16 << 20  # bytes written by this process between two looks at the total
_DIGEST = 32
_written = PRUNE_EVERY


def key(*parts: str | bytes) -> str:
    """One name for all of `parts`, in this order. Put into it everything that the result depends on."""
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


@lru_cache
def program() -> str:
    """One name for the very files that this segc consists of: what another one made is not kept for it.

    A checkout changes without its version, so sizes and times of files count; nothing is read.
    """
    found, folders = [], [str(Path(__file__).parent)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.path)
                elif entry.name.endswith(".py"):
                    seen = entry.stat()
                    found.append(f"{entry.path} {seen.st_size} {seen.st_mtime_ns}")
    return key(*sorted(found))


def get(kind: str, key: str) -> bytes | None:
    """What was `put` under `kind` and `key`, whole and unchanged, or None."""
    folder = directory()
    if folder is None:
        return None
    try:
        path = folder / f"{kind}-{key}"
        entry = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    digest, data = entry[:_DIGEST], entry[_DIGEST:]
    return data if sha256(data).digest() == digest else None


def put(kind: str, key: str, data: bytes) -> None:
    """Keep `data`, if that can be done; `kind` is a short word."""
    folder = directory()
    if folder is None or len(data) > LIMIT // 4:
        return
    temporary = folder / f".{os.getpid()}-{kind}-{key}"
    try:
        with temporary.open("xb") as file:
            file.write(sha256(data).digest() + data)
        temporary.replace(folder / f"{kind}-{key}")
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        return
    _prune(folder, len(data))


def load(kind: str, key: str) -> Any:
    """The object stored by `store`, or None. An entry that cannot be read back counts as absent."""
    data = get(kind, key)
    if data is None:
        return None
    try:
        return pickle.loads(data)
    except Exception:
        return None


def store(kind: str, key: str, value: Any) -> None:
    put(kind, key, pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


class Memo:
    """What was worked out from files of a policy, as plain data: numbers, texts and tuples of them.

    `keys` name the text of each file by its path. A result may also hang on a `context`, which has a name of
    its own (`digest`); nothing is kept for a file or in a context without one.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self.kept = 0  # results that were found
        self.made = 0  # results that were worked out

    def get(self, path: str, kind: str, context: str) -> Any:
        """What was `put`, or None."""
        data = get(kind, key(self._keys[path], context)) if context and self._keys.get(path) else None
        try:
            found = None if data is None else marshal.loads(data)
        except (ValueError, EOFError, TypeError):
            return None
        self.kept += found is not None
        return found

    def put(self, path: str, kind: str, context: str, value: Any) -> None:
        self.made += 1
        if context and self._keys.get(path):
            put(kind, key(self._keys[path], context), marshal.dumps(value))

    def digest(self, paths: Iterable[str], *more: str) -> str:
        """One name for the texts of several files, and more; empty if one of them has none."""
        keys = [self._keys.get(path, "") for path in sorted(paths)]
        return key(*keys, *more) if all(keys) else ""


FORGETFUL = Memo({})


def directory() -> Path | None:
    """The folder, made if need be; None if switched off, not ours alone to write, or not to be had."""
    if os.environ.get("SEGC_CACHE") == "0":
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        folder = root / "segc"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except (OSError, RuntimeError):
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return folder if ours and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else None


def _prune(folder: Path, size: int) -> None:
    """Now and then delete the entries that were used longest ago, down to half the limit."""
    global _written
    _written += size
    if _written < PRUNE_EVERY:
        return
    _written = 0
    with suppress(OSError), os.scandir(folder) as entries:
        files = sorted(
            ((e.stat(follow_symlinks=False), e.path) for e in entries), key=lambda f: f[0].st_mtime
        )
        excess = sum(s.st_size for s, _ in files) - LIMIT
        if excess <= 0:
            return
        excess += LIMIT // 2
        for found, path in files:
            if excess <= 0:
                break
            Path(path).unlink(missing_ok=True)
            excess -= found.st_size
