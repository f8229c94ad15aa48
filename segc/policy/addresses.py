"""Addresses as they are written, and who has some in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from segc.policy.scope import Findings
from segc.space.prefixes import PrefixSet, parse_prefixes, union
from segc.syntax import tree

T = TypeVar("T")
MOST_SHARED = 8


def addresses(words: Iterable[tree.Word], findings: Findings) -> PrefixSet:
    found = []
    for word in words:
        try:
            found.append(parse_prefixes(word.text))
        except ValueError as error:
            findings.add("SEG104", str(error), word.span, "not an address, prefix or range")
    return union(found)


def check_lengths(words: Iterable[tree.Word], findings: Findings) -> None:
    """`SEG222` for what looks like a network and is one address, as its length was left out."""
    for word in words:
        length, whole = _usual_length(word.text), 128 if ":" in word.text else 32
        if length is not None:
            findings.add(
                "SEG222",
                f"`{word.text}` has no prefix length, so it is one address",
                word.span,
                "looks like a network",
                help=f"write `{word.text}/{length}`, or `{word.text}/{whole}` if one address is meant",
            )


def _usual_length(text: str) -> int | None:
    """What is usually written behind the address of a network: none that a host is given ends in zeros."""
    if text.endswith("::") and text != "::":
        return 64
    numbers = text.split(".")
    if len(numbers) != 4 or numbers[-1] != "0" or numbers[0] == "0":
        return None
    return 24 if numbers[2] != "0" else 16 if numbers[1] != "0" else 8


def overlapping(owned: Iterable[tuple[PrefixSet, T]]) -> Iterator[tuple[T, T, PrefixSet]]:
    """Pairs of owners with an address in common, by a sweep over each family; O(n log n).

    Each that begins within another gets at least one pair, and at most MOST_SHARED for each of its ranges:
    of those that began before it, the ones that reach furthest are enough.
    """
    entries = list(owned)
    pairs: dict[tuple[int, int], None] = {}
    for family in (4, 6):
        ranges = sorted((*span, i) for i, (space, _) in enumerate(entries) for span in space.ranges(family))
        active: list[tuple[int, int]] = []  # (last address, owner)
        for first, last, owner in ranges:
            active = [entry for entry in active if entry[0] >= first]
            pairs.update(((min(owner, other), max(owner, other)), None) for _, other in active)
            active = sorted((*active, (last, owner)), reverse=True)[:MOST_SHARED]
    for a, b in pairs:
        if a != b:
            yield entries[a][1], entries[b][1], entries[a][0] & entries[b][0]
