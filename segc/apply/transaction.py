"""From a ruleset to another by transactions that touch only what differs.

Counters that stay keep counting, and sets that sessions fill are neither read nor written. The place in a
comment (`flows.seg:14`) is no difference: a line added on top of a file would touch every element below it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from segc.apply.differing import differing
from segc.apply.ruleset import TABLE, Ruleset, SetText, element_key, read_ruleset

AT_ONCE = 500  # elements in one command, for lines that people can still read
MARKER = "generation_"
ASIDE = "next/"  # before the names of second sets
_LOOKUP = re.compile(r"@([A-Za-z0-9_./-]+)")
Commands = tuple[str, ...]  # of one transaction


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
    if not all(_same_hook(old, new, name) for name in old.chains.keys() & new.chains.keys()):
        return (rebuild(old, new),)
    # A limit's rate cannot be changed while rules ask for it: that comes last, where numbers stay.
    objects = {each: old.objects.get(each, body) for each, body in new.objects.items()}
    middle = replace(new, objects=objects)
    return (*_aside(old, middle), *((rebuild(middle, new),) if objects != new.objects else ()))


def _in_place(old: Ruleset, new: Ruleset) -> Commands:
    return (
        *_new_names(old, new),
        *_emptied_chains(old, new),
        *_elements(old, new),
        *_rules(new, new.chains.keys() - _same_chains(old, new)),
        *_gone_names(old, new),
    )


def _aside(old: Ruleset, new: Ruleset) -> tuple[Commands, ...]:
    """By way of second sets, where the numbers in packet marks change their meaning.

    A packet keeps to the rules that it began with, but a look-up sees elements as of that moment. One that is
    underway during a commit would be asked for by an old number among new elements. So the new rules begin
    with sets of their own; when nobody asks the former ones any more, those are filled and take over.
    """
    swapped = {name for name in new.sets if name in old.sets and not new.sets[name].filled_by_others}
    seconds = {f"{ASIDE}{name}": new.sets[name] for name in swapped}
    both = Ruleset(new.objects, {**new.sets, **seconds}, new.chains)
    first = Ruleset(old.objects, {**new.sets, **{name: old.sets[name] for name in swapped}}, new.chains)
    begin = (
        *_new_names(old, both),
        *(f"flush chain {TABLE} {name}" for name in old.chains),
        *_elements(Ruleset(sets=old.sets), Ruleset(sets={**first.sets, **seconds, **_gone(old, new)})),
        *(_asking(rule, swapped) for rule in _rules(new, new.chains)),
    )
    redefined = {name for name in swapped if not _same_set(old, new, name)}
    kept = replace(old, sets={name: each for name, each in old.sets.items() if name not in redefined})
    users = [name for name, chain in new.chains.items() if any(_asking(r, swapped) != r for r in chain.rules)]
    take_over = (
        *(f"flush chain {TABLE} {name}" for name in users),
        *(f"delete {old.sets[name].keyword} {TABLE} {name}" for name in redefined),
        *_new_names(Ruleset(new.objects, kept.sets, new.chains), new),
        *_elements(kept, new),
        *_rules(new, users),
        *_gone_names(old, new),
    )
    return begin, take_over, tuple(f"delete {each.keyword} {TABLE} {name}" for name, each in seconds.items())


def _gone(old: Ruleset, new: Ruleset) -> dict[str, SetText]:
    return {name: each for name, each in old.sets.items() if name not in new.sets}


def _asking(rule: str, swapped: Container[str]) -> str:
    """The rule with look-ups in the second sets; what is in quotes stays."""
    parts = rule.split('"')
    for i in range(0, len(parts), 2):
        parts[i] = _LOOKUP.sub(lambda m: f"@{ASIDE}{m[1]}" if m[1] in swapped else m[0], parts[i])
    return '"'.join(parts)


def renumbered(old: Ruleset, new: Ruleset) -> bool:
    """Whether any number in a packet mark may mean something else afterwards.

    It may where a chain that writes marks differs, or who comes to it. Some only clear the mark and accept:
    to them more or fewer may come, as long as nobody is led elsewhere.
    """
    before, after = _writers(old), _writers(new)
    if before != after:
        return True
    numbering = {
        name for name, rules in before.items() if not all(rule.endswith(" accept") for rule in rules)
    }
    was, now = _ways(old, new), _ways(new, old)
    elsewhere = {chain for way in was.keys() & now.keys() for chain in (was[way], now[way])}
    return not numbering.isdisjoint((*was.values(), *now.values())) or not elsewhere.isdisjoint(before)


def _writers(ruleset: Ruleset) -> dict[str, tuple[str, ...]]:
    chains = ((name, chain.meaning) for name, chain in ruleset.chains.items())
    return {name: rules for name, rules in chains if any("mark set" in rule for rule in rules)}


def _ways(ruleset: Ruleset, other: Ruleset) -> dict[tuple[str, str], str]:
    """The chains that verdict maps lead to, by map and key, of elements that the other has not."""
    return {
        (name, element_key(text)): text.rpartition(" ")[2]
        for name, each in ruleset.sets.items()
        if each.definition and "verdict" in each.definition[0]
        for text in each.elements.keys() - (other.sets[name].elements.keys() if name in other.sets else ())
    }


def rebuild(old: Ruleset, new: Ruleset) -> Commands:
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
        *_rules(new, new.chains),
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
    # Chains before sets: nft 1.0.6 sends the elements of a new interval map along with the map.
    for name, chain in new.chains.items():
        if name not in old.chains:
            yield f"add chain {TABLE} {name}" + (f" {{ {chain.body} }}" if chain.body else "")
    for name, each in new.sets.items():
        if name not in old.sets:
            yield f"add {each.keyword} {TABLE} {name} {{ {each.body} }}"


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
    """Rules are exchanged by the chain: nothing in them counts."""
    same = _same_chains(old, new)
    return (f"flush chain {TABLE} {name}" for name in old.chains if name not in same)


def _rules(new: Ruleset, names: Iterable[str]) -> Iterator[str]:
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
