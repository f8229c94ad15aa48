"""Values of nft's types as intervals of numbers: addresses, ports, ICMP types, marks, times."""

from __future__ import annotations

from segc.proof.model import UnreadableError
from segc.space.addresses import BITS, read_address
from segc.space.protocols import TYPES
from segc.space.words import is_decimal, quote

FAMILY = {"ipv4_addr": 4, "ipv6_addr": 6}
HIGHEST = {"inet_service": 65535, "inet_proto": 255, "icmp_type": 255, "icmpv6_type": 255, "meta time": 2**63}
ICMP = {"icmp_type": 1, "icmpv6_type": 58}


def read_value(type_: str, text: str, line: int) -> tuple[int, int]:
    """The interval that an element or a match names. UnreadableError where there is no such value."""
    try:
        if type_ == "mark":
            return _mark(text)
        if type_ in FAMILY:
            return _addresses(FAMILY[type_], text)
        return _numbers(type_, text)
    except (ValueError, KeyError):
        raise UnreadableError(f"{quote(text)} is not understood as {type_}", line) from None


def _mark(text: str) -> tuple[int, int]:
    if len(text) != 10 or text[:2] != "0x":
        raise ValueError
    value = int(text[2:], 16)
    return value, value


def _addresses(family: int, text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    base, slash, length = first.partition("/")
    found, value = read_address(base)
    bits = BITS[family]
    if found != family or (dash and slash):
        raise ValueError
    if dash:
        found, end = read_address(last)
        if found != family or end < value:
            raise ValueError
        return value, end
    if slash and not (is_decimal(length) and int(length) <= bits):
        raise ValueError
    host = (1 << bits - int(length or bits)) - 1
    if value & host:
        raise ValueError
    return value, value | host


def _numbers(type_: str, text: str) -> tuple[int, int]:
    if type_ in ICMP and not text[0].isdigit():
        value = TYPES[ICMP[type_]][text]
        return value, value
    first, dash, last = text.partition("-")
    low, high = int(first), int(last if dash else first)
    if not (is_decimal(first) and low <= high <= HIGHEST[type_]):
        raise ValueError
    return low, high
