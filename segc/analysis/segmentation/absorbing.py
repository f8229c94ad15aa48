"""The text of a policy in which one zone takes in others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from segc.analysis.segmentation.edits import Edit, Files, apply, deletion, left_out, margin, reread
from segc.source import SourceFile
from segc.syntax import tree
from segc.syntax.format import format_source

OPENING = re.compile(r"(?:\s|#[^\n]*)*\{")
ZONES = {  # fields that hold names of zones
    (tree.GroupTerm, "zones"),
    (tree.UserTerm, "zones"),
    (tree.Port, "zones"),
    (tree.Interface, "zones"),
    (tree.Interface, "trunk"),
}
LEFT_BEHIND = ("vlan", "about", "external", "refuse", "intra", "tag")  # what the zone that stays says itself


def merged(files: Files, kept: str, *gone: str) -> dict[str, str]:
    """New texts in which zone `kept` takes in others: their subnets, their hosts, and what is said of them.

    The VLAN, the description and the rest of what `kept` says of itself stay. Statements that have become
    the same as others are left out.
    """
    texts: dict[str, str] = {}
    now = files
    for name in gone:
        step = apply(now, _Merging(now, kept, name).edits())
        texts, now = {**texts, **step}, reread(now, step)
    return {**texts, **apply(now, _superfluous(now, kept))}


class _Merging:
    def __init__(self, files: Files, kept: str, gone: str) -> None:
        self.files, self.kept, self.gone = files, kept, gone
        zones = [(s, each) for s, f in files for each in f.rest if isinstance(each, tree.ZoneDef)]
        self.into = next(each for each in zones if each[1].name.text == kept)
        self.out = next(each for each in zones if each[1].name.text == gone)
        taken = {host.name.text for host in self.into[1].hosts}
        self.hosts = {host.name.text: _free(host.name.text, gone, taken) for host in self.out[1].hosts}

    def edits(self) -> Iterator[Edit]:
        yield deletion(self.out[0], self.out[1].span)
        source, zone = self.into
        brace = zone.span.end - 1
        end = len(source.text[:brace].rstrip(" \t;"))
        line = "" if source.text[end - 1] == "\n" else "\n"
        closing = margin(source, zone.span.start)
        yield Edit(source.path, end, brace, f"{line}{self._brought()}{closing}")
        for source, file in self.files:
            for statement in file.statements:
                if statement is not self.out[1]:
                    yield from self._within(source, statement)

    def _brought(self) -> str:
        """The lines of the zone that goes, less what is said of the other one already, laid out as there."""
        source, zone = self.out
        opening = OPENING.match(source.text, zone.name.span.end)
        assert opening is not None, "a zone has a block"
        cuts = [each.span for each in zone.settings if each.key.text in LEFT_BEHIND]
        edits = [(span.start, span.end, "") for span in cuts]
        edits += [(h.name.span.start, h.name.span.end, self.hosts[h.name.text]) for h in zone.hosts]
        text, end = "", opening.end()
        for start, stop, instead in sorted(edits):
            text, end = text + source.text[end:start] + instead, stop
        text += source.text[end : zone.span.end - 1]
        block = "\n".join(("zone x {", text, *self._more(), "}"))
        lines = format_source(SourceFile(source.path, block)).splitlines()[1:-1]
        return "".join(f"{self._indent()}{line[2:]}\n" for line in lines if line)

    def _indent(self) -> str:
        """That of what begins a line in the zone that stays."""
        source, zone = self.into
        items = [each.span.start for each in zone.settings] + [each.span.start for each in zone.hosts]
        lines = (at for at in items if not source.text[source.text.rfind("\n", 0, at) + 1 : at].strip())
        first = next(lines, None)
        return margin(source, zone.span.start) + "  " if first is None else margin(source, first)

    def _more(self) -> Iterator[str]:
        """Tags that only the zone that goes has, and its isolation."""
        here, there = (
            {word.text for each in zone.settings if each.key.text == "tag" for word in each.values}
            for _, zone in (self.into, self.out)
        )
        if there - here:
            yield f"tag {', '.join(sorted(there - here))}"
        if _isolated(self.out[1]) and not _isolated(self.into[1]):
            yield "intra deny"

    def _within(self, source: SourceFile, node: object) -> Iterator[Edit]:
        """Every mention of the zone below a node; lists as a whole, so as not to repeat."""
        if isinstance(node, tree.NameTerm):
            yield from self._term(source, node)
        elif isinstance(node, tree.GatewayAddress):
            yield from self._words(source, (node.zone,))
        elif isinstance(node, tree.SourceDef):
            for setting in node.settings:
                if setting.key.text == "zone":
                    yield from self._words(source, setting.values)
        elif isinstance(node, tuple):
            yield from self._list(source, node)
        elif is_dataclass(node):
            for field in fields(node):
                value = getattr(node, field.name)
                if isinstance(value, tuple) and (type(node), field.name) in ZONES:
                    yield from self._words(source, value)
                elif isinstance(value, tuple) or is_dataclass(value):
                    yield from self._within(source, value)

    def _list(self, source: SourceFile, nodes: tuple[object, ...]) -> Iterator[Edit]:
        whole = [n for n in nodes if isinstance(n, tree.NameTerm) and n.host is None]
        names = [each.name.text for each in whole]
        if self.gone in names and self.kept in names:
            spans = [n.span for n in nodes]  # type: ignore[attr-defined]
            yield from left_out(source, spans, [n.span for n in whole if n.name.text == self.gone])
            nodes = tuple(n for n in nodes if n not in whole)
        for node in nodes:
            yield from self._within(source, node)

    def _words(self, source: SourceFile, words: tuple[tree.Word, ...]) -> Iterator[Edit]:
        named = [word for word in words if word.text == self.gone]
        if any(word.text == self.kept for word in words):
            yield from left_out(source, [word.span for word in words], [word.span for word in named])
        else:
            yield from (Edit(source.path, word.span.start, word.span.end, self.kept) for word in named)

    def _term(self, source: SourceFile, term: tree.NameTerm) -> Iterator[Edit]:
        if term.name.text == self.gone:
            host = f".{self.hosts.get(term.host.text, term.host.text)}" if term.host else ""
            yield Edit(source.path, term.span.start, term.span.end, self.kept + host)


def _free(name: str, zone: str, taken: set[str]) -> str:
    """A name that no host of the other zone has."""
    while name in taken:
        name = f"{zone}-{name}"
    taken.add(name)
    return name


def _superfluous(files: Files, zone: str) -> Iterator[Edit]:
    """Flows that are said twice now, and flows within a zone whose hosts may talk anyway."""
    zones = (node for _, file in files for node in file.rest if isinstance(node, tree.ZoneDef))
    isolated = any(_isolated(node) for node in zones if node.name.text == zone)
    seen: set[tree.Flow] = set()
    for source, file in files:
        for flow in file.flows:
            alone = all(_only(end, zone) for end in (flow.source, flow.destination))
            plain = flow.action == "allow" and not flow.staged and flow.options == tree.Options()
            if flow in seen or (alone and plain and not isolated):
                yield deletion(source, flow.span)
            seen.add(flow)


def _only(end: tree.End, zone: str) -> bool:
    terms = [(t.name.text, t.host) if isinstance(t, tree.NameTerm) else None for t in end.terms]
    return terms == [(zone, None)] and not end.excepted


def _isolated(zone: tree.ZoneDef) -> bool:
    return any(each.key.text == "intra" and each.values[0].text == "deny" for each in zone.settings)
