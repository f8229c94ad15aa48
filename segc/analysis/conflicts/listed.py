"""The terms that an end lists, read back from its text: what its author named one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from segc.policy.model import End, Policy
from segc.space.prefixes import PrefixSet, parse_prefixes, union

TERM = re.compile(r'(?:"[^"]*"|\([^)]*\)|[^,"(])+')


def listed(end: End, policy: Policy) -> Iterator[tuple[str, PrefixSet]]:
    """Each term with its addresses, where an end lists several and all of them are addresses."""
    if "," not in end.text:
        return
    terms = [term.strip() for term in TERM.findall(end.text.partition(" except ")[0])]
    spaces = [_space(term, policy) for term in terms]
    if len(terms) > 1 and not any(space is None for space in spaces):
        yield from ((term, space) for term, space in zip(terms, spaces, strict=True) if space)


def _space(term: str, policy: Policy) -> PrefixSet | None:
    """None for people, gateways and sets with either; and for what is not in this part of a policy."""
    if term in policy.zones:
        return policy.zones[term].space
    if term in policy.sets:
        found = policy.sets[term]
        plain = not found.gateways and not any(part.subject or part.unless for part in found.parts)
        return union(part.space for part in found.parts) if plain else None
    zone, _, host = term.partition(".")
    if zone in policy.zones:
        return union(each.space for each in policy.zones[zone].hosts if each.name == host)
    word, _, tag = term.partition(" ")
    if word == "tag":
        zones = [each for each in policy.zones.values() if tag in each.tags]
        hosts = [host for each in policy.zones.values() for host in each.hosts if tag in host.tags]
        return union([*(each.space for each in zones), *(each.space for each in hosts)])
    with suppress(ValueError):
        return parse_prefixes(term)
    return None
