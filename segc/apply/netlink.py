"""Netlink by hand: messages and attributes, and nf_tables' batches, each of which is one transaction.

Sources: linux/netlink.h, linux/netfilter/nfnetlink.h, and net/netfilter/nfnetlink.c for what it answers.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import NamedTuple

NETLINK_NETFILTER = 12
REQUEST, ACK, DUMP = 1, 4, 0x300
CREATE = 0x400
ERROR, DONE = 2, 3
NESTED, TYPE_MASK = 0x8000, 0x3FFF
HEADER = 20  # bytes of a netlink header with a netfilter header behind it
BUFFER = 1 << 20

NF_TABLES = 10
BEGIN, END = 0x10, 0x11  # NFNL_MSG_BATCH_*
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_SNDBUFFORCE, _RCVBUFFORCE = 32, 33
_CAPPED, _TLVS = 0x100, 0x200  # flags of an answer
_MSG, _OFFSET = 1, 2  # NLMSGERR_ATTR_*
_ATTRIBUTE, _PADDING = struct.Struct("=HH"), (b"", b"\0\0\0", b"\0\0", b"\0")
_AN_ANSWER = 1 << 10  # bytes that the kernel accounts for one, with room to spare


class Message(NamedTuple):
    """Of nf_tables: its type, and flags beside REQUEST and ACK."""

    kind: int
    flags: int
    body: bytes


class Refusal(NamedTuple):
    """Which message the kernel did not take; None for the batch as a whole.

    `offset` is where in the message's body the attribute begins that it names, -1 where it names none.
    """

    message: int | None
    error: int
    words: str
    offset: int


def open_netlink() -> socket.socket:
    """In the network namespace of this thread."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)


def message(
    kind: int, flags: int, body: bytes, family: int = 0, sequence: int = 1, resource: int = 0
) -> bytes:
    head = struct.pack("=IHHIIBB", HEADER + len(body), kind, flags, sequence, 0, family, 0)
    return head + resource.to_bytes(2, "big") + body


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The type of each, and what follows its netlink header."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        yield kind, data[16:length]
        data = data[length + 3 & ~3 :]


def attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + _PADDING[length & 3]


def text(kind: int, value: str) -> bytes:
    """A string, ended by a zero as the kernel wants it."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """By type; the last one where there are several."""
    return dict(each_attribute(data))


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & TYPE_MASK, data[4:length]
        data = data[max(4, length + 3 & ~3) :]


def dump(kind: int, body: bytes, family: int = 0) -> Iterator[bytes]:
    """What follows the netlink header of each answer. OSError where the kernel does not know it."""
    with open_netlink() as netlink:
        netlink.send(message(kind, REQUEST | DUMP, body, family))
        while True:
            for answer, content in messages(netlink.recv(BUFFER)):
                if answer == DONE:
                    return
                if answer == ERROR:
                    check(content)
                else:
                    yield content


def check(answer: bytes) -> None:
    """OSError where an answer of the type ERROR tells of one."""
    (error,) = struct.unpack_from("=i", answer)
    if error:
        raise OSError(-error, os.strerror(-error))


def send_batch(batch: Sequence[Message], family: int, held: socket.socket | None = None) -> list[Refusal]:
    """Have nf_tables carry out all of it as one transaction; what it refused. If anything, it did nothing.

    The kernel answers before sendmsg(2) returns, so what is not there by then will never be. Who sends many
    holds one socket open: when one is closed, the kernel first waits until all that was deleted is freed.
    """
    framed = [message(BEGIN, REQUEST, b"", sequence=0, resource=NF_TABLES)]
    for number, each in enumerate(batch, start=1):
        flags = REQUEST | ACK | each.flags
        framed.append(message(NF_TABLES << 8 | each.kind, flags, each.body, family, number))
    framed.append(message(END, REQUEST, b"", sequence=len(batch) + 1, resource=NF_TABLES))
    data = b"".join(framed)
    with nullcontext(held) if held else open_netlink() as netlink:
        for option in (_CAP_ACK, _EXT_ACK):
            netlink.setsockopt(_SOL_NETLINK, option, 1)
        _room(netlink, _SNDBUFFORCE, socket.SO_SNDBUF, len(data) + BUFFER)
        _room(netlink, _RCVBUFFORCE, socket.SO_RCVBUF, len(batch) * _AN_ANSWER + BUFFER)
        netlink.send(data)
        answers = dict(_answers(netlink))
    refused = [each for each in answers.values() if each.error]
    if not refused and any(number not in answers for number in range(1, len(batch) + 1)):
        raise OSError("the kernel left part of a transaction unanswered")
    return refused


def _room(netlink: socket.socket, force: int, option: int, size: int) -> None:
    """A buffer of this size, also beyond the system's limit where that is allowed."""
    try:
        netlink.setsockopt(socket.SOL_SOCKET, force, size)
    except PermissionError:
        netlink.setsockopt(socket.SOL_SOCKET, option, size)


def _answers(netlink: socket.socket) -> Iterator[tuple[int, Refusal]]:
    """By the number of the message."""
    with suppress(BlockingIOError):
        while data := netlink.recv(BUFFER, socket.MSG_DONTWAIT):
            while len(data) >= 36:
                length, kind, flags = struct.unpack_from("=IHH", data)
                if kind == ERROR:
                    yield _answer(data[:length], flags)
                data = data[length + 3 & ~3 :]


def _answer(data: bytes, flags: int) -> tuple[int, Refusal]:
    error, size, _, _, number = struct.unpack_from("=iIHHI", data, 16)
    start = 36 if flags & _CAPPED or not error else 20 + (size + 3 & ~3)
    more = attributes(data[start:]) if flags & _TLVS else {}
    offset = struct.unpack("=I", more[_OFFSET])[0] - HEADER if _OFFSET in more else -1
    words = more.get(_MSG, b"").rstrip(b"\0").decode(errors="replace")
    return number, Refusal(number - 1 if number else None, -error, words, offset)
