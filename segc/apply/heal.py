"""Make a host again what its generation says, after somebody has changed it by hand."""

from __future__ import annotations

from pyroute2 import IPRoute

from segc.apply import host, live
from segc.apply.generation import Generation
from segc.apply.links import extras, link_steps, read_plan
from segc.apply.seen import observe
from segc.apply.state import State
from segc.apply.step import take_step
from segc.apply.sysctl import sysctl_steps
from segc.apply.work import as_left, whole_or_rebuilt


def heal(state: State, generation: Generation, links: IPRoute) -> None:
    """First the table, in one transaction, so that no link opens before it. Counters and sessions stay where
    they can. The state must be locked. ApplyError.
    """
    found = live.held()
    if not found.present or not as_left(state, generation, found):
        host.load(whole_or_rebuilt(generation, found))
    text = generation.artifact("links.json")
    plan = read_plan(text) if text else None
    seen = observe(links)
    steps = [*link_steps(plan, seen)[0], *extras(plan, seen)] if plan else []
    for step in (*steps, *sysctl_steps(generation.artifact("sysctl.conf") or "")):
        take_step(step, links)
