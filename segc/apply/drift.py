"""What somebody changed behind our back: the kernel against the generation that was confirmed.

Tables are compared as nft lists them, links as steps that it would take to put them right. What an element
means is found by proving the generation's ruleset again, with the change in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pyroute2 import IPRoute

from segc.apply import live
from segc.apply.links import Step, extra_addresses, link_steps, read_plan
from segc.apply.ruleset import element_key
from segc.apply.seen import observe
from segc.apply.state import Generation
from segc.apply.sysctl import sysctl_steps
from segc.plan.items import table_changes
from segc.plan.model import Action, Change
from segc.policy.model import Policy
from segc.proof.findings import differences, instance

_BLOCK = re.compile(
    r"(?P<head>\t(?:set|map) (?P<name>\S+) \{\n\t\t(?:type|typeof) (?P<types>[^\n]*)\n"
    r"(?:\t\t(?!elements)[^\n]*\n)*)(?:\t\telements = \{\n(?P<elements>(?:\t\t\t[^\n]*\n)*)\t\t\}\n)?\t\}\n"
)
WORDS = {Action.ADD: "was added by hand", Action.REMOVE: "is gone", Action.CHANGE: "was changed by hand"}


class Drift(NamedTuple):
    """`changes` lead from the generation to the kernel, `steps` put links right; `meaning` tells, as far as
    it can be told, who gains or loses access by them."""

    table: bool  # whether there is one at all
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    meaning: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(not self.table or self.changes or self.steps)


def drift(generation: Generation, policy: Policy, links: IPRoute) -> Drift:
    """Compare the network namespace that we are in with a generation; changes nothing."""
    found = live.items()
    steps = tuple(_link_drift(generation, links))
    if not found:
        return Drift(False, (), steps, ("nothing is enforced: there is no table `inet segc`",))
    changes = table_changes(live.items_of(generation.ruleset), found)
    return Drift(True, changes, steps, tuple(_meaning(generation, policy, changes)))


def _link_drift(generation: Generation, links: IPRoute) -> Iterator[Step]:
    text = generation.artifact("links.json")
    if text:
        plan, seen = read_plan(text), observe(links)
        yield from link_steps(plan, seen)[0]
        yield from extra_addresses(plan, seen)
    yield from sysctl_steps(generation.artifact("sysctl.conf") or "")


def change_words(change: Change) -> str:
    """`element 0x10000000 . 443 of allow_tcp was added by hand`."""
    if change.kind == "element":
        shown = _line(change.after or change.before, ())
        return f"element `{shown}` of `{change.name}` {WORDS[change.action]}"
    what = "the rules of chain" if change.kind == "rules" else change.kind
    verb = WORDS[change.action] if change.kind != "rules" else "were changed by hand"
    return f"{what} `{change.name}` {verb}"


# -- what it means ---------------------------------------------------------------------------------------


def _meaning(generation: Generation, policy: Policy, changes: Sequence[Change]) -> Iterator[str]:
    gateway = policy.gateways[generation.meta.node]
    edited = _edited(generation.ruleset, [each for each in changes if each.kind == "element"])
    for problem in differences(policy, gateway, edited):
        shown = instance(problem)
        yield f"{problem.message}: {shown}" if shown else problem.message


def _edited(text: str, changes: Sequence[Change]) -> str:
    """An emitted ruleset with elements as somebody has changed them."""
    by_set: dict[str, list[Change]] = {}
    for change in changes:
        by_set.setdefault(change.name, []).append(change)
    return _BLOCK.sub(lambda found: _edited_set(found, by_set.get(found["name"], ())), text)


def _edited_set(found: re.Match[str], changes: Sequence[Change]) -> str:
    """The text of a set or map; elements that are gone or changed are known by their keys."""
    if not changes:
        return found[0]
    types = found["types"].partition(" : ")[0].split(" . ")
    gone = {_line(each.before, types).partition(" : ")[0] for each in changes if each.before}
    lines = (line.strip().removesuffix(",") for line in (found["elements"] or "").splitlines())
    kept = [line for line in lines if line and element_key(line) not in gone]
    inner = ",\n\t\t\t".join([*kept, *(_line(each.after, types) for each in changes if each.after)])
    elements = f"\t\telements = {{\n\t\t\t{inner}\n\t\t}}\n" if inner else ""
    return f"{found['head']}{elements}\t}}\n"


def _line(content: str, types: Sequence[str]) -> str:
    """An element of a change, as an emitted ruleset has it."""
    key, _, value = content.partition(" : ")
    shown, leads = element(json.loads(key), types), _value(json.loads(value)) if value else ""
    return f"{shown} : {leads}" if leads else shown


def element(key: Any, types: Sequence[str]) -> str:
    """A key as JSON, in the words of an emitted ruleset."""
    if isinstance(key, dict) and "concat" in key:
        padded = [*types, *[""] * len(key["concat"])]
        return " . ".join(element(part, (kind,)) for part, kind in zip(key["concat"], padded, strict=False))
    if isinstance(key, dict) and "prefix" in key:
        return f"{key['prefix']['addr']}/{key['prefix']['len']}"
    if isinstance(key, dict) and "range" in key:
        return "-".join(element(part, types) for part in key["range"])
    if isinstance(key, int) and key > 0xFFFF and (types or ("",))[0] in ("", "mark", "meta mark"):
        return f"0x{key:08x}"
    return f'"{key}"' if types and types[0] in ("ifname", "iifname", "oifname") else f"{key}"


def _value(value: Any) -> str:
    """What an element leads to: a verdict, or the name of a counter."""
    if value is None:
        return ""
    if not isinstance(value, Mapping):
        return f'"{value}"'
    ((verdict, target),) = value.items()
    return f"{verdict} {target['target']}" if isinstance(target, Mapping) else str(verdict)
