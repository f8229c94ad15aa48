"""One nft transaction from a ruleset to another, which touches only what differs.

Counters that stay keep counting, and sets that sessions fill are neither read nor written. The place in a
comment (`flows.seg:14`) is no difference: a line added on top of a file would touch every element below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from segc.apply.ruleset import TABLE, Ruleset, SetText, element_key

AT_ONCE = 500  # elements in one command, for lines that people can still read
MARKER = "generation_"


def change(old: Ruleset, new: Ruleset) -> tuple[str, ...]:
    """Commands for one `nft -f` that turn `old` into `new`; empty if they do the same.

    What cannot be changed in place, such as the rate of a limit, takes its users with it: then all but counters
    and sessions is built anew, still in one transaction.
    """
    if _redefined(old, new):
        return rebuild(old, new)
    return (
        *_new_names(old, new),
        *_emptied_chains(old, new),
        *_elements(old, new),
        *_rules(old, new, new.chains.keys() - _same_chains(old, new)),
        *_gone_names(old, new),
    )


def rebuild(old: Ruleset, new: Ruleset) -> tuple[str, ...]:
    """Commands that turn any table with the names of `old` into `new`, whatever its chains and sets hold."""
    same_sets = {name for name in new.sets if _same_set(old, new, name)}
    same_chains = {name for name in new.chains if _same_hook(old, new, name)}
    same_objects = {each for each, body in new.objects.items() if old.objects.get(each) == body}
    rest = Ruleset(
        {each: old.objects[each] for each in same_objects},
        {name: replace(old.sets[name], elements={}) for name in same_sets},
        {name: old.chains[name] for name in same_chains},
    )
    return (
        *(f"flush chain {TABLE} {name}" for name in old.chains),
        *(
            f"flush {s.keyword} {TABLE} {name}"
            for name, s in old.sets.items()
            if not _left(name, s, same_sets)
        ),
        *(f"delete {s.keyword} {TABLE} {name}" for name, s in old.sets.items() if name not in same_sets),
        *(f"delete chain {TABLE} {name}" for name in old.chains if name not in same_chains),
        *(f"delete {kind} {TABLE} {name}" for kind, name in old.objects if (kind, name) not in same_objects),
        *_new_names(rest, new),
        *_elements(rest, new),
        *_rules(rest, new, new.chains),
    )


def _left(name: str, found: SetText, same: set[str]) -> bool:
    """Sessions stay as they are wherever their set does."""
    return name in same and found.filled_by_others


def replacement(new: str, marker: str = "") -> str:
    """The emitted text, which replaces the table whole, and what else belongs in the same transaction."""
    return f"{new.rstrip()}\n{marker}"


def marker(number: int, words: str) -> str:
    """A chain without rules that says which generation the kernel holds; it changes with the policy or not at all."""
    return f'add chain {TABLE} {MARKER}{number} {{ comment "{words}"; }}\n'


def _redefined(old: Ruleset, new: Ruleset) -> bool:
    return not (
        all(_same_set(old, new, name) for name in old.sets.keys() & new.sets.keys())
        and all(_same_hook(old, new, name) for name in old.chains.keys() & new.chains.keys())
        and all(old.objects[each] == new.objects[each] for each in old.objects.keys() & new.objects.keys())
    )


def _same_set(old: Ruleset, new: Ruleset, name: str) -> bool:
    one, other = old.sets.get(name), new.sets[name]
    return one is not None and (one.keyword, one.definition) == (other.keyword, other.definition)


def _same_hook(old: Ruleset, new: Ruleset, name: str) -> bool:
    return name in old.chains and old.chains[name].hook == new.chains[name].hook


def _same_chains(old: Ruleset, new: Ruleset) -> set[str]:
    shared = old.chains.keys() & new.chains.keys()
    return {name for name in shared if old.chains[name].meaning == new.chains[name].meaning}


def _new_names(old: Ruleset, new: Ruleset) -> Iterator[str]:
    for (kind, name), body in new.objects.items():
        if (kind, name) not in old.objects:
            yield f"add {kind} {TABLE} {name}" + (f" {{ {body}; }}" if body else "")
    for name, each in new.sets.items():
        if name not in old.sets:
            yield f"add {each.keyword} {TABLE} {name} {{ {each.body} }}"
    for name, chain in new.chains.items():
        if name not in old.chains:
            yield f"add chain {TABLE} {name}" + (f" {{ {chain.body} }}" if chain.body else "")


def _gone_names(old: Ruleset, new: Ruleset) -> Iterator[str]:
    for name, each in old.sets.items():
        if name not in new.sets:
            yield f"delete {each.keyword} {TABLE} {name}"
    for name in old.chains:
        if name not in new.chains:
            yield f"delete chain {TABLE} {name}"
    for kind, name in old.objects:
        if (kind, name) not in new.objects:
            yield f"delete {kind} {TABLE} {name}"


def _emptied_chains(old: Ruleset, new: Ruleset) -> Iterator[str]:
    """Rules are exchanged by the chain: nothing in them counts, and the kernel takes the new ones all at once."""
    same = _same_chains(old, new)
    return (f"flush chain {TABLE} {name}" for name in old.chains if name not in same)


def _rules(old: Ruleset, new: Ruleset, names: Iterable[str]) -> Iterator[str]:
    wanted = set(names)
    for name, chain in new.chains.items():
        if name in wanted:
            yield from (f"add rule {TABLE} {name} {rule}" for rule in chain.rules)


def _elements(old: Ruleset, new: Ruleset) -> Iterator[str]:
    for name, each in old.sets.items():
        if name not in new.sets and each.elements:
            yield f"flush {each.keyword} {TABLE} {name}"  # lets go of chains that are deleted as well
    for name, each in new.sets.items():
        if not each.filled_by_others:
            yield from _set_elements(name, old.sets.get(name), each)


def _set_elements(name: str, old: SetText | None, new: SetText) -> Iterator[str]:
    before = old.elements if old is not None else {}
    gone = [text for text in before if text not in new.elements]
    come = [element for text, element in new.elements.items() if text not in before]
    if gone and "interval" in new.flags:
        # Deleting intervals is slow, and what joins to its neighbours cannot be deleted by itself.
        yield f"flush {new.keyword} {TABLE} {name}"
        gone, come = [], list(new.elements.values())
    yield from _in_parts("delete", name, [element_key(text) for text in gone])
    yield from _in_parts("add", name, come)


def _in_parts(verb: str, name: str, elements: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(elements), AT_ONCE):
        yield f"{verb} element {TABLE} {name} {{ {', '.join(elements[start : start + AT_ONCE])} }}"
