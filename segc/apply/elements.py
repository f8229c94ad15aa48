"""Elements of the sets and maps of `table inet segc`, changed by netlink without libnftables.

    transact([Delete("who4_staff", gone, missing_ok=True), Add("who4_staff", [Element(address_key("10.8.0.6"),
              timeout=3_600_000, comment="ana@acme.example")])])

All changes of one call are one transaction, in their order. nft lists every named counter before it adds an
element, and needs a process; this asks for nothing but what is to be done. Messages are those of
linux/netfilter/nf_tables.h, comments as libnftnl keeps them, so that `nft list` shows them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain
from socket import socket
from typing import NamedTuple

from segc.apply.host import RefusedByKernelError
from segc.apply.netlink import CREATE, NESTED, Message, Refusal, attribute, send_batch, text

INET = 1  # NFPROTO_INET
TABLE = text(1, "segc")  # NFTA_*_TABLE
NEW_ELEMENTS, DELETE_ELEMENTS = 12, 14
KEY, DATA, FLAGS, TIMEOUT, EXPIRATION, USERDATA, EXPRESSION, OBJECT, KEY_END = 1, 2, 3, 4, 5, 6, 7, 9, 10
AT_ONCE = 60_000  # bytes: the length of a nested attribute has 16 bits
COMMENT_LENGTH = 127  # bytes, without the zero
_ATTRIBUTE = struct.Struct("=HH")
_TIME = struct.Struct(">Q")
_COUNTER = attribute(NESTED | EXPRESSION, text(1, "counter"))


class Verdict(NamedTuple):
    """What a verdict map leads to (linux/netfilter.h, NFT_*)."""

    code: int
    chain: str = ""


DROP, ACCEPT = Verdict(0), Verdict(1)


def jump(chain: str) -> Verdict:
    return Verdict(-3, chain)


class Element(NamedTuple):
    """One element as the kernel has it.

    `key` is in network order, but marks are as in memory where the set has no intervals, and names of
    devices are sixteen bytes; the parts of a concatenation are padded to four bytes each (`joined`).
    `timeout` and `expires`, which is what is left of it, are in milliseconds; without `expires` all of it is
    left. `upper` is the upper end of a concatenation with ranges. `ends` marks the first key behind a plain
    interval (`interval` makes both). `data` is for maps: a verdict, or the name of a counter or limit.
    """

    key: bytes
    timeout: int | None = None
    expires: int | None = None
    comment: str = ""
    upper: bytes = b""
    ends: bool = False
    data: Verdict | str = ""
    counted: bool = False


def address_key(text: str) -> bytes:
    """The key of an IPv4 or IPv6 address. ValueError if it is none."""
    return ip_address(text).packed


def joined(*parts: bytes) -> bytes:
    """The key of a concatenation."""
    return b"".join(part + b"\0" * (-len(part) % 4) for part in parts)


def interval(first: Element, last: bytes) -> Iterator[Element]:
    """The elements of the plain interval from the key of `first` to `last`, both in it."""
    yield first
    if any(byte != 0xFF for byte in last):
        behind = int.from_bytes(last, "big") + 1
        yield Element(behind.to_bytes(len(last), "big"), ends=True)


@dataclass(frozen=True, slots=True)
class Add:
    """Elements that are there already stay as they are; see `Renew`."""

    set: str
    elements: Sequence[Element]


@dataclass(frozen=True, slots=True)
class Delete:
    """Only keys count. One that is not there fails the transaction, or is passed over if `missing_ok`."""

    set: str
    elements: Sequence[Element]
    missing_ok: bool = False


@dataclass(frozen=True, slots=True)
class Renew:
    """Have these elements, with this time and comment, whether they are there or not.

    It adds, deletes and adds, which says the same to every kernel: before 6.12 a time could not be changed.
    """

    set: str
    elements: Sequence[Element]


@dataclass(frozen=True, slots=True)
class Flush:
    """Take all elements out."""

    set: str


Change = Add | Delete | Renew | Flush


def transact(changes: Iterable[Change], held: socket | None = None) -> None:
    """Carry out all of it in the network namespace of this thread (or of a netlink socket held), or nothing.

    RefusedByKernelError says which set would not have it and why; its `error` is the errno: ENOENT where the
    table, the set or an element to delete is not there, ENFILE where the set is full, EPERM without the
    right to.
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


def _parts(change: Change) -> Iterator[_Part]:
    if isinstance(change, Flush):
        yield _Part(DELETE_ELEMENTS, change.set, ())
        return
    full = [_encoded(each) for each in change.elements]
    if isinstance(change, Add | Renew) or change.missing_ok:
        yield from _split(NEW_ELEMENTS, change.set, full)
    if isinstance(change, Delete | Renew):
        keys = [_encoded(Element(each.key, upper=each.upper, ends=each.ends)) for each in change.elements]
        yield from _split(DELETE_ELEMENTS, change.set, keys)
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


def _encoded(element: Element) -> bytes:
    """As an entry of NFTA_SET_ELEM_LIST_ELEMENTS."""
    key, timeout, expires, comment, upper, ends, data, counted = element
    body = attribute(NESTED | KEY, attribute(1, key))
    if ends:
        body += attribute(FLAGS, b"\0\0\0\1")
    if timeout is not None:
        body += attribute(TIMEOUT, _TIME.pack(timeout))
    if expires is not None:
        body += attribute(EXPIRATION, _TIME.pack(expires))
    if upper:
        body += attribute(NESTED | KEY_END, attribute(1, upper))
    if data:
        body += text(OBJECT, data) if isinstance(data, str) else attribute(NESTED | DATA, _verdict(data))
    if counted:
        body += _COUNTER
    if comment:
        body += attribute(USERDATA, commented(comment))
    return attribute(NESTED | 1, body)


def _verdict(verdict: Verdict) -> bytes:
    target = text(2, verdict.chain) if verdict.chain else b""
    return attribute(NESTED | 2, attribute(1, struct.pack(">i", verdict.code)) + target)


def commented(comment: str) -> bytes:
    """A comment as user data: its kind, its length, its bytes and a zero; cut to what there is room for."""
    words = comment.encode()[:COMMENT_LENGTH].decode(errors="ignore").encode() + b"\0"
    return bytes((0, len(words))) + words


def _error(refused: Sequence[Refusal], parts: Sequence[_Part]) -> RefusedByKernelError:
    first = next((each for each in refused if each.message is not None), refused[0])
    reason = first.words or os.strerror(first.error).lower()
    if first.message is None or first.message >= len(parts):
        return RefusedByKernelError(reason, first.error, "the kernel")
    part = parts[first.message]
    number = part.number(first.offset)
    if number is None:
        where = f"elements of `{part.set}`" if part.elements else f"flushing `{part.set}`"
    else:
        verb = "adding" if part.kind == NEW_ELEMENTS else "deleting"
        where = f"{verb} `{_shown(part.elements[number])}` in `{part.set}`"
    return RefusedByKernelError(f"{where}: {reason}", first.error, "the kernel")


def _shown(encoded: bytes) -> str:
    """The key of an element in hexadecimal, as nobody here knows its type."""
    (length,) = struct.unpack_from("=H", encoded, 8)
    return f"0x{encoded[12 : 8 + length].hex()}"
