"""The emitted ruleset, read back from its own text: what a transaction adds, removes and leaves alone.

Only text that the nftables backend wrote is read here: one line a rule, one line an element, tabs for depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from segc.frozen import frozen

TABLE = "inet segc"
KEPT = ("timeout", "dynamic")  # flags of sets that others fill: sessions, meters
_COMMENT = re.compile(r' comment "[^"]*"')
_ELEMENT = re.compile(r'(?P<key>.*?)(?: comment "[^"]*")?(?: : (?P<data>.*))?')


@frozen
class SetText:
    """A set or map. `definition` is its type and flags; `elements` are by what they are without comment."""

    keyword: str
    definition: tuple[str, ...]
    comment: str = ""
    elements: Mapping[str, str] = field(default_factory=dict)

    @property
    def flags(self) -> frozenset[str]:
        lines = (line for line in self.definition if line.startswith("flags "))
        return frozenset(flag.strip() for line in lines for flag in line[6:].split(","))

    @property
    def filled_by_others(self) -> bool:
        return not self.flags.isdisjoint(KEPT)

    @property
    def body(self) -> str:
        return "; ".join((*self.definition, *([self.comment] if self.comment else []))) + ";"


@frozen
class ChainText:
    """`hook` is empty for a chain that is only jumped to."""

    hook: str
    rules: tuple[str, ...]
    comment: str = ""

    @property
    def body(self) -> str:
        return " ".join(each for each in (self.comment and f"{self.comment};", self.hook) if each)

    @property
    def meaning(self) -> tuple[str, ...]:
        return tuple(without_comment(rule) for rule in self.rules)


Object = tuple[str, str]  # `counter` or `limit`, and its name


@frozen
class Ruleset:
    """`table inet segc`, by names. A skeleton (`names_of`) has the same names, but nothing in its chains."""

    objects: Mapping[Object, str] = field(default_factory=dict)
    sets: Mapping[str, SetText] = field(default_factory=dict)
    chains: Mapping[str, ChainText] = field(default_factory=dict)


def without_comment(text: str) -> str:
    return _COMMENT.sub("", text)


def element_key(element: str) -> str:
    """What `delete element` wants: the element without comment and data."""
    match = _ELEMENT.fullmatch(element)
    assert match
    return match["key"]


def read_ruleset(text: str) -> Ruleset:
    """The table of a `ruleset.nft`. ValueError where a line is not of the kind that the backend writes."""
    objects: dict[Object, str] = {}
    sets: dict[str, SetText] = {}
    chains: dict[str, ChainText] = {}
    for keyword, name, lines in _blocks(text):
        if keyword in ("set", "map"):
            sets[name] = _set(keyword, lines)
        elif keyword == "chain":
            chains[name] = _chain(lines)
        else:
            objects[keyword, name] = "; ".join(lines)
    return Ruleset(objects, sets, chains)


def _blocks(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Keyword, name and inner lines of each part of the table."""
    head: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t\t"):
            lines.append(line.strip())
        elif line == "\t}":
            yield head[0], head[1], lines
        elif line.startswith("\t"):
            head, lines = line.split(), []
            if len(head) != 3 or head[2] != "{":
                raise ValueError(f"`{line.strip()}` is no line of a ruleset that segc wrote")


def _set(keyword: str, lines: list[str]) -> SetText:
    start = next((i for i, line in enumerate(lines) if line == "elements = {"), len(lines))
    definition = tuple(line for line in lines[:start] if not line.startswith("comment "))
    comment = next((line for line in lines[:start] if line.startswith("comment ")), "")
    elements = (line.removesuffix(",") for line in lines[start + 1 :] if line != "}")
    return SetText(keyword, definition, comment, {without_comment(each): each for each in elements})


def _chain(lines: list[str]) -> ChainText:
    hook = next((line for line in lines if line.startswith("type ")), "")
    comment = lines[0] if lines and lines[0].startswith("comment ") else ""
    rules = tuple(line for line in lines if line not in (hook, comment))
    return ChainText(hook, rules, comment)
