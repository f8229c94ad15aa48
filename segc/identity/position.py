"""Where in a JSON text a value stands, for messages; the text is known to be JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

Step = str | int  # a key of an object, an index of a list
_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")


def locate(text: str, path: tuple[Step, ...]) -> tuple[int, int]:
    """Start and end of the value that `path` leads to; of the last one on the way where it leads nowhere.

    Where an object has a key twice, the last one counts, as it does for `json.loads`.
    """
    start = _skip(text, 0)
    for step in path:
        found = [at for name, at in _items(text, start) if name == step]
        if not found:
            break
        start = found[-1]
    return start, _DECODER.raw_decode(text, start)[1]


def _items(text: str, start: int) -> Iterator[tuple[Step, int]]:
    """The keys or indices of the object or list at `start`, and where their values start."""
    opened, at, number = text[start], _skip(text, start + 1), 0
    while opened in "{[" and text[at] not in "]}":
        name: Step = number
        if opened == "{":
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield name, at
        at, number = _skip(text, _DECODER.raw_decode(text, at)[1]), number + 1
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()
