"""Cycles among imports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from segc.diagnostics.model import Diagnostic, Label, finding
from segc.source import Span

Imports = Mapping[str, Sequence[tuple[str, Span]]]
SHOWN = 10  # files of a cycle


def cycles(imports: Imports, names: Mapping[str, str]) -> Iterator[Diagnostic]:
    """One finding (SEG003) for each import that closes a cycle, in a walk from the files in order of names.

    `imports` has for each file what it imports, with the place of the import; `names` is what to call a file.
    """
    done: set[str] = set()
    for start in sorted(imports, key=lambda file: names[file]):
        if start not in done:
            for cycle in _from(start, imports, done):
                yield _finding(cycle, names)


def _from(start: str, imports: Imports, done: set[str]) -> Iterator[list[tuple[str, Span]]]:
    """The cycles that a walk from `start` closes: files, each with the import that leads to the next."""
    done.add(start)
    trail = [(start, iter(imports.get(start, ())))]
    left_by: dict[str, Span] = {}  # the files of the trail in its order
    while trail:
        file, following = trail[-1]
        step = next(following, None)
        if step is None:
            trail.pop()
            left_by.pop(file, None)
            continue
        target, left_by[file] = step
        if target in left_by:
            yield list(left_by.items())[list(left_by).index(target) :]
        elif target not in done:
            done.add(target)
            trail.append((target, iter(imports.get(target, ()))))


def _finding(cycle: list[tuple[str, Span]], names: Mapping[str, str]) -> Diagnostic:
    *others, (_, closing) = cycle
    way = [names[file] for file, _ in cycle]
    shown = way if len(way) <= SHOWN else [*way[: SHOWN // 2], "…", *way[-SHOWN // 2 :]]
    return finding(
        "SEG003",
        f"`{way[-1]}` imports `{way[0]}`, which closes a cycle of imports",
        closing,
        also=tuple(Label(span, "and this one leads back to it") for _, span in others[:SHOWN]),
        notes=(" -> ".join([*shown, way[0]]),),
        help="all files of a policy are read together: one of these imports can go",
    )
