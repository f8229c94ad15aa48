"""Promises of how soon access ends when its reason has gone (`SEG315`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.identity.bounds import SLACK, Bound, Ending, bounds
from segc.analysis.identity.granting import people
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Policy, Revocation
from segc.space.words import duration_text

MOST_SHOWN = 3


def check_revocations(policy: Policy) -> Iterator[Diagnostic]:
    for promise in policy.revocations:
        late: dict[Ending, list[Bound]] = {}
        for bound in bounds(policy, promise.group):
            if bound.seconds is None or bound.seconds > promise.within:
                late.setdefault(bound.cause, []).append(bound)
        for found in late.values():
            yield _broken(policy, promise, found)


def _broken(policy: Policy, promise: Revocation, late: list[Bound]) -> Diagnostic:
    first = late[0]
    more = f", and {len(late) - 1} more like it" if len(late) > 1 else ""
    keeps = f"keeps `{first.flow.id}` open for {_words(first)}" if first.cause else _forever(first)
    labels = [Label(each.flow.span, f"{each.who} keeps this") for each in late[:MOST_SHOWN]]
    if first.cause:
        labels.append(Label(first.cause.span, f"nothing ends it sooner: {first.cause.words}"))
    return finding(
        "SEG315",
        f"whoever is removed {keeps}{more}",
        promise.span,
        f"promises {promise.within} s",
        also=tuple(labels),
        help=_help(policy, promise, first),
    )


def _forever(bound: Bound) -> str:
    return f"keeps `{bound.flow.id}` open for as long as the source vouches"


def _words(bound: Bound) -> str:
    assert bound.seconds is not None
    return f"{bound.seconds} s ({duration_text(bound.seconds)})"


def _help(policy: Policy, promise: Revocation, bound: Bound) -> str:
    """The least that keeps the promise."""
    within = duration_text(max(promise.within - SLACK, 1))
    subjects = (part.subject for part in people(bound.flow))
    group = next((each.name for each in subjects if each and each.kind == "group"), "GROUP")
    if bound.cause is None and bound.who.startswith("directory") and not policy.directories:
        return "say how often the directory is asked: `directory corp { sync 5m }`"
    if bound.cause is None:
        return f"bound the sessions: `session {group} {{ max {within} }}`"
    return f"shorten that to {within} or less, or promise {duration_text(bound.cause.seconds + SLACK)}"
