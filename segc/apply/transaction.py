"""From a ruleset to another by transactions that touch only what differs.

Counters that stay keep counting, and sets that sessions fill are neither read nor written. The place in a
comment (`flows.seg:14`) is no difference: a line added on top of a file would touch every element below it.
"""

from __future__ import annotations

from dataclasses import replace

from segc.apply.commands import (
    Commands,
    elements,
    emptied_chains,
    gone_names,
    new_names,
    rules,
    same_chains,
    same_hook,
    same_set,
)
from segc.apply.differing import differing
from segc.apply.renumbering import by_second_sets, renumbered
from segc.apply.ruleset import TABLE, Ruleset, SetText, read_ruleset

MARKER = "generation_"


def read_both(old: str, new: str) -> tuple[Ruleset, Ruleset]:
    """As much of two emitted rulesets as `change` needs, there and back; little where little differs."""
    one, other = differing(old, new)
    if renumbered(one, other) or _redefined(one, other):
        return read_ruleset(old), read_ruleset(new)
    return one, other


def change(old: Ruleset, new: Ruleset) -> tuple[Commands, ...]:
    """Transactions that turn `old` into `new`, each for one `nft -f`; none if they do the same.

    From the first on the kernel does what `new` says; further ones only tidy up.
    """
    if not renumbered(old, new):
        commands = rebuild(old, new) if _redefined(old, new) else _in_place(old, new)
        return (commands,) if commands else ()
    if not all(same_hook(old, new, name) for name in old.chains.keys() & new.chains.keys()):
        return (rebuild(old, new),)
    # A limit's rate cannot be changed while rules ask for it: that comes last, where numbers stay.
    objects = {each: old.objects.get(each, body) for each, body in new.objects.items()}
    middle = replace(new, objects=objects)
    return (*by_second_sets(old, middle), *((rebuild(middle, new),) if objects != new.objects else ()))


def _in_place(old: Ruleset, new: Ruleset) -> Commands:
    return (
        *new_names(old, new),
        *emptied_chains(old, new),
        *elements(old, new),
        *rules(new, new.chains.keys() - same_chains(old, new)),
        *gone_names(old, new),
    )


def rebuild(old: Ruleset, new: Ruleset) -> Commands:
    """Commands that turn any table with the names of `old` into `new`, whatever its chains and sets hold."""
    same_sets = {name for name in new.sets if same_set(old, new, name)}
    alike = {name for name in new.chains if same_hook(old, new, name)}
    same_objects = {each for each, body in new.objects.items() if old.objects.get(each) == body}
    rest = Ruleset(
        {each: old.objects[each] for each in same_objects},
        {name: replace(old.sets[name], elements={}) for name in same_sets},
        {name: old.chains[name] for name in alike},
    )
    return (
        *(f"flush chain {TABLE} {name}" for name in old.chains),
        *(
            f"flush {s.keyword} {TABLE} {name}"
            for name, s in old.sets.items()
            if not _left(name, s, same_sets)
        ),
        *(f"delete {s.keyword} {TABLE} {name}" for name, s in old.sets.items() if name not in same_sets),
        *(f"delete chain {TABLE} {name}" for name in old.chains if name not in alike),
        *(f"delete {kind} {TABLE} {name}" for kind, name in old.objects if (kind, name) not in same_objects),
        *new_names(rest, new),
        *elements(rest, new),
        *rules(new, new.chains),
    )


def _left(name: str, found: SetText, same: set[str]) -> bool:
    """Sessions stay as they are wherever their set does."""
    return name in same and found.filled_by_others


def replacement(new: str, marker: str = "") -> str:
    """The emitted text, which replaces the table whole, and what else belongs in the same transaction."""
    return f"{new.rstrip()}\n{marker}"


def marker(number: int, words: str) -> str:
    """A chain without rules that says which generation the kernel holds."""
    return f'add chain {TABLE} {MARKER}{number} {{ comment "{words}"; }}\n'


def _redefined(old: Ruleset, new: Ruleset) -> bool:
    return not (
        all(same_set(old, new, name) for name in old.sets.keys() & new.sets.keys())
        and all(same_hook(old, new, name) for name in old.chains.keys() & new.chains.keys())
        and all(old.objects[each] == new.objects[each] for each in old.objects.keys() & new.objects.keys())
    )
