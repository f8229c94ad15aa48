"""An append-only journal of JSON records: what was written is on the disk, and a torn end does no harm.

    sessions/lock         held by the agent
    sessions/snapshot.7   all that stood when journal 7 was begun; written whole, or not there
    sessions/journal.7    what happened since; each line is `CRC-32 JSON`

Room for what ends is held in reserve (fallocate(2) beyond the end of the file), so on a full disk nothing
begins, but all that must end can be written down.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from segc.apply import durable

FOLDER = "sessions"  # in the state directory
Record = list[Any]
RESERVE = 1 << 20  # bytes beyond the end
COMPACT = 8 << 20  # bytes from which a journal may be longer than what it says
_KEEP_SIZE = 1
_decode = json.JSONDecoder().raw_decode
_libc = ctypes.CDLL(None, use_errno=True)


class DamagedError(Exception):
    """A record in the middle is not what was written: what followed cannot be trusted either."""


class LockedError(Exception):
    """Another agent has it."""


class Journal:
    """Open for appending. OSError where the folder cannot be used, LockedError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        durable.make_folder(folder, 0o700)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which no child inherits
        except (BlockingIOError, PermissionError):
            os.close(self._lock)
            raise LockedError(f"another agent is at work on `{folder}`") from None
        self._file = -1
        self.number = 0
        self.size = self._reserved = 0
        self._torn = False  # more may be in the file than what counts

    def close(self) -> None:
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    # -- reading -------------------------------------------------------------------------------------

    def read(self) -> Iterator[Record]:
        """All records in order, and afterwards the journal is open at its end. DamagedError."""
        number, good = yield from _stored(self.folder)
        self._open(number, good)
        self._tidy()

    def begin_anew(self, records: Iterable[Record]) -> None:
        """Start over with these, whatever there was."""
        number = max([0, *_numbers(self.folder, "journal"), *_numbers(self.folder, "snapshot")]) + 1
        self._open(number, 0)
        self.write_snapshot(number, records)
        self.forget(number)

    def _open(self, number: int, size: int) -> None:
        path = self.folder / f"journal.{number}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.ftruncate(handle, size)
        durable.sync(self.folder)
        self._go_on(handle, number, size)

    def _go_on(self, handle: int, number: int, size: int) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self.number, self.size, self._reserved, self._torn = handle, number, size, 0, False

    def _tidy(self) -> None:
        """Take away what a power cut left of a compaction."""
        for path in self.folder.glob(".snapshot.*.new"):
            with suppress(OSError):
                path.unlink()
        self.forget(max(_numbers(self.folder, "snapshot"), default=0))

    # -- writing -------------------------------------------------------------------------------------

    def append(self, records: Iterable[Record], *, ending: bool = False) -> None:
        """Write records and have them on the disk: all, or OSError and none. `ending` may use the reserve."""
        data = b"".join(map(_line, records))
        if not data:
            return
        if self._torn:
            self._cut()
        if not ending:
            self._reserve(self.size + len(data) + RESERVE)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fdatasync(self._file)
        except OSError:
            self._torn = True
            with suppress(OSError):
                self._cut()
            raise
        self.size += len(data)

    def _cut(self) -> None:
        """Take what does not count off the end, before anything follows it. OSError."""
        self._reserved = 0
        os.ftruncate(self._file, self.size)
        self._torn = False

    def _reserve(self, end: int) -> None:
        """Have room up to `end`, and as much again, so that it is seldom asked for. OSError."""
        if end <= self._reserved:
            return
        wanted = end + RESERVE - self.size
        _allocate(self._file, self.size, wanted)
        self._reserved = self.size + wanted

    # -- compaction ----------------------------------------------------------------------------------

    @property
    def wants_compaction(self) -> bool:
        snapshot = self.folder / f"snapshot.{self.number}"
        kept = snapshot.stat().st_size if snapshot.exists() else 0
        return self.size > COMPACT + 2 * kept

    def turn(self) -> int:
        """Go on in a new file, for which a snapshot will be written; its number. OSError where there is no
        room for its reserve, and then nothing has changed."""
        if self._torn:
            self._cut()
        number = self.number + 1
        path = self.folder / f"journal.{number}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(handle, 0)
            _allocate(handle, 0, 2 * RESERVE)
            durable.sync(self.folder)
        except OSError:
            os.close(handle)
            path.unlink()
            raise
        self._go_on(handle, number, 0)
        self._reserved = 2 * RESERVE
        return number

    def write_snapshot(self, number: int, records: Iterable[Record]) -> None:
        path = self.folder / f"snapshot.{number}"
        new = path.with_name(f".{path.name}.new")
        try:
            with new.open("wb") as file:
                for record in records:
                    file.write(_line(record))
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)  # on a full disk, others need the room
            raise
        durable.sync(self.folder)

    def forget(self, number: int) -> None:
        """Take away what came before snapshot `number`, if that is there."""
        if not (self.folder / f"snapshot.{number}").exists():
            return
        for kind in ("journal", "snapshot"):
            for old in _numbers(self.folder, kind):
                if old < number:
                    with suppress(OSError):
                        (self.folder / f"{kind}.{old}").unlink()


def _allocate(handle: int, offset: int, length: int) -> None:
    """Room in a file beyond its end, where there is such a thing. OSError."""
    if _libc.fallocate(handle, _KEEP_SIZE, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        number = ctypes.get_errno()
        if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise OSError(number, os.strerror(number))


def stored(folder: Path) -> list[Record]:
    """All records in order, for who only looks: anew where they were compacted meanwhile. DamagedError,
    OSError."""
    while True:
        began = _numbers(folder, "snapshot")
        try:
            found = list(_stored(folder))
        except (DamagedError, OSError):
            if _numbers(folder, "snapshot") == began:
                raise
        else:
            if _numbers(folder, "snapshot") == began:
                return found


def _stored(folder: Path) -> Generator[Record, None, tuple[int, int]]:
    """The value is the number of the last journal, and how many bytes of it are records."""
    start, good = max(_numbers(folder, "snapshot"), default=0), 0
    following = [number for number in _numbers(folder, "journal") if number >= start]
    if start:
        yield from _records(folder / f"snapshot.{start}", whole=True)
    for number in following:
        good = yield from _records(folder / f"journal.{number}", whole=number != following[-1])
    return following[-1] if following else start or 1, good


def _numbers(folder: Path, kind: str) -> list[int]:
    found = (path.name.rpartition(".") for path in folder.glob(f"{kind}.*"))
    return sorted(int(number) for _, _, number in found if number.isdecimal())


def _line(record: Record) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _record(line: bytes) -> Record | None:
    """None for what no agent has written. As there may be very many, they are not read with more care."""
    try:
        found: Record = _decode(line.decode())[0]
    except (ValueError, RecursionError):
        return None
    return found


def _records(path: Path, whole: bool) -> Generator[Record, None, int]:
    """The records of a file; the value is how many bytes of it they are.

    Only the last line of the last file can have been torn: whatever else is wrong is damage.
    """
    good = 0
    data = path.read_bytes() if path.exists() else b""
    while good < len(data):
        end = data.find(b"\n", good)
        line = data[good:end] if end >= 0 else b""
        if line[:9] != b"%08x " % zlib.crc32(line[9:]):
            break
        record = _record(line[9:])
        if record is None:
            break
        yield record
        good = end + 1
    if good < len(data) and (whole or data.find(b"\n", good) not in (-1, len(data) - 1)):
        raise DamagedError(f"`{path}` is damaged at byte {good}")
    return good
