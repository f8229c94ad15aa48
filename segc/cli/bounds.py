"""How long access outlives its reason, flow by flow, as text and as data."""

from __future__ import annotations

from collections.abc import Sequence

from segc.analysis.identity.bounds import Bound, bounds
from segc.policy.model import Policy
from segc.space.words import duration_text

HEADING = "From the removal of a person to the last packet, at worst:"
NOBODY = "No flow is open to people, so nobody can be removed from one.\n"


def as_text(policy: Policy) -> str:
    """A line a flow, the longest first."""
    found = _sorted(policy)
    if not found:
        return NOBODY
    rows = [_row(bound) for bound in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) if at == 0 else cell.ljust(width) for at, (cell, width) in cells).rstrip()
        for cells in (enumerate(zip(row, widths, strict=True)) for row in rows)
    )
    return f"{HEADING}\n" + "".join(f"  {line}\n" for line in lines)


def _row(bound: Bound) -> tuple[str, ...]:
    place = bound.flow.span.place
    if bound.cause is None or bound.seconds is None:
        return "unbounded", "", bound.flow.id, place, bound.who, "nothing ends it"
    words = duration_text(bound.seconds)
    return f"{bound.seconds} s", words, bound.flow.id, place, bound.who, bound.cause.words


def as_data(policy: Policy) -> list[dict[str, object]]:
    """As `bounds` of `segc/schemas/diagnostics.schema.json`."""
    return [
        {
            "flow": bound.flow.id,
            "file": bound.flow.span.path,
            "line": bound.flow.span.line,
            "who": bound.who,
            "seconds": bound.seconds,
            "cause": bound.cause.words if bound.cause else None,
        }
        for bound in _sorted(policy)
    ]


def _sorted(policy: Policy) -> Sequence[Bound]:
    return sorted(bounds(policy), key=_longest_first)


def _longest_first(bound: Bound) -> tuple[bool, int, str]:
    return bound.seconds is not None, -(bound.seconds or 0), bound.flow.id
