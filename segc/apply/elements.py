"""Changes of `table inet segc` by netlink, without libnftables: of sets and maps, counters, simple rules.

    transact([Delete("who4_staff", gone, missing_ok=True), Add("who4_staff", [Element(address_key("10.8.0.6"),
              timeout=3_600_000, comment="ana@acme.example")])])

All changes of one call are one transaction, in their order. nft lists every named counter before it adds an
element, and needs a process; this asks for nothing but what is to be done. Messages are those of
linux/netfilter/nf_tables.h, comments as libnftnl keeps them, so that `nft list` shows them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from socket import socket
from typing import NamedTuple

from segc.apply.element import (
    ACCEPT,
    DROP,
    TABLE,
    Element,
    Verdict,
    address_key,
    commented,
    encoded,
    goto,
    joined,
    jump,
    shown,
)
from segc.apply.host import RefusedByKernelError
from segc.apply.netlink import CREATE, NESTED, Message, Refusal, attribute, send_batch, text
from segc.apply.rule import AddRule, FlushChain
from segc.frozen import frozen

__all__ = [
    "ACCEPT", "DROP", "Add", "Change", "Delete", "Element", "Flush", "Named", "Renew", "Verdict",
    "address_key", "goto", "joined", "jump", "transact",
]  # fmt: skip

INET = 1  # NFPROTO_INET
NEW_ELEMENTS, DELETE_ELEMENTS = 12, 14
USERDATA_OF_CHAIN = 12
AT_ONCE = 60_000  # bytes: the length of a nested attribute has 16 bits


@frozen
class Add:
    """Elements that are there already stay as they are; see `Renew`."""

    set: str
    elements: Sequence[Element]


@frozen
class Delete:
    """Only keys count. One that is not there fails the transaction, or is passed over if `missing_ok`."""

    set: str
    elements: Sequence[Element]
    missing_ok: bool = False


@frozen
class Renew:
    """Have these elements, with this time and comment, whether they are there or not.

    It adds, deletes and adds, which says the same to every kernel: before 6.12 a time could not be changed.
    """

    set: str
    elements: Sequence[Element]


@frozen
class Flush:
    """Take all elements out."""

    set: str


class Named(NamedTuple):
    """A counter, or a chain without rules, to `add` or to delete."""

    add: bool
    kind: str
    name: str
    comment: str = ""

    def message(self) -> Message:
        kind, name, more = _NAMED[self.kind]
        body = TABLE + text(name, self.name) + more
        if self.comment:
            body += attribute(USERDATA_OF_CHAIN, commented(self.comment))
        return Message(kind if self.add else kind + 2, CREATE if self.add else 0, body)

    def __str__(self) -> str:
        return f"{'adding' if self.add else 'deleting'} {self.kind} `{self.name}`"


# NFT_MSG_NEW*, two before NFT_MSG_DEL*; NFTA_*_NAME; and for a counter NFTA_OBJ_TYPE and NFTA_OBJ_DATA.
_NAMED = {
    "chain": (3, 3, b""),
    "counter": (18, 2, attribute(3, b"\0\0\0\1") + attribute(NESTED | 4, b"")),
}
Single = Named | AddRule | FlushChain  # one message each
Change = Add | Delete | Renew | Flush | Single


def transact(changes: Iterable[Change], held: socket | None = None) -> None:
    """Carry out all of it in the network namespace of this thread (or of a netlink socket held), or nothing.

    RefusedByKernelError says what was refused and why; its `error` is the errno: ENOENT where the table, or a
    set, chain, counter or element that is named, is not there, ENFILE where the set is full, EPERM without
    the right to.
    """
    parts = list(chain.from_iterable(map(_parts, changes)))
    if not parts:
        return
    refused = send_batch([part.message() for part in parts], INET, held)
    if refused:
        raise _error(refused, parts)


class _Part(NamedTuple):
    """What goes in one message."""

    kind: int
    set: str
    elements: Sequence[bytes]

    def message(self) -> Message:
        body = TABLE + text(2, self.set)
        if self.elements:
            body += attribute(NESTED | 3, b"".join(self.elements))
        return Message(self.kind, CREATE if self.kind == NEW_ELEMENTS else 0, body)

    def number(self, offset: int) -> int | None:
        """Which element the attribute at this offset of the message's body is."""
        at = len(TABLE) + len(text(2, self.set)) + 4
        for number, each in enumerate(self.elements):
            if at <= offset < at + len(each):
                return number
            at += len(each)
        return None


def _parts(change: Change) -> Iterator[_Part | Single]:
    if isinstance(change, Single):
        yield change
        return
    if isinstance(change, Flush):
        yield _Part(DELETE_ELEMENTS, change.set, ())
        return
    full = [encoded(each) for each in change.elements]
    if isinstance(change, Add | Renew) or change.missing_ok:
        yield from _split(NEW_ELEMENTS, change.set, full)
    if isinstance(change, Delete | Renew):
        gone = [encoded(Element(each.key)) for each in change.elements]
        yield from _split(DELETE_ELEMENTS, change.set, gone)
    if isinstance(change, Renew):
        yield from _split(NEW_ELEMENTS, change.set, full)


def _split(kind: int, name: str, elements: Sequence[bytes]) -> Iterator[_Part]:
    start = size = 0
    for number, each in enumerate(elements):
        if size + len(each) > AT_ONCE:
            yield _Part(kind, name, elements[start:number])
            start, size = number, 0
        size += len(each)
    if elements:
        yield _Part(kind, name, elements[start:])


def _error(refused: Sequence[Refusal], parts: Sequence[_Part | Single]) -> RefusedByKernelError:
    first = next((each for each in refused if each.message is not None), refused[0])
    reason = first.words or os.strerror(first.error).lower()
    if first.message is not None and first.message < len(parts):
        reason = f"{_where(parts[first.message], first.offset)}: {reason}"
    return RefusedByKernelError(reason, first.error, "the kernel")


def _where(part: _Part | Single, offset: int) -> str:
    """What a message was to do; with the element where the kernel says which."""
    if isinstance(part, Single):
        return str(part)
    number = part.number(offset)
    if number is None:
        return f"elements of `{part.set}`" if part.elements else f"flushing `{part.set}`"
    verb = "adding" if part.kind == NEW_ELEMENTS else "deleting"
    return f"{verb} `{shown(part.elements[number])}` in `{part.set}`"
