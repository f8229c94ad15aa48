"""What an apply has to do to a kernel, and what would undo it: worked out before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pyroute2 import IPRoute

from segc.apply import host, live
from segc.apply.commands import Commands
from segc.apply.direct import direct
from segc.apply.elements import Change
from segc.apply.generation import Generation
from segc.apply.links import extras, link_steps, read_plan
from segc.apply.ruleset import TABLE, read_ruleset
from segc.apply.seen import observe
from segc.apply.state import State
from segc.apply.step import Step
from segc.apply.sysctl import sysctl_steps
from segc.apply.tally import transactions
from segc.apply.transaction import MARKER, change, marker, read_both, rebuild, replacement
from segc.enforcement.layer2 import LinkPlan
from segc.frozen import frozen

PEOPLE = "sessions.json"  # which the session agent follows, so it is reason enough for a generation
NO_TABLE = f"table {TABLE}\ndelete table {TABLE}\n"
_LINES = r"(?:\t\t(?!elements)[^\n]*\n)*?"  # of a set, before its elements
_TIMED = re.compile(
    rf"(\tset \S+ \{{\n{_LINES}\t\tflags [^\n]*timeout[^\n]*\n{_LINES})\t\telements = \{{[^}}]*\}}\n"
)


@frozen
class Wanted:
    """What is to be applied: a node's artifacts by name, and the policy's texts that they were made from.

    `closed` is the ruleset that a boot loads where it cannot load this.
    """

    node: str
    policy: str
    sources: Mapping[str, str]
    artifacts: Mapping[str, str]
    why: str = ""
    closed: str = ""


@frozen
class Work:
    """All that an apply does to the kernel, and back.

    `forward` and `inverse` are transactions one after the other, `whole` the former table as it was loaded.
    Where forward is only one, and nft is not needed for it, `direct` is the same.
    """

    forward: tuple[str, ...]
    direct: tuple[Change, ...]
    inverse: tuple[str, ...]
    whole: str | Path
    repairs: bool  # the kernel was not as it had been left
    steps: tuple[Step, ...]
    absent: tuple[str, ...]
    transactions: int  # that nf_tables had counted of others than the agent before anything was looked at
    bare: bool  # no table stood: it comes first, so that no link opens before it
    strange: tuple[str, ...] = ()  # what is left alone here, and `segc verify --heal` would do

    @property
    def nothing(self) -> bool:
        return not self.forward and not self.steps


def plan_work(state: State, wanted: Wanted, number: int, links: IPRoute) -> Work:
    """Compare the kernel with what is wanted. Changes nothing; LinkError where a name is taken."""
    current, count = state.intact("current"), transactions(state)
    untouched = current is not None and _untouched(state, current, count)
    found = live.Held(True, (current.number,)) if current and untouched else live.held()
    steps, absent, strange = _link_work(wanted, current, links)
    people = current is not None and current.artifact(PEOPLE) != wanted.artifacts.get(PEOPLE)
    table = _table_work(state, current, wanted, number, found, bool(steps) or people)
    return Work(*table, tuple(steps), tuple(absent), count, not found.present, strange)


def _link_work(
    wanted: Wanted, current: Generation | None, links: IPRoute
) -> tuple[list[Step], list[str], tuple[str, ...]]:
    former = _link_plan(current.artifact("links.json")) if current else None
    plan = _link_plan(wanted.artifacts.get("links.json")) or LinkPlan(wanted.node, (), ())
    seen = observe(links)
    steps, absent = link_steps(plan, seen, former)
    taken = {step.what for step in steps}
    strange = tuple(s.what for s in extras(plan, seen) if not s.first and s.what not in taken)
    return steps + sysctl_steps(wanted.artifacts.get("sysctl.conf", "")), absent, strange


def absent_devices(wanted: Wanted, links: IPRoute) -> tuple[str, ...]:
    """The devices that nothing can be set up on, as they are not there."""
    plan = _link_plan(wanted.artifacts.get("links.json"))
    return tuple(link_steps(plan, observe(links))[1]) if plan else ()


def _link_plan(text: str | None) -> LinkPlan | None:
    return read_plan(text) if text else None


class _Table(NamedTuple):
    """What `Work` says of the table."""

    forward: tuple[str, ...]
    direct: tuple[Change, ...]
    inverse: tuple[str, ...]
    whole: str | Path
    repairs: bool


def _table_work(
    state: State, current: Generation | None, wanted: Wanted, number: int, found: live.Held, always: bool
) -> _Table:
    """With `always` the table gets the new generation's marker even if nothing else in it differs."""
    text, own_mark = wanted.artifacts["ruleset.nft"], mark(number, wanted.policy)
    former = _file(current) if current else _saved() if found.present else NO_TABLE
    if not found.present:
        return _Table((replacement(text, own_mark),), (), (_text(former),), former, current is not None)
    if current is None or not as_left(state, current, found):
        return _Table((_rebuilt(text) + own_mark,), (), (_text(former),), former, True)
    old, new = read_both(current.ruleset, text)
    forward = change(old, new)
    if not forward and not always:
        return _Table((), (), (), former, False)
    former_mark = mark(current.number, current.meta.policy)
    there = _marked(forward, f"{own_mark}delete chain {TABLE} {MARKER}{current.number}\n")
    back = _marked(change(new, old), f"{former_mark}delete chain {TABLE} {MARKER}{number}\n")
    changes = direct(there[0], old.sets) if len(there) == 1 else ()
    return _Table(there, changes, back, former, False)


