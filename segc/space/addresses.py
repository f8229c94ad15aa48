"""Single addresses as text and as integers.

Reading is stricter than RFC 4291 and inet_aton(3) where a text could be meant in two ways. Writing is
RFC 5952 without its dotted-quad exceptions, so it is the same on every Python.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from segc.space.words import is_decimal, quote

Address = IPv4Address | IPv6Address

BITS = {4: 32, 6: 128}
NAME = {4: "IPv4", 6: "IPv6"}
_MAPPED = 0xFFFF  # the upper 96 bits of ::ffff:0:0/96


def address(value: int, family: int) -> Address:
    """The address object of an integer; `family` is 4 or 6."""
    return IPv4Address(value) if family == 4 else IPv6Address(value)


def address_text(value: int, family: int) -> str:
    if family == 4:
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    groups = "".join(f":{value >> shift & 0xFFFF:x}" for shift in range(112, -1, -16)) + ":"
    zeros = max(re.findall(r"(?::0){2,}:", groups), key=len, default=None)
    text = groups.replace(zeros, "::", 1) if zeros else groups
    return text[0 if text.startswith("::") else 1 : None if text.endswith("::") else -1]


def read_address(text: str) -> tuple[int, int]:
    """(family, value) of one address. ValueError says in a sentence for users what is wrong."""
    if not text:
        raise ValueError("an address is missing")
    if ":" in text:
        return 6, _read_v6(text)
    if not re.match(r"[0-9.]", text):
        raise ValueError(f"{quote(text)} is not an address")
    return 4, _read_v4(text)


def _read_v4(text: str) -> int:
    parts = text.split(".")
    wrong = f"{quote(text)} is not an IPv4 address"
    if len(parts) != 4:
        raise ValueError(f"{wrong}: it needs 4 parts, not {len(parts)}")
    for part in parts:
        if reason := _wrong_octet(part):
            raise ValueError(f"{wrong}: {reason}")
    return sum(int(part) << shift for part, shift in zip(parts, (24, 16, 8, 0), strict=True))


def _wrong_octet(part: str) -> str:
    if not part:
        return "a part of it is empty"
    if not is_decimal(part):
        return f"{quote(part)} is not a number"
    if part[0] == "0" and part != "0":
        return f"{quote(part)} has a leading zero, which some programs read as octal"
    if len(part) > 3 or int(part) > 255:
        return f"{part if len(part) < 10 else quote(part)} is over 255"
    return ""


def _read_v6(text: str) -> int:
    if "%" in text:
        bare = text.split("%")[0]
        raise ValueError(f"{quote(text)} has a zone id: write {quote(bare)}")
    if reason := _wrong_v6(text):
        raise ValueError(f"{quote(text)} is not an IPv6 address: {reason}")
    value = int(IPv6Address(text))
    if value >> 32 == _MAPPED:
        v4 = address_text(value & 0xFFFFFFFF, 4)
        raise ValueError(f"{quote(text)} is an IPv4 address written as IPv6: write `{v4}`")
    return value


def _wrong_v6(text: str) -> str:
    """What keeps `text` from being an address by RFC 4291, or nothing."""
    head, _, tail = text.rpartition(":")
    if "." in tail:
        try:
            _read_v4(tail)
        except ValueError as error:
            return str(error)
        text = f"{head}:0:0"
    if ":::" in text or text.count("::") > 1:
        return "`::` can stand in it only once"
    short = "::" in text
    groups = [group for half in text.split("::") for group in (half.split(":") if half else ())]
    if "" in groups:
        return "it starts or ends with a single `:`"
    for group in groups:
        if not re.fullmatch(r"[0-9A-Fa-f]{1,4}", group):
            return f"{quote(group)} is not a group of 1 to 4 hexadecimal digits"
    if len(groups) > 8 - short:
        return f"it has {len(groups)} groups{' beside `::`' if short else ', not 8'}"
    return "" if short or len(groups) == 8 else f"it has {len(groups)} groups, not 8"
