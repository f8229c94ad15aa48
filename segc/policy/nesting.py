"""Definitions that use each other: in which order to resolve them, and where they run in circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from segc.policy.scope import Findings, Named

MAX_DEPTH = 100  # definitions on a chain; whoever needs more has generated them


class Nesting(NamedTuple):
    """`order` has every name after those that it uses. `cycles` holds each use (user, used) that closes a
    cycle, with the names on the way round. `deep` are the names at which a chain passes MAX_DEPTH."""

    order: tuple[str, ...]
    cycles: Mapping[tuple[str, str], tuple[str, ...]]
    deep: tuple[str, ...]


def nesting(uses: Mapping[str, Sequence[str]]) -> Nesting:
    """Depth first and without recursion, since texts of any depth must do; linear but for cycles."""
    depths: dict[str, int] = {}  # in the order in which they were left
    cycles: dict[tuple[str, str], tuple[str, ...]] = {}
    for root in uses:
        trail: dict[str, Iterator[str]] = {} if root in depths else {root: iter(uses[root])}
        while trail:
            name = next(reversed(trail))
            used = next(trail[name], None)
            if used is None:
                del trail[name]
                depths[name] = 1 + max((depths.get(each, 0) for each in uses[name]), default=0)
            elif used in trail:
                names = [*trail, used]
                cycles.setdefault((name, used), tuple(names[names.index(used) :]))
            elif used in uses and used not in depths:
                trail[used] = iter(uses[used])
    deep = (name for name, depth in depths.items() if depth == MAX_DEPTH + 1)
    return Nesting(tuple(depths), cycles, tuple(deep))


def report_deep(what: str, found: Nesting, definitions: Mapping[str, Named], findings: Findings) -> None:
    for name in found.deep:
        findings.add(
            "SEG006",
            f"the {what} `{name}` is nested more than {MAX_DEPTH} definitions deep",
            definitions[name].name.span,
            f"stands on a chain of {MAX_DEPTH} others",
            help=f"write out what the inner {what}s hold",
        )


def path_text(path: Sequence[str]) -> str:
    """The names on the way round a cycle; of a long one, those at its ends."""
    shown = [f"`{name}`" for name in path]
    return " -> ".join([*shown[:4], "…", *shown[-3:]] if len(shown) > 9 else shown)
