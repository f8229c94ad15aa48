"""Source lines with marks under them: `^^^` the primary place, `---` the secondary ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from segc.diagnostics.measure import Shown, clipped, display_width, printable, show
from segc.diagnostics.model import Label
from segc.source import SourceFile

LABEL = 300  # characters of a label that are shown


class Place(NamedTuple):
    """A label found in its file. Lines are 1-based; columns count characters from 0, `end` is exclusive."""

    line: int
    start: int
    last_line: int
    end: int
    text: str
    primary: bool


class Piece(NamedTuple):
    """Printable text at a cell of a row, in a style (`primary`, `secondary` or none)."""

    column: int
    text: str
    style: str


class Row(NamedTuple):
    """A row of a snippet; `number` is the source line's where it is one."""

    number: int | None
    pieces: tuple[Piece, ...]


class Mark(NamedTuple):
    start: int
    end: int
    text: str
    primary: bool

    @property
    def style(self) -> str:
        return "primary" if self.primary else "secondary"


def locate(source: SourceFile, label: Label, primary: bool) -> Place:
    """Where a label stands, whatever its offsets: out of the file means its nearest end."""
    size = len(source.text)
    start = min(max(label.span.start, 0), size)
    end = min(max(label.span.end, start), size)
    while end > start and source.text[end - 1] in "\r\n":
        end -= 1
    line, column = source.position(start)
    last_line, last_column = source.position(max(start, end - 1))
    after = last_column if end > start else last_column - 1
    return Place(line, column - 1, last_line, after, printable(clipped(label.text.strip(), LABEL)), primary)


def lines_snippet(source: SourceFile, places: Sequence[Place], width: int) -> list[Row]:
    """Rows for places of one line each, which stand on neighbouring lines."""
    rows = []
    for number in range(min(p.line for p in places), max(p.line for p in places) + 1):
        here = [place for place in places if place.line == number]
        first = min((place.start for place in here), default=0)
        shown = show(source.line_text(number), first, max((p.end for p in here), default=0), width)
        rows.append(Row(number, (Piece(0, shown.text, ""),)))
        rows += [Row(None, pieces) for pieces in _marks([_mark(shown, place) for place in here])]
    return rows


def block_snippet(source: SourceFile, place: Place, width: int) -> list[Row]:
    """Rows for a place of several lines: its first and last line, held together by a bracket."""
    style = "primary" if place.primary else "secondary"
    tip = "^" if place.primary else "-"
    top = source.line_text(place.line)
    shown = show(top, place.start, len(top), width - 2)
    indented = not top[: place.start].strip() and shown.first == 0
    rows = [Row(place.line, (Piece(0, "╭" if indented else " ", style), Piece(2, shown.text, "")))]
    if not indented:
        rows.append(Row(None, (Piece(0, f"╭{'─' * (shown.column(place.start) + 1)}{tip}", style),)))
    rows += _between(source, place, width, style)
    foot = show(source.line_text(place.last_line), place.end - 1, place.end, width - 2)
    rows.append(Row(place.last_line, (Piece(0, "│", style), Piece(2, foot.text, ""))))
    label = f"╰{'─' * (foot.column(place.end - 1) + 1)}{tip} {place.text}".rstrip()
    return [*rows, Row(None, (Piece(0, label, style),))]


def _between(source: SourceFile, place: Place, width: int, style: str) -> list[Row]:
    bracket = Piece(0, "│", style)
    if place.last_line - place.line < 2:
        return []
    if place.last_line - place.line > 2:
        return [Row(None, (bracket, Piece(2, "…", "")))]
    number = place.line + 1
    return [Row(number, (bracket, Piece(2, show(source.line_text(number), 0, 0, width - 2).text, "")))]


def _mark(shown: Shown, place: Place) -> Mark:
    start = shown.column(place.start)
    return Mark(start, max(start + 1, shown.column(place.end)), place.text, place.primary)


def _marks(marks: Sequence[Mark]) -> list[tuple[Piece, ...]]:
    """The rows under a line: marks with the texts that fit beside them, then the others hung below."""
    if not marks:
        return []
    beside, below = _attach(marks)
    rows = [(*_underline(marks), *(Piece(m.end + 1, m.text, m.style) for m in beside))]
    if below:
        rows.append(_connectors(below))
    for position, mark in enumerate(below):
        left = [other for other in below[position + 1 :] if other.start < mark.start]
        rows.append((*_connectors(left), Piece(mark.start, mark.text, mark.style)))
    return rows


def _attach(marks: Iterable[Mark]) -> tuple[list[Mark], list[Mark]]:
    """Which texts fit behind their marks, and which must hang below; from right to left."""
    taken = [(mark.start, mark.end) for mark in marks]
    beside, below = [], []
    for mark in sorted(marks, key=lambda m: (-m.start, not m.primary, m.end, m.text)):
        until = mark.end + 1 + display_width(mark.text)
        if not mark.text:
            continue
        if all(end <= mark.end or start > until + 1 for start, end in taken):
            beside.append(mark)
            taken.append((mark.end + 1, until))
        else:
            below.append(mark)
    return sorted(beside), below


def _underline(marks: Iterable[Mark]) -> list[Piece]:
    """The shorter mark is drawn over the longer, so that both can be seen."""
    cells: dict[int, Mark] = {}
    for mark in sorted(marks, key=lambda m: (m.start - m.end, m.primary)):
        cells.update(dict.fromkeys(range(mark.start, mark.end), mark))
    pieces = []
    drawn = sorted((column, mark.primary) for column, mark in cells.items())
    for _, group in groupby(enumerate(drawn), key=lambda item: (item[1][0] - item[0], item[1][1])):
        run = [entry for _, entry in group]
        column, primary = run[0]
        pieces.append(
            Piece(column, ("^" if primary else "-") * len(run), "primary" if primary else "secondary")
        )
    return pieces


def _connectors(marks: Iterable[Mark]) -> tuple[Piece, ...]:
    first = {mark.start: mark for mark in reversed(list(marks))}
    return tuple(Piece(column, "│", first[column].style) for column in sorted(first))
