"""Exceptions that outnumber the rules (`SEG408`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from segc.analysis.segmentation.outline import Outline
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import End

FEWEST = 5
QUOTED = re.compile(r'"[^"]*"')


def check_exceptions(outline: Outline) -> Iterator[Diagnostic]:
    flows = [flow for flow in outline.policy.flows if flow.kind == "flow" and not flow.staged]
    cut = set(filter(excepts, outline.ends))
    exceptions = {f for f in flows if f.action == "deny" or f.source in cut or f.destination in cut}
    denies = sum(flow.action == "deny" for flow in exceptions)
    rules, most = len(flows) - denies, outline.limits["exceptions"]
    if len(exceptions) < FEWEST or len(exceptions) * 100 <= most * rules:
        return
    first, *others = sorted(exceptions, key=lambda flow: flow.span)
    yield finding(
        "SEG408",
        f"{len(exceptions)} exceptions stand against {rules} rules",
        first.span,
        f"{denies} are denies, {len(exceptions) - denies} say `except`; exceptions is {most} percent",
        also=tuple(Label(flow.span, "another") for flow in others[:2]),
        notes=(
            "whoever reads a rule has to know every exception to it: that is where errors come from",
            "what they are worth is that each takes away access that a rule gives too freely",
        ),
        help="narrow the rules to what is meant, so that nothing has to be taken back",
    )


def excepts(end: End) -> bool:
    """Whether an end takes anything out."""
    return " except " in QUOTED.sub("", end.text)
