"""What to say of a name in an end that no zone and no set has."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from segc.policy.ends.spaces import Spaces
from segc.syntax import tree

EVERYTHING = frozenset(
    {"all", "anybody", "anyone", "anything", "anywhere", "everybody", "everyone", "everything"}
)


def instead(term: tree.NameTerm, spaces: Spaces, groups: Collection[str], gateways: Collection[str]) -> str:
    """How to write what else has the name, or else how to define it."""
    return _meant(term.name.text, spaces, groups, gateways) or _definition(term)


def _meant(name: str, spaces: Spaces, groups: Collection[str], gateways: Collection[str]) -> str:
    if name.lower() in EVERYTHING:
        return "did you mean `any`?"
    homes = [zone for zone, hosts in spaces.hosts.items() if name in hosts]
    things = {
        "group": [f"group {name}"] if name in groups else [],
        "gateway": [f"gateway {name}"] if name in gateways else [],
        "host": [f"{zone}.{name}" for zone in homes[:3]],
        "tag": [f"tag {name}"] if name in spaces.tagged else [],
    }
    found = ((kind, written) for kind, written in things.items() if written)
    return next((f"there is a {kind} of that name: write {_either(written)}" for kind, written in found), "")


def _either(words: Iterable[str]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _definition(term: tree.NameTerm) -> str:
    name = term.name.text
    zone = f"define it: `zone {name} {{ subnet 10.0.0.0/24 }}`"
    if term.host is None:
        return zone
    return f"{zone}; a name of the DNS is written by its addresses, as in `set {name} = 192.0.2.10`"
