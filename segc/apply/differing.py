"""Two emitted rulesets without what both have: where little differs, little has to be read.

They are megabytes of text. Stretches of it are compared where they lie, and copied only where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.apply.ruleset import TABLE, Ruleset, read_ruleset

END = "\n\t}\n"  # of a set or chain, a counter or limit
BRACE = END.index("}")
LAST = END + "\n"  # of all counters and limits, or a set or chain, where one more comes
ELEMENTS = "\t\telements = {\n"
CHUNK = 1 << 16  # characters that are compared at once
_TARGET = re.compile(r" (?:jump|goto) ([^\s,]+),?$", re.M)


class Stretch(NamedTuple):
    """A part of a text. Where it is known, no block ends in it behind `tail`."""

    text: str
    start: int
    end: int
    tail: int = 1 << 62

    @property
    def size(self) -> int:
        return self.end - self.start

    def copy(self) -> str:
        return self.text[self.start : self.end]

    def later(self, by: int) -> Stretch:
        return self._replace(start=self.start + by)


Pair = tuple[Stretch, Stretch]
Blocks = dict[str, Stretch]  # each set and chain by its first line; all counters and limits by none


def differing(old: str, new: str) -> tuple[Ruleset, Ruleset]:
    """Both without counters, limits, sets, chains and most elements that are the same in both.

    Sets with intervals are whole, and a chain is there if an element leads to it that may differ. So
    `transaction.change` makes of these two what it makes of the whole ones, as long as neither numbers nor
    definitions change.
    """
    tables = _inner(old), _inner(new)
    before, after = _blocks_apart(_without_same_end(tables))
    shared = ((head, (before[head], after[head])) for head in before.keys() & after.keys())
    less = {head: _less(head, pair) for head, pair in shared if not _same(pair)}
    sides = [list(_changed(before, after, less, 0)), list(_changed(after, before, less, 1))]
    targets = {name for side in sides for text in side for name in _TARGET.findall(text)}
    sides[0] += _chains(targets, tables[0], before, after)
    sides[1] += _chains(targets, tables[1], after, before)
    one, other = (read_ruleset("".join(side)) for side in sides)
    return one, other


def _changed(mine: Blocks, theirs: Blocks, less: dict[str, tuple[str, str]], side: int) -> Iterator[str]:
    for head, block in mine.items():
        if head in less:
            yield less[head][side]
        elif head not in theirs:
            yield block.copy()


def _inner(text: str) -> Stretch:
    """What is between the braces of the table."""
    start = text.index(f"table {TABLE} {{\n") + len(f"table {TABLE} {{\n")
    return Stretch(text, start, len(text) - len("}\n"))


def _without_same_end(pair: Pair) -> Pair:
    """Without the sets and chains that both end with alike."""
    one, other = pair
    alike = _alike(pair, backward=True)
    at = one.text.find(LAST, one.end - alike, one.end)
    first, second = _shortened(pair, one.end - at - len(END) if at >= 0 else 0)
    return first._replace(tail=one.end - alike), second._replace(tail=other.end - alike)


def _shortened(pair: Pair, length: int) -> Pair:
    one, other = pair
    return one._replace(end=one.end - length), other._replace(end=other.end - length)


def _blocks_apart(pair: Pair) -> tuple[Blocks, Blocks]:
    """Those that differ, as long as the same ones come one after the other in both; from there on all."""
    before: Blocks = {}
    after: Blocks = {}
    while True:
        same = _alike(pair)
        one, other = pair
        at = _last_end(one.text, one.start, one.start + same)
        skipped = at + len(END) - one.start if at >= 0 else 0
        pair = one, other = one.later(skipped), other.later(skipped)
        head = _head(one)
        if not one.size or not other.size or head != _head(other):
            return before | dict(_blocks(one)), after | dict(_blocks(other))
        before[head], after[head] = (_first(each, same - skipped) for each in pair)
        pair = one.later(before[head].size), other.later(after[head].size)


def _blocks(rest: Stretch) -> Iterator[tuple[str, Stretch]]:
    while rest.size:
        first = _first(rest)
        yield _head(rest), first
        rest = rest.later(first.size)


def _first(rest: Stretch, inside: int = 0) -> Stretch:
    """The first block; so many characters are known to be inside it."""
    start, limit = max(rest.start, rest.start + inside - len(LAST)), min(rest.end, rest.tail + len(LAST))
    find = _first_end if _head(rest) else _counters_end
    end = find(rest.text, start, limit)
    return rest._replace(end=end + len(END)) if end >= 0 else rest


# As `str.find` and `str.rfind` of LAST: one rare character is found ten times as fast as a string.


def _first_end(text: str, start: int, limit: int) -> int:
    """As `find`, where braces are few, as among elements."""
    at = text.find("}", start + BRACE, limit)
    while at >= 0 and not text.startswith(LAST, at - BRACE, limit):
        at = text.find("}", at + 1, limit)
    return max(at - BRACE, -1)


def _last_end(text: str, start: int, limit: int) -> int:
    """As `rfind`. The last brace is mostly that of an end; where not, as among counters, all is searched."""
    at = text.rfind("}", start + BRACE, limit)
    if at >= 0 and not text.startswith(LAST, at - BRACE, limit):
        return text.rfind(LAST, start, at)
    return max(at - BRACE, -1)


def _counters_end(text: str, start: int, limit: int) -> int:
    """As `find` from among counters and limits: back from the first `=`, as they have none."""
    at = text.find("=", start, limit)
    while at >= 0 and (at := text.rfind(LAST, start, at)) >= 0:
        head = text.rfind("\n", 0, text.rfind("{", 0, at)) + 1
        if text.startswith(("\tcounter ", "\tlimit "), head):
            return at
    return text.find(LAST, start, limit)


def _head(rest: Stretch) -> str:
    """The first line of a set or chain, before which there is an empty one."""
    start = rest.start + 1
    return rest.text[start : rest.text.find("\n", start)] if rest.text.startswith("\n", rest.start) else ""


def _chains(names: Iterable[str], table: Stretch, mine: Blocks, theirs: Blocks) -> Iterator[str]:
    for name in sorted(names):
        head = f"\tchain {name} {{"
        if head in mine:
            yield mine[head].copy()
        elif head not in theirs:  # else it is not here, and need not be looked for
            at = table.text.rfind(f"\n{head}\n", table.start, table.end) + 1
            if at:
                yield table.text[at : table.text.index(END, at) + len(END)]


def _less(head: str, pair: Pair) -> tuple[str, str]:
    """Copies without the records that both begin with and end with alike, where their order says nothing."""
    one, other = pair
    if not head:
        one, other = _trimmed(pair, END)
        return one.copy(), other.copy()
    start = one.text.find(ELEMENTS, one.start, one.end)
    length = start - one.start + len(ELEMENTS)
    define = one.text[one.start : start]
    hashed = start >= 0 and "\t\tflags " not in define
    if not hashed or not other.text.startswith(define + ELEMENTS, other.start, other.end):
        return one.copy(), other.copy()
    one, other = _trimmed((one.later(length), other.later(length)), "\n")
    return _set(define, one), _set(define, other)


def _set(define: str, elements: Stretch) -> str:
    return f"{define}{ELEMENTS}{elements.copy()}\t\t}}{END}"


def _trimmed(pair: Pair, end: str) -> Pair:
    """Both without the records that they begin with and end with alike; `end` ends a record."""
    one, other = pair
    at = one.text.rfind(end, one.start, one.start + _alike(pair))
    first = at + len(end) - one.start if at >= 0 else 0
    pair = one, other = one.later(first), other.later(first)
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
