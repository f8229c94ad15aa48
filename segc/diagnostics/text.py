"""Findings for people: the message, the source with the place underlined, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from segc.diagnostics.measure import clipped, display_width, printable
from segc.diagnostics.model import Diagnostic, Label, Report, Severity
from segc.diagnostics.snippet import Piece, Place, Row, block_snippet, lines_snippet, locate
from segc.source import SourceFile

MOST = 100  # findings shown; the machine formats give all of them
MOST_LABELS = 12  # places shown of one finding
NARROWEST = 40  # cells of source shown on however small a terminal

STYLES = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "note": "\x1b[1;36m",
    "secondary": "\x1b[1;34m",
    "strong": "\x1b[1m",
}
RESET = "\x1b[0m"
RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


class Section(NamedTuple):
    """Places that are shown under one `┌─` heading; without a source there is only the heading."""

    path: str
    source: SourceFile | None
    places: tuple[Place, ...]


def render_text(report: Report, color: bool, width: int) -> str:
    """The findings as text, each block ending in a newline; empty where there are none.

    `width` is the terminal's, in cells; longer source lines are cut around the underlined place. At most
    100 findings are shown, errors before others, and a last line then says how many were left out.
    """
    shown = sorted(report.diagnostics, key=lambda d: RANK[d.severity])[:MOST]
    chosen = {id(diagnostic) for diagnostic in shown}
    sources = {source.path: source for source in report.sources}
    blocks = [
        "".join(f"{line}\n" for line in _block(diagnostic, sources, color, width))
        for diagnostic in report.diagnostics
        if id(diagnostic) in chosen
    ]
    left = len(report.diagnostics) - len(blocks)
    if left > 0:
        blocks.append(f"and {_count(left, 'more finding')}: `--format json` shows every one\n")
    return "\n".join(blocks)


def summary(report: Report) -> str:
    """`2 findings (1 error, 1 warning)`, or `no findings`."""
    if not report.diagnostics:
        return "no findings"
    notes = len(report.diagnostics) - report.errors - report.warnings
    counts = (("error", report.errors), ("warning", report.warnings), ("note", notes))
    parts = ", ".join(_count(number, word) for word, number in counts if number)
    return f"{_count(len(report.diagnostics), 'finding')} ({parts})"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _block(
    diagnostic: Diagnostic, sources: Mapping[str, SourceFile], color: bool, width: int
) -> Iterator[str]:
    severity = diagnostic.severity.value
    message = printable(clipped(diagnostic.message))
    yield _paint(f"{severity}[{diagnostic.code}]", severity, color) + _paint(f": {message}", "strong", color)
    sections = _sections(diagnostic, sources)
    numbers = [place.last_line for section in sections for place in section.places]
    gutter = max(2, len(str(max(numbers, default=0))))
    for section in sections:
        yield from _section(section, gutter, severity, color, width)
    hidden = len(diagnostic.secondary) + 1 - MOST_LABELS
    more = [f"and {_count(hidden, 'more place')}"] if hidden > 0 else []
    help = [f"help: {diagnostic.help}"] if diagnostic.help else []
    for note in [*more, *diagnostic.notes, *help]:
        yield from _note(note, gutter, color)


def _note(note: str, gutter: int, color: bool) -> Iterator[str]:
    first, *others = clipped(note, 2000).split("\n")
    kind, colon, rest = first.partition(": ")
    if kind == "help" and colon:
        first = _paint("help", "strong", color) + colon + printable(rest)
    else:
        first = printable(first)
    yield f"{' ' * gutter}{_paint('=', 'secondary', color)} {first}"
    for line in others:
        yield f"{' ' * (gutter + 2)}{printable(line)}".rstrip()


def _sections(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> list[Section]:
    """The primary's section first; a label on a line near one already shown joins its section."""
    sections: list[Section] = []
    primary = [(diagnostic.primary, True)] if diagnostic.primary else []
    labels = [*primary, *((label, False) for label in diagnostic.secondary)]
    for label, is_primary in labels[:MOST_LABELS]:
        section = _alone(label, is_primary, sources.get(label.span.path))
        near = next((i for i, other in enumerate(sections) if _joins(other, section)), None)
        if near is None:
            sections.append(section)
        else:
            sections[near] = section._replace(places=sections[near].places + section.places)
    return sections


def _alone(label: Label, primary: bool, source: SourceFile | None) -> Section:
    if source is None:
        line = max(label.span.line, 1)
        place = Place(line, 0, line, 0, printable(clipped(label.text.strip())), primary)
    else:
        place = locate(source, label, primary)
    return Section(label.span.path, source, (place,))


def _joins(section: Section, other: Section) -> bool:
    if section.path != other.path or section.source is None:
        return False
    if any(place.line != place.last_line for place in section.places + other.places):
        return False
    return any(abs(place.line - other.places[0].line) <= 1 for place in section.places)


def _section(section: Section, gutter: int, severity: str, color: bool, width: int) -> Iterator[str]:
    place, *_ = section.places
    column = "" if section.source is None else f":{place.start + 1}"
    where = f"{printable(clipped(section.path))}:{place.line}{column}"
    yield f"{' ' * gutter}{_paint('┌─', 'secondary', color)} {where}"
    room = max(NARROWEST, width - gutter - 2)
    if section.source is None:
        rows = [Row(None, (Piece(0, place.text, "primary" if place.primary else "secondary"),))]
    elif place.line != place.last_line:
        rows = block_snippet(section.source, place, room)
    else:
        rows = lines_snippet(section.source, section.places, room)
    yield from (
        _row(row, gutter, severity, color) for row in rows if row.number or any(p.text for p in row.pieces)
    )


def _row(row: Row, gutter: int, severity: str, color: bool) -> str:
    number = "" if row.number is None else str(row.number)
    line, at = _paint(f"{number:>{gutter}}│", "secondary", color) + " ", 0
    for piece in sorted(row.pieces):
        style = severity if piece.style == "primary" else piece.style
        line += " " * (piece.column - at) + _paint(piece.text, style, color)
        at = piece.column + display_width(piece.text)
    return line.rstrip()


def _paint(text: str, style: str, color: bool) -> str:
    return f"{STYLES[style]}{text}{RESET}" if color and style and text else text
