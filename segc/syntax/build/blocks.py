"""What stands in braces."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, TypeVar

from segc.syntax import tree as t
from segc.syntax.build.words import Words, grow

Node = TypeVar("Node")


class Items(list[Any]):
    """What stands in a block so far. A class of its own, so that recovery can tell it from other lists."""


def of(kind: type[Node], items: list[Any]) -> tuple[Node, ...]:
    return tuple(item for item in items if isinstance(item, kind))


def values(items: list[Any], key: str) -> tuple[t.Word, ...]:
    return tuple(v for item in of(t.Setting, items) if item.key.text == key for v in item.values)


def has(items: list[Any], key: str) -> bool:
    return any(item.key.text == key for item in of(t.Setting, items))


def families(items: list[Any], key: str) -> tuple[int, ...]:
    """The address families that a setting names; both where it stands without one."""
    found = [[word.text for word in item.values] for item in of(t.Setting, items) if item.key.text == key]
    return tuple(n for n in (4, 6) if any(not words or f"ipv{n}" in words for words in found))


def block(children: list[Any]) -> list[Any]:
    """The items of a production that ends in `{ … }`; none where the braces are empty."""
    items = children[-2]
    return items if isinstance(items, Items) else []


class Blocks(Words):
    items = staticmethod(grow)

    @staticmethod
    def first(c: list[Any]) -> Items:
        return Items(c)

    zone_items = group_items = facts = session_items = limit_items = steps = expectations = first
    source_items = directory_items = host_items = gateway_items = interface_items = switch_items = first

    interface_item = switch_item = staticmethod(itemgetter(0))

    def setting(self, c: list[Any]) -> t.Setting:
        key = self.word(c[0])
        if len(c) == 1:
            return t.Setting(key, (), key.span)
        found = tuple(c[1]) if isinstance(c[1], list) else (self.word(c[1]),)
        return t.Setting(key, found, key.span.to(found[-1].span))