def _marked(transactions: tuple[Commands, ...], swap: str) -> tuple[str, ...]:
    """The texts of transactions, the first with what exchanges the markers."""
    first, *rest = [_joined(each) for each in transactions] or [""]
    return first + swap, *rest


def whole_or_rebuilt(generation: Generation, found: live.Held) -> str:
    """The transaction after which the kernel holds the generation, whatever it holds now."""
    if not found.present:
        return _text(_file(generation))
    return _rebuilt(generation.ruleset) + mark(generation.number, generation.meta.policy)


def _rebuilt(text: str) -> str:
    """In place if the table can be read: counters and sessions stay."""
    with suppress(ValueError):
        return _joined(rebuild(read_ruleset(live.skeleton()), read_ruleset(text)))
    return replacement(text)


def _saved() -> str:
    """A table that segc does not know, to be brought back as it was, but for what was in timed sets."""
    text = host.nft("list", "table", "inet", "segc")
    return f"{NO_TABLE}{_TIMED.sub(lambda found: found[1], text)}"


def _file(generation: Generation) -> Path:
    """What loads it whole."""
    return generation.folder / "load.nft"


def _text(whole: str | Path) -> str:
    return whole if isinstance(whole, str) else whole.read_text("utf-8")


def mark(number: int, policy: str) -> str:
    return marker(number, f"segc: {policy[:12]}, see segc history")


def _joined(commands: Commands) -> str:
    return "".join(f"{command}\n" for command in commands)


def as_left(state: State, generation: Generation, found: live.Held) -> bool:
    """Whether the kernel holds the generation and nothing else.

    While nf_tables has counted no transaction since ours but the session agent's, nobody can have changed
    anything; else both are listed and compared.
    """
    if found.markers != (generation.number,):
        return False
    if _untouched(state, generation, transactions(state)):
        return True
    return live.items() == live.items_of(generation.ruleset)


def _untouched(state: State, generation: Generation, count: int) -> bool:
    return state.read("kernel.json") == as_of(generation, count)


def as_of(generation: Generation, count: int) -> dict[str, Any]:
    """What `kernel.json` says when others than the agent had made so many transactions just after ours."""
    here = {"generation": generation.number, "boot": host.boot(), "namespace": host.namespace()}
    return here | {"transactions": count}
