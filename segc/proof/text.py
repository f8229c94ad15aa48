"""Reads a ruleset from the text that `nft -f` takes. What is not known here is refused, never skipped.

The grammar is the part of nft(8) that a compiled ruleset uses: one table `inet segc` that replaces itself,
each object, set and chain a block, one rule or element a line.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from segc.proof.model import Chain, Element, Hook, Rule, Ruleset, Table, UnreadableError
from segc.proof.rules import read_rule, read_verdict
from segc.proof.values import read_value
from segc.space.words import quote

HEAD = ["table inet segc", "delete table inet segc", "table inet segc {"]
BASE = re.compile(r"type (filter|nat) hook (\w+) priority (\w+); policy (\w+);")
ELEMENT = re.compile(r'([^"]*?)(?: comment "[^"]*")?(?: : (.+?))?,?')
OPENING = re.compile(r"\t(counter|limit|set|map|chain) (\S+) \{")
COMMENT = re.compile(r'comment "[^"]*"')
LIMIT = re.compile(r"rate (\d+)/(\w+) burst (\d+) packets")
SIZE = re.compile(r"size (\d+)")
TIMEOUT = re.compile(r"timeout (\d+)ms")
TYPES = re.compile(r"(type|typeof) ([a-z0-9_ .]+?)(?: : (verdict|counter))?")
FLAGS = frozenset(map(frozenset, ((), ("interval",), ("timeout",), ("dynamic", "timeout"))))
Lines = Sequence[tuple[int, str]]


def read_text(text: str) -> Ruleset:
    """The ruleset of a file. Raises `UnreadableError` at the first line whose meaning is not known."""
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line and line[0] != "#"]
    if [line for _, line in lines[:3]] != HEAD or lines[-1][1] != "}":
        raise UnreadableError(
            "it is not one table `inet segc` that replaces itself, as `segc compile` writes it",
            lines[0][0] if lines else 0,
        )
    return _Reader().read(lines[3:-1])


class _Reader:
    def __init__(self) -> None:
        self.counters: set[str] = set()
        self.limits: dict[str, tuple[int, str, int]] = {}
        self.tables: dict[str, Table] = {}
        self.chains: dict[str, Chain] = {}

    def read(self, lines: Lines) -> Ruleset:
        for kind, name, line, body in _blocks(lines):
            held = {"counter": self.counters, "limit": self.limits, "chain": self.chains}.get(
                kind, self.tables
            )
            if name in held:
                raise UnreadableError(f"there are two of the name {quote(name)}", line)
            if kind == "counter":
                self._counter(name, body)
            elif kind == "limit":
                self._limit(name, line, body)
            elif kind == "chain":
                self.chains[name] = _chain(name, line, body)
            else:
                self.tables[name] = _table(kind, name, line, body)
        return Ruleset(frozenset(self.counters), self.limits, self.tables, self.chains)

    def _names(self, kind: str) -> Container[str]:
        by_kind = {"counter": self.counters, "limit": self.limits, "chain": self.chains}
        return by_kind.get(kind, self.tables)

    def _counter(self, name: str, body: Lines) -> None:
        if body:
            raise _unknown(body[0])
        self.counters.add(name)

    def _limit(self, name: str, line: int, body: Lines) -> None:
        match = LIMIT.fullmatch(body[0][1].strip()) if len(body) == 1 else None
        if match is None:
            raise UnreadableError(f"the limit {quote(name)} is not understood", line)
        self.limits[name] = int(match[1]), match[2], int(match[3])


def _unknown(line: tuple[int, str]) -> UnreadableError:
    return UnreadableError(f"{quote(line[1].strip())} is not understood", line[0])


def _blocks(lines: Lines) -> Iterator[tuple[str, str, int, Lines]]:
    """Kind, name, line and body of each block; a block ends with a brace on its own level."""
    at = 0
    while at < len(lines):
        opening = OPENING.fullmatch(lines[at][1])
        if opening is None:
            raise _unknown(lines[at])
        end = at + 1
        while end < len(lines) and lines[end][1] != "\t}":
            if not lines[end][1].startswith("\t\t"):
                raise _unknown(lines[end])
            end += 1
        if end == len(lines):
            raise _unknown(lines[at])
        yield opening[1], opening[2], lines[at][0], lines[at + 1 : end]
        at = end + 1


def _chain(name: str, line: int, body: Lines) -> Chain:
    hook: Hook | None = None
    rules: list[Rule] = []
    for number, text in body:
        text = text.strip()
        if COMMENT.fullmatch(text):
            continue
        base = BASE.fullmatch(text)
        if base is None:
            rules.append(Rule(read_rule(text, number), number))
        elif hook is not None or rules:
            raise _unknown((number, text))
        else:
            hook = Hook(*base.groups())
    return Chain(name, tuple(rules), hook, line)


def _table(kind: str, name: str, line: int, body: Lines) -> Table:
    types: re.Match[str] | None = None
    flags: frozenset[str] = frozenset()
    elements: Lines = ()
    size = timeout = 0
    for at, (number, text) in enumerate(body):
        text = text.strip()
        if types is None:
            types = TYPES.fullmatch(text)
            if types is None:
                raise _unknown((number, text))
        elif text.startswith("flags ") and not flags:
            flags = frozenset(re.split(", ?", text.removeprefix("flags ")))
        elif match := SIZE.fullmatch(text):
            size = int(match[1])
        elif (match := TIMEOUT.fullmatch(text)) and "dynamic" in flags and not timeout:
            timeout = int(match[1])
        elif text == "elements = {" and body[-1][1] == "\t\t}":
            elements = body[at + 1 : -1]
            break
        elif not COMMENT.fullmatch(text):
            raise _unknown((number, text))
    if types is None or (kind == "map") != bool(types[3]) or flags not in FLAGS:
        raise UnreadableError(f"the {kind} {quote(name)} is not understood", line)
    if size and (size < len(elements) or flags == {"timeout"}):
        raise UnreadableError(f"{quote(name)} has no room for its elements", line)
    if elements and "dynamic" in flags:
        raise UnreadableError(f"{quote(name)} is for what packets add, and holds elements", line)
    key, value = tuple(types[2].split(" . ")), types[3] or ""
    return Table(name, key, value, flags, tuple(_elements(key, value, elements)), line, timeout)


def _elements(key: tuple[str, ...], value: str, lines: Lines) -> Iterator[Element]:
    verdicts: dict[str, object] = {}
    last = lines[-1][0] if lines else 0
    for number, text in lines:
        match = ELEMENT.fullmatch(text.strip())
        if match is None or not text.startswith("\t\t\t") or (text[-1] == ",") == (number == last):
            raise _unknown((number, text))
        words, target = match.groups()
        parts = words.split(" . ")
        if len(parts) != len(key) or bool(target) != bool(value):
            raise _unknown((number, text))
        found = tuple(read_value(type_, part, number) for type_, part in zip(key, parts, strict=True))
        if value == "counter":
            if len(target) < 3 or target[0] != '"' or target[-1] != '"':
                raise _unknown((number, text))
            yield Element(found, target[1:-1], number)
        elif value:
            if target not in verdicts:
                verdicts[target] = read_verdict(target, number)
            yield Element(found, verdicts[target], number)  # type: ignore[arg-type]
        else:
            yield Element(found, None, number)
