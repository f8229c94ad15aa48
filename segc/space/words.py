"""The user's text in messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 60


def quote(text: str) -> str:
    """`text` in backquotes, cut where it is too long to be read."""
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[: _LONGEST - 1]}…`"


def is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def did_you_mean(text: str, words: Iterable[str], prefix: str = "") -> str:
    """`: did you mean …?` with the word nearest to `text`, or nothing."""
    near = get_close_matches(text[:_LONGEST].lower(), list(words), n=1, cutoff=0.6)
    return f": did you mean `{prefix}{near[0]}`?" if near else ""
