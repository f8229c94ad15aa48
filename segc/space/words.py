"""The user's text in messages."""

from __future__ import annotations

_LONGEST = 60


def quote(text: str) -> str:
    """`text` in backquotes, cut where it is too long to be read."""
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[: _LONGEST - 1]}…`"


def is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()
