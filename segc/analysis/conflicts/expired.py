"""Flows whose time is over (`SEG318`): the one finding that depends on when it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.conflicts.moments import moment, times_of
from segc.diagnostics.model import Diagnostic, finding
from segc.policy.model import Policy


def check_expired(policy: Policy, now: int) -> Iterator[Diagnostic]:
    """What held once, and holds at no second from `now` (Unix time) on."""
    for flow in policy.flows:
        if flow.conditions.not_after is None:
            continue
        times = times_of(flow.conditions)
        left = times._replace(first=max(times.first, now))
        if moment(left, policy.timezone) is None and moment(times, policy.timezone) is not None:
            yield finding(
                "SEG318",
                f"this {flow.action} has expired",
                flow.span,
                "no packet matches it any more",
                help="delete it, or write a later date behind `until`",
            )
