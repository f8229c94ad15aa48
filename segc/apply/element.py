"""One element of a set or map, and its bytes for the kernel (linux/netfilter/nf_tables.h)."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

from segc.apply.netlink import NESTED, attribute, text

KEY, DATA, TIMEOUT, EXPIRATION, USERDATA, EXPRESSION, OBJECT = 1, 2, 4, 5, 6, 7, 9  # NFTA_SET_ELEM_*
TABLE = text(1, "segc")  # NFTA_*_TABLE
COMMENT_LENGTH = 127  # bytes, without the zero
_TIME = struct.Struct(">Q")
_COUNTER = attribute(NESTED | EXPRESSION, text(1, "counter"))


class Verdict(NamedTuple):
    """What a verdict map leads to (linux/netfilter.h, NFT_*)."""

    code: int
    chain: str = ""


DROP, ACCEPT = Verdict(0), Verdict(1)


def jump(chain: str) -> Verdict:
    return Verdict(-3, chain)


def goto(chain: str) -> Verdict:
    return Verdict(-4, chain)


class Element(NamedTuple):
    """One element as the kernel has it.

    `key` is in network order, but marks are in the machine's, and names of devices are sixteen bytes; the
    parts of a concatenation are padded to four bytes each (`joined`). `timeout` and `expires`, which is what
    is left of it, are in milliseconds; without `expires` all of it is left. `data` is for maps: a verdict, or
    the name of a counter or limit. Of a `counted` one the kernel counts packets.
    """

    key: bytes
    timeout: int | None = None
    expires: int | None = None
    comment: str = ""
    data: Verdict | str = ""
    counted: bool = False


def address_key(text: str) -> bytes:
    """The key of an IPv4 or IPv6 address. ValueError if it is none."""
    return ip_address(text).packed


def joined(*parts: bytes) -> bytes:
    """The key of a concatenation."""
    return b"".join(part + b"\0" * (-len(part) % 4) for part in parts)


def encoded(element: Element) -> bytes:
    """As an entry of NFTA_SET_ELEM_LIST_ELEMENTS."""
    key, timeout, expires, comment, data, counted = element
    body = attribute(NESTED | KEY, attribute(1, key))
    if timeout is not None:
        body += attribute(TIMEOUT, _TIME.pack(timeout))
    if expires is not None:
        body += attribute(EXPIRATION, _TIME.pack(expires))
    if isinstance(data, Verdict):
        body += attribute(NESTED | DATA, encoded_verdict(data))
    elif data:
        body += text(OBJECT, data)
    if counted:
        body += _COUNTER
    if comment:
        body += attribute(USERDATA, commented(comment))
    return attribute(NESTED | 1, body)


def encoded_verdict(verdict: Verdict) -> bytes:
    """As NFTA_DATA_VERDICT, for elements and for rules."""
    target = text(2, verdict.chain) if verdict.chain else b""
    return attribute(NESTED | 2, attribute(1, struct.pack(">i", verdict.code)) + target)


def commented(comment: str) -> bytes:
    """A comment as user data: its kind, its length, its bytes and a zero; cut to what there is room for."""
    words = comment.encode()[:COMMENT_LENGTH].decode(errors="ignore").encode() + b"\0"
    return bytes((0, len(words))) + words


def shown(encoded: bytes) -> str:
    """The key of an element in hexadecimal, as nobody here knows its type."""
    (length,) = struct.unpack_from("=H", encoded, 8)
    return f"0x{encoded[12 : 8 + length].hex()}"
