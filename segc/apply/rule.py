"""Rules of the simplest kind: ports of a protocol that are counted, and where they lead. With their bytes for
the kernel (linux/netfilter/nf_tables.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from segc.apply.element import TABLE, commented, encoded_verdict, goto
from segc.apply.netlink import CREATE, NESTED, Message, attribute, text
from segc.space.protocols import PORT_PROTOCOLS

NEW_RULE, DELETE_RULE = 6, 8  # NFT_MSG_*
APPEND = 0x800  # NLM_F_APPEND
IN_CHAIN, EXPRESSIONS, USERDATA = 2, 4, 7  # NFTA_RULE_*
VERDICT, REGISTER = 0, 1  # NFT_REG_VERDICT, NFT_REG_1
L4PROTO, TRANSPORT = 16, 2  # NFT_META_L4PROTO, NFT_PAYLOAD_TRANSPORT_HEADER
DESTINATION_PORT, PORT_LENGTH = 2, 2  # bytes
EQUAL, AT_MOST, AT_LEAST = 0, 3, 5  # NFT_CMP_*
COUNTER = 1  # NFT_OBJECT_*


class Ports(NamedTuple):
    """What `tcp dport 8000-8100 counter name "flow_x"` matches and counts: both ends are included, and the
    protocol is one of PORT_PROTOCOLS."""

    protocol: str
    first: int
    last: int
    counter: str


class AddRule(NamedTuple):
    """A rule behind those that `chain` of `table inet segc` has; without `ports` it is for every packet."""

    chain: str
    ports: Ports | None
    target: str
    comment: str = ""

    def message(self) -> Message:
        body = TABLE + text(IN_CHAIN, self.chain)
        body += attribute(NESTED | EXPRESSIONS, b"".join(self._expressions()))
        if self.comment:
            body += attribute(USERDATA, commented(self.comment))
        return Message(NEW_RULE, CREATE | APPEND, body)

    def _expressions(self) -> Iterator[bytes]:
        if self.ports:
            yield from _matching(self.ports)
        yield _expression(
            "immediate", _u32(1, VERDICT), attribute(NESTED | 2, encoded_verdict(goto(self.target)))
        )

    def __str__(self) -> str:
        return f"adding a rule to `{self.chain}`"


class FlushChain(NamedTuple):
    """A chain without its rules."""

    chain: str

    def message(self) -> Message:
        return Message(DELETE_RULE, 0, TABLE + text(IN_CHAIN, self.chain))

    def __str__(self) -> str:
        return f"flushing chain `{self.chain}`"


def _matching(ports: Ports) -> Iterator[bytes]:
    yield _expression("meta", _u32(1, REGISTER), _u32(2, L4PROTO))
    yield _compared(EQUAL, bytes((PORT_PROTOCOLS[ports.protocol],)))
    where = _u32(2, TRANSPORT), _u32(3, DESTINATION_PORT), _u32(4, PORT_LENGTH)
    yield _expression("payload", _u32(1, REGISTER), *where)
    if ports.first == ports.last:
        yield _compared(EQUAL, struct.pack(">H", ports.first))
    else:
        yield _compared(AT_LEAST, struct.pack(">H", ports.first))
        yield _compared(AT_MOST, struct.pack(">H", ports.last))
    yield _expression("objref", _u32(1, COUNTER), text(2, ports.counter))


def _compared(how: int, value: bytes) -> bytes:
    return _expression("cmp", _u32(1, REGISTER), _u32(2, how), attribute(NESTED | 3, attribute(1, value)))


def _expression(name: str, *parts: bytes) -> bytes:
    return attribute(NESTED | 1, text(1, name) + attribute(NESTED | 2, b"".join(parts)))


def _u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value))
