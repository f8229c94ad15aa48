"""The paths of a policy: what lies there, how messages show them, and how large a file may be."""

from __future__ import annotations

import os
from pathlib import Path

from segc.identity.snapshot import FILE as SNAPSHOT

MAX_BYTES = 16 << 20  # of one file; reading takes some 6 s and 200 MB for each dense million
MAX_SNAPSHOT = 64 << 20  # as many lines as there are people, and groups with people in them


def is_folder(path: str) -> bool:
    """False as well where nobody may look, or where no file can have that name."""
    return os.path.isdir(path)  # noqa: PTH112 (of pathlib this raises PermissionError)


def limit_of(path: str) -> int:
    """How many bytes a file may have."""
    return MAX_SNAPSHOT if path.endswith(SNAPSHOT) else MAX_BYTES


def shown(path: str) -> str:
    """A path as messages show it: as given but for `./`, and always text that can be printed."""
    return os.fsencode(Path(path).as_posix()).decode("utf-8", "replace")
