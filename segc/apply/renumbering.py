"""Where numbers in packet marks change their meaning: by way of second sets.

A packet keeps to the rules that it began with, but a look-up sees elements as of that moment. One that is
underway during a commit would be asked for by an old number among new elements. So the new rules begin with
sets of their own; when nobody asks the former ones any more, those are filled and take over.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import replace

from segc.apply.commands import Commands, elements, gone_names, new_names, rules, same_set
from segc.apply.ruleset import TABLE, Ruleset, SetText, element_key

ASIDE = "next/"  # before the names of second sets
_LOOKUP = re.compile(r"@([A-Za-z0-9_./-]+)")


def renumbered(old: Ruleset, new: Ruleset) -> bool:
    """Whether any number in a packet mark may mean something else afterwards.

    It may where a chain that writes marks differs, or who comes to it. Some only clear the mark and accept:
    to them more or fewer may come, as long as nobody is led elsewhere.
    """
    before, after = _writers(old), _writers(new)
    if before != after:
        return True
    numbering = {
        name for name, lines in before.items() if not all(line.endswith(" accept") for line in lines)
    }
    was, now = _ways(old, new), _ways(new, old)
    elsewhere = {chain for way in was.keys() & now.keys() for chain in (was[way], now[way])}
    return not numbering.isdisjoint((*was.values(), *now.values())) or not elsewhere.isdisjoint(before)


def _writers(ruleset: Ruleset) -> dict[str, tuple[str, ...]]:
    chains = ((name, chain.meaning) for name, chain in ruleset.chains.items())
    return {name: lines for name, lines in chains if any("mark set" in line for line in lines)}


def _ways(ruleset: Ruleset, other: Ruleset) -> dict[tuple[str, str], str]:
    """The chains that verdict maps lead to, by map and key, of elements that the other has not."""
    return {
        (name, element_key(text)): text.rpartition(" ")[2]
        for name, each in ruleset.sets.items()
        if each.definition and "verdict" in each.definition[0]
        for text in each.elements.keys() - (other.sets[name].elements.keys() if name in other.sets else ())
    }


def by_second_sets(old: Ruleset, new: Ruleset) -> tuple[Commands, ...]:
    """Three transactions: to second sets, back to the first ones, and without the second."""
    swapped = {name for name in new.sets if name in old.sets and not new.sets[name].filled_by_others}
    seconds = {f"{ASIDE}{name}": new.sets[name] for name in swapped}
    both = Ruleset(new.objects, {**new.sets, **seconds}, new.chains)
    first = Ruleset(old.objects, {**new.sets, **{name: old.sets[name] for name in swapped}}, new.chains)
    begin = (
        *new_names(old, both),
        *(f"flush chain {TABLE} {name}" for name in old.chains),
        *elements(Ruleset(sets=old.sets), Ruleset(sets={**first.sets, **seconds, **_gone(old, new)})),
        *(_asking(rule, swapped) for rule in rules(new, new.chains)),
    )
    redefined = {name for name in swapped if not same_set(old, new, name)}
    kept = replace(old, sets={name: each for name, each in old.sets.items() if name not in redefined})
    users = [name for name, chain in new.chains.items() if any(_asking(r, swapped) != r for r in chain.rules)]
    take_over = (
        *(f"flush chain {TABLE} {name}" for name in users),
        *(f"delete {old.sets[name].keyword} {TABLE} {name}" for name in redefined),
        *new_names(Ruleset(new.objects, kept.sets, new.chains), new),
        *elements(kept, new),
        *rules(new, users),
        *gone_names(old, new),
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
