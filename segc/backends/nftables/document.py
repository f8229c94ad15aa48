"""The parts of an nftables table as data, and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from segc.frozen import frozen

COMMENT_LENGTH = 128  # bytes, NFTNL_UDATA_COMMENT_MAXLEN
NAME_LENGTH = 200
ROOM = 256  # elements that a hash has room for, at least


@frozen
class NftSet:
    """A set, or a map where `type` holds a colon."""

    name: str
    type: str  # `ipv4_addr : verdict`, or with `typeof`
    flags: str = ""
    elements: tuple[str, ...] = ()
    comment: str = ""
    typeof: bool = False
    timeout: str = ""  # of every element that packets add
    room: int = 0  # for elements that packets add

    @property
    def keyword(self) -> str:
        return "map" if ":" in self.type else "set"

    @property
    def size(self) -> int:
        """How many elements a hash has room for, at least twice what it holds. Sets with flags have none, as
        they are intervals, or hold sessions of which nobody knows how many there will be; but what packets
        fill has the room that it is given.

        With a size the kernel takes a table of fixed length, which is faster to ask than one that grows.
        """
        return self.room if self.flags else max(ROOM, 1 << (2 * len(self.elements) - 1).bit_length())

    def body(self) -> Iterator[str]:
        yield f"{'typeof' if self.typeof else 'type'} {self.type}"
        if self.flags:
            yield f"flags {self.flags}"
        if self.timeout:
            yield f"timeout {self.timeout}"
        if self.size:
            yield f"size {self.size}"
        if self.comment:
            yield f'comment "{self.comment}"'
        if self.elements:
            yield "elements = {\n\t\t\t" + ",\n\t\t\t".join(self.elements) + "\n\t\t}"


@frozen
class NftChain:
    name: str
    rules: tuple[str, ...]
    hook: str = ""  # `type filter hook forward priority filter; policy drop;`
    comment: str = ""

    def body(self) -> Iterator[str]:
        if self.comment:
            yield f'comment "{self.comment}"'
        if self.hook:
            yield self.hook
        yield from self.rules


@dataclass(slots=True)
class Table:
    """A table being put together; names are kept in the order they were added."""

    objects: dict[str, str] = field(default_factory=dict)  # `counter name`, with its body
    sets: list[NftSet] = field(default_factory=list)
    chains: dict[str, NftChain] = field(default_factory=dict)

    def chain(self, name: str, rules: Iterable[str], hook: str = "", comment: str = "") -> str:
        made = NftChain(name, tuple(rules), hook, comment)
        known = self.chains.setdefault(name, made)
        assert known == made, f"two chains are called {name}"
        return name

    def set(self, name: str, type: str, elements: Iterable[str] = (), **more: Any) -> str:
        self.sets.append(NftSet(name, type, elements=tuple(elements), **more))
        return name

    def object(self, keyword: str, name: str, body: str = "") -> str:
        self.objects[f"{keyword} {name}"] = body
        return name

    def text(self, family: str, name: str) -> str:
        """The table in the syntax of nft(8). People read hooks first, so they come before other chains."""
        chains = sorted(self.chains.values(), key=lambda chain: not chain.hook)
        blocks = [_block(name, (body,) if body else ()) for name, body in self.objects.items()]
        blocks += ["\n" + _block(f"{each.keyword} {each.name}", each.body()) for each in self.sets]
        blocks += ["\n" + _block(f"chain {each.name}", each.body()) for each in chains]
        return f"table {family} {name} {{\n" + "".join(blocks) + "}\n"


def _block(head: str, body: Iterable[str]) -> str:
    return f"\t{head} {{\n" + "".join(f"\t\t{line}\n" for line in body) + "\t}\n"


def quoted(text: str) -> str:
    """A string of nft: it knows no escapes, so quotes, controls and other than ASCII are replaced."""
    return f'"{plain(text)}"'


def plain(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in text)


def comment(text: str) -> str:
    """` comment "…"`, cut to what the kernel keeps."""
    if len(text) > COMMENT_LENGTH - 1:
        text = "..." + text[-(COMMENT_LENGTH - 4) :]
    return f" comment {quoted(text)}"
