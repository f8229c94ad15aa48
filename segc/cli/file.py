"""A file that is replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: str, before: str, after: str) -> None:
    """Put the text `after` in the place of `before`, keeping mode and, where allowed, owner.

    A link is followed. OSError, with the file as it was, if that fails or it holds another text by now.
    """
    target = Path(path).resolve(strict=True)
    with target.open("r+b") as file:  # who may not write to it must not put another in its place
        if file.read() != before.encode("utf-8"):
            raise OSError(errno.ESTALE, "it changed meanwhile")
    found = target.stat()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 (a descriptor)
            with suppress(PermissionError):
                os.fchown(handle, found.st_uid, found.st_gid)
            os.fchmod(handle, found.st_mode & 0o7777)
            file.write(after)
            file.flush()
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
