"""What somebody changed behind our back: the kernel against the generation that was confirmed.

Tables are compared as nft lists them, links as steps that it would take to put them right. What an element
means is found by proving the generation's ruleset again, with the change in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pyroute2 import IPRoute

from segc.apply import live
from segc.apply.bridges import strangers
from segc.apply.edited import Rules, edited, element_line, key, rule_texts
from segc.apply.generation import Generation
from segc.apply.links import LinkError, extras, link_steps, read_plan
from segc.apply.seen import Seen, observe
from segc.apply.step import Step
from segc.apply.sysctl import sysctl_steps
from segc.apply.transaction import MARKER
from segc.enforcement.layer2 import LinkPlan
from segc.plan.items import line_changes, table_changes
from segc.plan.model import Action, Change
from segc.policy.model import Policy
from segc.proof.findings import instance
from segc.proof.model import UnreadableError
from segc.proof.prove import compare
from segc.proof.text import read_text

WORDS = {Action.ADD: "was added by hand", Action.REMOVE: "is gone", Action.CHANGE: "was changed by hand"}


class Drift(NamedTuple):
    """`changes` lead from the generation to the kernel, `steps` put links right; `meaning` tells, as far as
    it can be told, who gains or loses access by them. Devices that are not there cannot be compared: those
    that were not when it was applied are `absent`, the others `gone`."""

    table: bool  # whether there is one at all
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    meaning: tuple[str, ...]
    rules: Rules = MappingProxyType({})  # what rules are called
    absent: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.mendable or bool(self.gone)

    @property
    def mendable(self) -> bool:
        """Whether there is something that healing puts right."""
        return bool(not self.table or self.changes or self.steps)


def drift(generation: Generation, policy: Policy, links: IPRoute) -> Drift:
    """Compare the network namespace that we are in with a generation; changes nothing."""
    found = live.items()
    steps, missing, ways = _link_drift(generation, policy, links)
    then = missing if generation.meta.absent is None else generation.meta.absent
    absent = tuple(each for each in missing if each in then)
    gone = tuple(each for each in missing if each not in then)
    if not found:
        why = f"nothing is enforced: {live.absence()}"
        return Drift(False, (), steps, (why, *ways), absent=absent, gone=gone)
    wanted = live.items_of(generation.ruleset)
    changes = table_changes(wanted, found)
    rules = rule_texts(generation.ruleset, wanted, changes) if changes else {}
    meaning = tuple(_meaning(generation, policy, changes, rules)) if changes else ()
    changes = (*changes, *_marker_drift(generation))
    return Drift(True, changes, steps, (*meaning, *ways), rules, absent, gone)


def _marker_drift(generation: Generation) -> Iterator[Change]:
    wanted, found = {generation.number}, set(live.held().markers)
    for number in sorted(found ^ wanted):
        action = Action.ADD if number in found else Action.REMOVE
        yield Change(action, "chain", f"{MARKER}{number}", "", "")


def _link_drift(
    generation: Generation, policy: Policy, links: IPRoute
) -> tuple[tuple[Step, ...], tuple[str, ...], tuple[str, ...]]:
    """What would put links and settings right, the devices that are not there, and what ports open."""
    settings = sysctl_steps(generation.artifact("sysctl.conf") or "")
    text = generation.artifact("links.json")
    if not text:
        return tuple(settings), (), ()
    plan, seen = read_plan(text), observe(links)
    try:
        steps, absent = link_steps(plan, seen)
    except LinkError as error:  # which nobody but who made it can put right
        steps, absent = [Step(str(error), error.device, _refuse, ())], []
    steps += [*extras(plan, seen), *settings]
    return tuple(steps), tuple(absent), tuple(_ways_in(plan, seen, policy))


def _ways_in(plan: LinkPlan, seen: Seen, policy: Policy) -> Iterator[str]:
    """Which zones somebody gets into by ports that the policy does not name."""
    numbers = {bridge.name: {bridge.pvid, *bridge.tagged} for bridge in plan.bridges}
    for port, bridge in strangers(plan, seen):
        carried = seen.vlans.get(port, {}) if seen.links[bridge].filtering else numbers[bridge]
        zones = [f"`{zone.name}`" for zone in policy.zones.values() if zone.vlan and zone.vlan in carried]
        leads = f"it leads into {', '.join(zones)}" if zones else "it carries no VLAN of a zone yet"
        yield f"`{port}` was put into `{bridge}` by hand, and the policy names no such port: {leads}"


def _refuse(links: IPRoute) -> None:
    raise AssertionError("healing meets the same LinkError first")


def change_words(change: Change, rules: Rules) -> Iterator[str]:
    """`element 0x10000000 . 443 of allow_tcp was added by hand`."""
    if change.kind == "element":
        shown = element_line(change.after or change.before, ())
        yield f"element `{shown}` of `{change.name}` {WORDS[change.action]}"
    elif change.kind == "rules":
        before, after = (
            [rules.get(key(rule), "?") for rule in json.loads(text or "[]")]
            for text in (change.before, change.after)
        )
        for action, rule in line_changes(before, after):
            yield f"rule `{rule}` of `{change.name}` {WORDS[action]}"
    else:
        yield f"{change.kind} `{change.name}` {WORDS[change.action]}"


# -- what it means ---------------------------------------------------------------------------------------


def _meaning(
    generation: Generation, policy: Policy, changes: Sequence[Change], rules: Rules
) -> Iterator[str]:
    gateway = policy.gateways[generation.meta.node]
    try:
        found = compare(policy, gateway, read_text(edited(generation.ruleset, changes, rules)))
    except UnreadableError as error:
        yield f"it cannot be told who gains or loses access: {error.problem.message}"
        return
    for problem in found:
        shown = instance(problem)
        yield f"{problem.message}: {shown}" if shown else problem.message
