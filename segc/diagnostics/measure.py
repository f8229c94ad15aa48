"""Text as a terminal shows it: what is safe to print, and how many cells it takes.

Policies come from others, so nothing of theirs reaches a terminal raw that could move its cursor, recolour
it or turn the reading direction round (Unicode TR36, CVE-2021-42574): such characters are shown as escapes.
"""

from __future__ import annotations

from typing import NamedTuple
from unicodedata import category, east_asian_width

TAB = 4  # cells between tab stops
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
ELLIPSIS = "…"


class Shown(NamedTuple):
    """A stretch of a line ready to print. `columns[i]` is the cell where character `first + i` starts."""

    text: str
    first: int
    columns: tuple[int, ...]

    def column(self, character: int) -> int:
        """The cell of a character of the line; one that is cut off stands at the near edge."""
        return self.columns[min(max(character - self.first, 0), len(self.columns) - 1)]


def printable(text: str) -> str:
    """`text` on one line, with control, format (bidi) and unassigned characters as `\\x1b` or `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) for c in text)


def clipped(text: str, limit: int = 1000) -> str:
    """`text`, without its middle where it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit * 3 // 4]}{ELLIPSIS}{text[-limit // 4 :]}"


def display_width(text: str) -> int:
    """Cells taken by printable text: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def show(line: str, first: int, last: int, width: int) -> Shown:
    """The part of `line` around the characters `[first, last)` that fits into `width` cells.

    Tabs reach to the next multiple of 4 cells. What is cut off at either end is marked with `…`.
    Takes time in `width`, not in the length of the line.
    """
    whole = _laid_out(line, 0, "") if len(line) <= 4 * width else None
    if whole and whole.columns[-1] <= width:
        return whole
    start = _step_back(line, first, max(width // 4, (width - (last - first)) // 2))
    lead = ELLIPSIS if start else ""
    laid = _laid_out(line[start : start + 4 * width], start, lead)
    if laid.columns[-1] <= width and start + 4 * width >= len(line):
        return laid
    return _cut(laid, line[start : start + 4 * width], width - 1)


def _cut(laid: Shown, text: str, width: int) -> Shown:
    fits = max(1, sum(column <= width for column in laid.columns) - 1)
    lead = ELLIPSIS if laid.first else ""
    short = _laid_out(text[:fits], laid.first, lead)
    return short._replace(text=short.text + ELLIPSIS)


def _step_back(line: str, first: int, room: int) -> int:
    """Where to start so that `first` is at most `room` cells in; at the start of the line if that is near."""
    start = min(first, len(line))
    for _ in range(4 * room):
        room -= (
            TAB if start and line[start - 1] == "\t" else display_width(printable(line[start - 1 : start]))
        )
        if room < 1 or not start:
            break
        start -= 1
    return start


def _laid_out(text: str, first: int, lead: str) -> Shown:
    pieces, columns, column = [lead], [], len(lead)
    for c in text:
        piece = " " * (TAB - column % TAB) if c == "\t" else _escaped(c)
        columns.append(column)
        pieces.append(piece)
        column += display_width(piece)
    return Shown("".join(pieces), first, (*columns, column))


def _escaped(c: str) -> str:
    if c.isascii() and c.isprintable():
        return c
    if category(c) not in HIDDEN:
        return c
    code = ord(c)
    if c in SHORT:
        return SHORT[c]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cells(c: str) -> int:
    if c.isascii():
        return 1
    if category(c) in {"Mn", "Me"} or "\u1160" <= c <= "\u11ff":  # the latter: Hangul vowels and finals
        return 0
    return 2 if east_asian_width(c) in "WF" else 1
