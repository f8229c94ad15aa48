"""Files that say whose a key or a MAC address is.

# the key or MAC address, the user, and, if it is known, the device
xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=  ana@acme.example  laptop-17
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple


class Identity(NamedTuple):
    user: str
    device: str | None = None


class IdentitiesError(Exception):
    """The file cannot be read, or a line of it says something else."""


def read_identities(path: Path, key: Callable[[str], str | None] = str) -> Mapping[str, Identity]:
    """By what `key` makes of the first word of a line, None where it cannot be one. IdentitiesError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise IdentitiesError(f"`{path}` cannot be read: {reason}") from None
    found: dict[str, Identity] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        name = key(words[0])
        if name is None or not 2 <= len(words) <= 3:
            raise IdentitiesError(f"{path}:{number}: write a key or MAC address, a user and perhaps a device")
        if name in found:
            raise IdentitiesError(f"{path}:{number}: a second line for the same key or MAC address")
        found[name] = Identity(*words[1:])
    return found
