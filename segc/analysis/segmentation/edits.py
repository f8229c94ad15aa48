"""Changes to the text of a policy: pieces replaced, everything else as it was, comments too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from segc.source import SourceFile, Span
from segc.syntax import tree
from segc.syntax.format import format_source
from segc.syntax.parse import parse
from segc.syntax.store import AnyFile

Files = Sequence[tuple[SourceFile, AnyFile]]
BEFORE_COMMA = re.compile(r"(?:#[^\n]*|[^,#])*")


class Edit(NamedTuple):
    path: str
    start: int
    end: int
    text: str = ""


def apply(files: Files, edits: Iterable[Edit]) -> dict[str, str]:
    """The new text of every file that changes. One that had the one layout keeps it."""
    by_path: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        by_path.setdefault(edit.path, []).append(edit)
    found = {}
    for source, _ in files:
        text = source.text
        for edit in sorted(by_path.get(source.path, ()), reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        if text != source.text:
            laid_out = format_source(source) == source.text
            found[source.path] = format_source(SourceFile(source.path, text)) if laid_out else text
    return found


def reread(files: Files, texts: Mapping[str, str]) -> list[tuple[SourceFile, AnyFile]]:
    """The files with new texts in the place of old ones."""
    return [
        (changed, parse(changed)[0])
        if source.path in texts and (changed := SourceFile(source.path, texts[source.path]))
        else (source, file)
        for source, file in files
    ]


def deletion(source: SourceFile, span: Span) -> Edit:
    """A statement with its lines, and with the comment behind it, where nothing else is on them."""
    text, start, end = source.text, span.start, span.end
    line = text.rfind("\n", 0, start) + 1
    tail = re.compile(r"[ \t;]*(?:#[^\n]*)?(?:\n|$)").match(text, end)
    if not text[line:start].strip() and tail:
        return Edit(source.path, line, tail.end())
    return Edit(source.path, start, end)


def deletions(files: Files, names: Iterable[tuple[str, str]]) -> Iterator[Edit]:
    """The definitions of sets, services, groups and postures; a group's sessions go with it."""
    wanted = set(names)
    kinds = {
        tree.SetDef: "set",
        tree.ServiceDef: "service",
        tree.GroupDef: "group",
        tree.PostureDef: "posture",
    }
    for source, file in files:
        for statement in file.rest:
            kind = "group" if isinstance(statement, tree.SessionDef) else kinds.get(type(statement))
            if kind and (kind, statement.name.text) in wanted:  # type: ignore[union-attr]
                yield deletion(source, statement.span)


def margin(source: SourceFile, at: int) -> str:
    """The blanks that the line of a place begins with."""
    line = source.text[source.text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def left_out(source: SourceFile, spans: Sequence[Span], gone: Sequence[Span]) -> Iterator[Edit]:
    """Elements of a list without which each comment stays beside the element that it stood beside.

    Of the commas, the one behind each element stays that another one follows still.
    """
    taken = {(span.start, span.end) for span in gone}
    places = [(span.start, span.end) for span in spans]
    last = max((n for n, place in enumerate(places) if place not in taken), default=-1)
    for number, place in enumerate(places):
        if place in taken:
            yield Edit(source.path, *place)
        if number + 1 < len(places) and (place in taken or number >= last):
            yield _comma(source, place[1], places[number + 1][0])


def _comma(source: SourceFile, start: int, end: int) -> Edit:
    """All between two elements, or the comma alone where comments are."""
    between = source.text[start:end]
    if "#" not in between:
        return Edit(source.path, start, end)
    at = start + len(BEFORE_COMMA.match(between)[0])  # type: ignore[index]
    return Edit(source.path, at, at + 1)
