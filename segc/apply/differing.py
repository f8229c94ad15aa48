"""Two emitted rulesets without what both have: where little differs, little has to be read.

They are megabytes of text. Stretches of it are compared where they lie, and copied only where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.apply.ruleset import TABLE, Ruleset, read_ruleset

NEXT = "\n\n\t"  # a blank line comes before each set and chain, and nowhere else
ELEMENTS = "\t\telements = {\n"
CHUNK = 1 << 16  # characters that are compared at once
_TARGET = re.compile(r" (?:jump|goto) ([^\s,]+),?$", re.M)


class Stretch(NamedTuple):
    """A part of a text."""

    text: str
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    def copy(self) -> str:
        return self.text[self.start : self.end]


Pair = tuple[Stretch, Stretch]
Blocks = dict[str, Stretch]  # each set and chain by its first line; all counters and limits by none


def differing(old: str, new: str) -> tuple[Ruleset, Ruleset]:
    """Both without counters, limits, sets, chains and most elements that are the same in both.

    Sets with intervals are whole, and a chain is there if an element leads to it that may differ. So
    `transaction.change` makes of these two what it makes of the whole ones, as long as neither numbers nor
    definitions change.
    """
    tables = _inner(old), _inner(new)
    before, after = map(_blocks, _without_same_end(tables))
    shared = ((head, (before[head], after[head])) for head in before.keys() & after.keys())
    less = {head: _less(head, pair) for head, pair in shared if not _same(pair)}
    sides = [list(_changed(before, after, less, 0)), list(_changed(after, before, less, 1))]
    targets = {name for side in sides for text in side for name in _TARGET.findall(text)}
    one, other = (
        read_ruleset("\n".join((*side, *_chains(table, targets))))
        for table, side in zip(tables, sides, strict=True)
    )
    return one, other


def _changed(mine: Blocks, theirs: Blocks, less: dict[str, tuple[str, str]], side: int) -> Iterator[str]:
    for head, block in mine.items():
        if head in less:
            yield less[head][side]
        elif head not in theirs:
            yield block.copy()


def _inner(text: str) -> Stretch:
    """What is between the braces of the table."""
    start = text.index(f"table {TABLE} {{\n") + len(f"table {TABLE} {{")
    return Stretch(text, start, len(text) - len("\n}\n"))


def _without_same_end(pair: Pair) -> Pair:
    """Without the sets and chains that both end with alike."""
    one, _ = pair
    at = one.text.find(NEXT, one.end - _alike(pair, backward=True), one.end)
    return _shortened(pair, one.end - at if at >= 0 else 0)


def _shortened(pair: Pair, length: int) -> Pair:
    one, other = pair
    return one._replace(end=one.end - length), other._replace(end=other.end - length)


def _blocks(table: Stretch) -> Blocks:
    found: Blocks = {}
    head, start = "", table.start
    while (end := table.text.find(NEXT, start, table.end)) >= 0:
        found[head] = Stretch(table.text, start, end)
        start = end + len("\n\n")
        head = table.text[start : table.text.index("\n", start)]
    found[head] = Stretch(table.text, start, table.end)
    return found


def _chains(table: Stretch, names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        at = table.text.rfind(f"{NEXT}chain {name} {{\n", table.start, table.end)
        if at >= 0:
            end = table.text.index("\n\t}", at) + len("\n\t}")
            yield table.text[at:end]


def _less(head: str, pair: Pair) -> tuple[str, str]:
    """Copies without the records that both begin with and end with alike, where their order says nothing."""
    one, other = pair
    if not head:
        one, other = _trimmed(pair, "\n\t}")
        return one.copy(), other.copy()
    start = one.text.find(ELEMENTS, one.start, one.end)
    length = start - one.start + len(ELEMENTS)
    define = one.text[one.start : start]
    hashed = start >= 0 and "\t\tflags " not in define
    if not hashed or not other.text.startswith(define + ELEMENTS, other.start, other.end):
        return one.copy(), other.copy()
    rest = one._replace(start=one.start + length), other._replace(start=other.start + length)
    one, other = _trimmed(rest, "\n")
    return _set(define, one), _set(define, other)


def _set(define: str, elements: Stretch) -> str:
    return f"{define}{ELEMENTS}{elements.copy()}\t\t}}\n\t}}"


def _trimmed(pair: Pair, end: str) -> Pair:
    """Both without the records that they begin with and end with alike; `end` ends a record."""
    one, other = pair
    at = one.text.rfind(end, one.start, one.start + _alike(pair))
    first = at + len(end) - one.start if at >= 0 else 0
    pair = one._replace(start=one.start + first), other._replace(start=other.start + first)
    at = one.text.find(end, one.end - _alike(pair, backward=True), one.end)
    return _shortened(pair, one.end - at - len(end) if at >= 0 else 0)


def _same(pair: Pair) -> bool:
    one, other = pair
    return one.size == other.size == _alike(pair)


def _alike(pair: Pair, backward: bool = False) -> int:
    """How many characters the two begin with alike, or end with. Slices compare faster than a loop."""
    one, other = pair
    size = min(one.size, other.size)
    found, step = 0, min(size, CHUNK)
    while step:
        low = one.end - found - step if backward else one.start + found
        over = other.end - found - step if backward else other.start + found
        same = found + step <= size and one.text[low : low + step] == other.text[over : over + step]
        if same:
            found += step
        else:
            step //= 2
    return found
