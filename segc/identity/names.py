"""Names of people, as directories, sources and policies give them: one person must have one name in all."""

from __future__ import annotations

import unicodedata

LENGTH = 256  # characters of a name


def readable(name: str) -> bool:
    """Whether a name shows all that it is made of: what turns or hides text could pass for another name."""
    return len(name) <= LENGTH and name.isprintable() and bool(name.strip())


def person(name: str) -> str:
    """What people are known by, as directories compare names (RFC 4518, RFC 7643 4.1.1): without case."""
    lower = unicodedata.normalize("NFC", name).lower()
    return unicodedata.normalize("NFC", lower)  # some letters are composed only in lower case: `J̌`, `ǰ`
