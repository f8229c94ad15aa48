"""Words in messages: the user's text, and lengths of time."""

from __future__ import annotations

_LONGEST = 60


def quote(text: str) -> str:
    """`text` in backquotes, cut where it is too long to be read."""
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[: _LONGEST - 1]}…`"


def system_reason(error: OSError) -> str:
    """Why a file or a socket would not, in the system's words."""
    return (error.strerror or "input/output error").lower()


def is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def duration_text(seconds: int) -> str:
    """A length of time as a policy writes it: `1h30m`, `12h`, `1d1s`."""
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        parts += [f"{number}{unit}"] * bool(number)
    return "".join(parts) or "0s"
