"""Conflicts and dead policy, exactly: what statements do to each other as sets of traffic.

`survey` puts the policy into classes, expressions and clauses; `cover` answers whether clauses cover a
region; each finding has a file of its own. Every finding carries one packet for which `segc trace` gives the
verdict that it speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from segc.analysis.conflicts.bypass import Bypass, check_bypass
from segc.analysis.conflicts.context import Context
from segc.analysis.conflicts.dead import Losses, check_dead
from segc.analysis.conflicts.evaded import check_evaded
from segc.analysis.conflicts.meeting import meeting_flows
from segc.analysis.conflicts.redundant import check_redundant
from segc.analysis.conflicts.staged import check_staged
from segc.analysis.conflicts.unseen import check_unseen
from segc.analysis.conflicts.withheld import check_withheld
from segc.diagnostics.model import Diagnostic
from segc.policy.model import Policy


def check_conflicts(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG301`, `SEG302`, `SEG306` to `SEG312`, and `SEG321` to `SEG323`.

    A flow that meets no other is in no conflict.
    """
    context = Context(replace(policy, flows=meeting_flows(policy)))
    losses = Losses(context)
    bypass = Bypass(context, losses)
    yield from check_dead(context, losses)
    yield from check_bypass(context, bypass)
    yield from check_redundant(context, losses, bypass)
    yield from check_staged(context, losses)
    yield from check_unseen(policy, context, losses)
    yield from check_evaded(context, losses)
    yield from check_withheld(context, losses)
