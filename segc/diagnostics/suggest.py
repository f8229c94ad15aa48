"""Names near to a mistyped one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

LONGEST = 80  # characters; nobody mistypes a longer name, and distances cost time
LOOKS = 100_000  # candidates that one run compares with its unknown words, for a second or so


def suggest(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """At most two candidates near to `word`, the nearest first; equally near ones in alphabetical order.

    Near is within a third of the word's length (at least one) in insertions, deletions, substitutions and
    swaps of neighbours (the optimal string alignment distance), after case, `_` and `-` are set aside.
    """
    if len(word) > LONGEST:
        return ()
    wanted = _plain(word)
    limit = max(1, len(wanted) // 3)
    letters = set(wanted)
    near = []
    for candidate in candidates:
        if abs(len(candidate) - len(word)) > limit or candidate == word:
            continue
        plain = _plain(candidate)
        if len(letters.symmetric_difference(plain)) > 2 * limit:
            continue
        found = distance(wanted, plain, limit)
        if found <= limit:
            near.append((found, candidate))
    best = sorted(set(near))[:2]
    return tuple(name for far, name in best if far == best[0][0])


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``did you mean `web`?`` as a help text; empty where nothing is near."""
    near = suggest(word, candidates)
    return f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""


class Guesses:
    """`did_you_mean` for texts with any number of mistakes: it stops guessing where that would take long."""

    def __init__(self) -> None:
        self._looks = 0
        self._known: dict[tuple[str, str], str] = {}

    def near(self, kind: str, word: str, candidates: Collection[str]) -> str:
        """The help for `word`; all words of one `kind` are compared with the same candidates."""
        known = self._known.get((kind, word))
        if known is None:
            if self._looks >= LOOKS:
                return ""
            self._looks += len(candidates)
            known = self._known[kind, word] = did_you_mean(word, candidates)
        return known


def distance(a: str, b: str, limit: int) -> int:
    """Optimal string alignment distance of `a` and `b`; any number above `limit` once it must exceed it."""
    a, b = _without_common_ends(a, b)
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, above, row = row, before, [i]
        for j, right in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and right == a[i - 2]:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
        if min(row) > limit and (not before or min(before) > limit):
            return limit + 1
    return row[-1]


def _without_common_ends(a: str, b: str) -> tuple[str, str]:
    start, shorter = 0, min(len(a), len(b))
    while start < shorter and a[start] == b[start]:
        start += 1
    end = 0
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return a[start : len(a) - end], b[start : len(b) - end]


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")
