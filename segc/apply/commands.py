"""Commands of nft that lead from one ruleset to another, kind by kind; their order is for others to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from segc.apply.ruleset import TABLE, Ruleset, SetText, element_key

AT_ONCE = 500  # elements in one command, for lines that people can still read
Commands = tuple[str, ...]  # of one transaction


def same_set(old: Ruleset, new: Ruleset, name: str) -> bool:
    one, other = old.sets.get(name), new.sets[name]
    return one is not None and (one.keyword, one.definition) == (other.keyword, other.definition)


def same_hook(old: Ruleset, new: Ruleset, name: str) -> bool:
    return name in old.chains and old.chains[name].hook == new.chains[name].hook


def same_chains(old: Ruleset, new: Ruleset) -> set[str]:
    shared = old.chains.keys() & new.chains.keys()
    return {name for name in shared if old.chains[name].meaning == new.chains[name].meaning}


def new_names(old: Ruleset, new: Ruleset) -> Iterator[str]:
    for (kind, name), body in new.objects.items():
        if (kind, name) not in old.objects:
            yield f"add {kind} {TABLE} {name}" + (f" {{ {body}; }}" if body else "")
    # Chains before sets: nft 1.0.6 sends the elements of a new interval map along with the map.
    for name, chain in new.chains.items():
        if name not in old.chains:
            yield f"add chain {TABLE} {name}" + (f" {{ {chain.body} }}" if chain.body else "")
    for name, each in new.sets.items():
        if name not in old.sets:
            yield f"add {each.keyword} {TABLE} {name} {{ {each.body} }}"


def gone_names(old: Ruleset, new: Ruleset) -> Iterator[str]:
    for name, each in old.sets.items():
        if name not in new.sets:
            yield f"delete {each.keyword} {TABLE} {name}"
    for name in old.chains:
        if name not in new.chains:
            yield f"delete chain {TABLE} {name}"
    for kind, name in old.objects:
        if (kind, name) not in new.objects:
            yield f"delete {kind} {TABLE} {name}"


def emptied_chains(old: Ruleset, new: Ruleset) -> Iterator[str]:
    """Rules are exchanged by the chain: nothing in them counts."""
    same = same_chains(old, new)
    return (f"flush chain {TABLE} {name}" for name in old.chains if name not in same)


def rules(new: Ruleset, names: Iterable[str]) -> Iterator[str]:
    wanted = set(names)
    for name, chain in new.chains.items():
        if name in wanted:
            yield from (f"add rule {TABLE} {name} {rule}" for rule in chain.rules)


def elements(old: Ruleset, new: Ruleset) -> Iterator[str]:
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
