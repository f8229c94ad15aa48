"""Packets as bytes: building probes that can be told apart, and recognising them wherever they turn up.

Every probe carries an identity, a 32-bit number with IDENT in its top byte: the sequence number of a TCP
SYN, the initiate tag of an SCTP INIT, and behind TAG in the payload of everything else.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

ICMP, TCP, UDP, DCCP, GRE, AH, ICMPV6, SCTP, UDPLITE, EXPERIMENTAL = 1, 6, 17, 33, 47, 51, 58, 132, 136, 253
NUMBERS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "gre": GRE, "icmpv6": ICMPV6, "sctp": SCTP}
ECHO = {ICMP: (8, 0), ICMPV6: (128, 129)}
PORTED = frozenset({TCP, UDP, DCCP, SCTP, UDPLITE})
TRACKED = PORTED - {DCCP}  # by their ports: of DCCP, newer kernels track none

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

IDENT = 0x5E000000
IDENT_MASK = 0xFF000000
# As the first bytes of a neighbour discovery option these read: experimental type 253, 8 bytes (RFC 4727).
TAG = b"\xfd\x01sG"
QUOTED_TAG = b"\xfd\x01sQ"

ERRORS = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset({1, 2, 3, 4})}
UNREACHABLE = {ICMP: 3, ICMPV6: 1}
# Where the options of an ICMPv6 message begin, counted from its type (RFC 4861, RFC 2710).
OPTIONS_AT = {130: 24, 131: 24, 132: 24, 134: 16, 135: 24, 136: 24, 137: 40}


@dataclass(frozen=True, slots=True)
class Probe:
    """One packet to try: where it enters, what it says.

    `interface` is the gateway interface it arrives on, or None for a packet that the gateway itself sends.
    `protocol` is a number or a name of NUMBERS; `value` a destination port, or an ICMP type with `code`.
    `source_port` is chosen to be unique where it is None.
    """

    interface: str | None
    src: str
    dst: str
    protocol: int | str
    value: int = 0
    code: int = 0
    source_port: int | None = None

    @property
    def number(self) -> int:
        return NUMBERS[self.protocol] if isinstance(self.protocol, str) else self.protocol


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet as seen on the wire. Ports are 0 where the protocol has none; for ICMP `type`, `code`."""

    src: str
    dst: str
    protocol: int
    sport: int
    dport: int
    flags: int
    seq: int
    ack: int
    type: int
    code: int
    payload: bytes


class Sighting(NamedTuple):
    """A probe recognised in a packet: itself, or (`answer`) what the refusal of it said."""

    ident: int
    answer: str = ""


@lru_cache(maxsize=1 << 16)
def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data: bytes, extra: int = 0) -> int:
    """The Internet checksum (RFC 1071): 16-bit words add up modulo 65535. Never 0, as UDP wants it."""
    if len(data) % 2:
        data += b"\0"
    return 0xFFFF - (int.from_bytes(data, "big") + extra) % 0xFFFF


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C = _crc32c_table()


def crc32c(data: bytes) -> int:
    """CRC-32C as SCTP uses it (RFC 9260, appendix A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _CRC32C[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def ip(src: bytes, dst: bytes, protocol: int, body: bytes, hops: int = 64) -> bytes:
    """An IPv4 or IPv6 packet, by the length of the packed addresses."""
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, hops) + src + dst + body
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, hops, protocol, 0, src, dst)
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def summed(src: bytes, dst: bytes, protocol: int, body: bytes, at: int) -> bytes:
    """`body` with the checksum over it and its pseudo header filled in at offset `at`."""
    extra = int.from_bytes(src + dst, "big") + protocol + len(body)
    return body[:at] + checksum(body, extra).to_bytes(2, "big") + body[at + 2 :]


def tcp(
    src: bytes, dst: bytes, sport: int, dport: int, seq: int, ack: int, flags: int, data: bytes = b""
) -> bytes:
    """A TCP packet with a full-sized window and no options."""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0)
    return ip(src, dst, TCP, summed(src, dst, TCP, head + data, 16))


def udp(src: bytes, dst: bytes, sport: int, dport: int, data: bytes, protocol: int = UDP) -> bytes:
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return ip(src, dst, protocol, summed(src, dst, protocol, head + data, 6))


def sctp_init(src: bytes, dst: bytes, sport: int, dport: int, tag: int) -> bytes:
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, tag, 65535, 1, 1, tag)
    crc = crc32c(struct.pack("!HHII", sport, dport, 0, 0) + chunk)
    return ip(src, dst, SCTP, struct.pack("!HHI", sport, dport, 0) + struct.pack("<I", crc) + chunk)


def dccp_request(src: bytes, dst: bytes, sport: int, dport: int, data: bytes) -> bytes:
    """A DCCP-Request with sequence number 1 and no service code (RFC 4340, 5.1 and 5.2)."""
    head = struct.pack("!HHBBHBBHII", sport, dport, 5, 0, 0, 1, 0, 0, 1, 0)
    return ip(src, dst, DCCP, summed(src, dst, DCCP, head + data, 6))


def icmp(src: bytes, dst: bytes, kind: int, code: int, rest: bytes, data: bytes) -> bytes:
    """An ICMP or ICMPv6 packet; `rest` are the 4 bytes behind the checksum. Hop limit 255, as ND wants."""
    body = struct.pack("!BBH", kind, code, 0) + rest + data
    if len(src) == 16:
        return ip(src, dst, ICMPV6, summed(src, dst, ICMPV6, body, 2), 255)
    return ip(src, dst, ICMP, body[:2] + checksum(body).to_bytes(2, "big") + body[4:], 64)


def icmp_probe(src: bytes, dst: bytes, kind: int, code: int, identifier: int, ident: int) -> bytes:
    protocol = ICMPV6 if len(src) == 16 else ICMP
    tag = ident.to_bytes(4, "big")
    if kind in ERRORS[protocol]:
        quoted = udp(dst, src, 9, 9, QUOTED_TAG + tag)
        return icmp(src, dst, kind, code, bytes(4), quoted)
    if protocol == ICMPV6 and kind in OPTIONS_AT:
        return icmp(src, dst, kind, code, bytes(4), (dst + bytes(16))[: OPTIONS_AT[kind] - 8] + TAG + tag)
    return icmp(src, dst, kind, code, struct.pack("!HH", identifier, 1), TAG + tag)


def checked(src: bytes, dst: bytes, protocol: int, tag: bytes) -> bytes:
    """The body of a packet of a protocol without ports. The kernel refuses (`reject`) one that it does not
    know only if its Internet checksum holds, over the pseudo header too in IPv6."""
    body = tag + bytes(4)
    return (
        summed(src, dst, protocol, body, 8) if len(src) == 16 else tag + struct.pack("!HH", checksum(body), 0)
    )


def build(probe: Probe, ident: int, sport: int) -> bytes:
    """The IP packet of a probe. `ident` names it, `sport` is its source port (or ICMP identifier)."""
    src, dst, number = packed(probe.src), packed(probe.dst), probe.number
    tag = TAG + ident.to_bytes(4, "big")
    if number == TCP:
        return tcp(src, dst, sport, probe.value, ident, 0, SYN)
    if number == DCCP:
        return dccp_request(src, dst, sport, probe.value, tag)
    if number in (UDP, UDPLITE):
        return udp(src, dst, sport, probe.value, tag, number)
    if number == (ICMPV6 if len(src) == 16 else ICMP):
        return icmp_probe(src, dst, probe.value, probe.code, sport, ident)
    if number == SCTP:
        return sctp_init(src, dst, sport, probe.value, ident)
    if number == GRE:
        return ip(src, dst, GRE, b"\0\0\x88\xb5" + tag)
    if number == AH:
        inside = checked(src, dst, EXPERIMENTAL, tag)
        return ip(src, dst, AH, struct.pack("!BBHIII", EXPERIMENTAL, 2, 0, ident, 1, 0) + inside)
    return ip(src, dst, number, checked(src, dst, number, tag))


def _ours(value: int) -> int | None:
    return value if value & IDENT_MASK == IDENT else None


def _tagged(data: bytes, at: int, tag: bytes = TAG) -> int | None:
    if data[at : at + 4] != tag:
        return None
    return int.from_bytes(data[at + 4 : at + 8], "big")


def transport(data: bytes, at: int = 0) -> tuple[int, int]:
    """Protocol number and offset of the transport header of the IP packet that begins at `at`."""
    if data[at] >> 4 == 6:
        return data[at + 6], at + 40
    return data[at + 9], at + (data[at] & 15) * 4


def identity(data: bytes, protocol: int, at: int) -> int | None:
    """The identity of the probe whose transport header begins at `at`, None if it is no probe."""
    if protocol == TCP:
        return _ours(int.from_bytes(data[at + 4 : at + 8], "big"))
    if protocol == SCTP:
        return _ours(int.from_bytes(data[at + 16 : at + 20], "big"))
    if protocol == GRE:
        return _tagged(data, at + 4)
    if protocol == AH:
        return _tagged(data, at + 16)
    if protocol == DCCP:
        return _tagged(data, at + 20)
    if protocol in (UDP, UDPLITE):
        return _tagged(data, at + 8)
    if protocol not in ERRORS:
        return _tagged(data, at)
    kind = data[at]
    if kind in ERRORS[protocol] and len(data) > at + 8:
        return _tagged(data, transport(data, at + 8)[1] + 8, QUOTED_TAG)
    return _tagged(data, at + (OPTIONS_AT.get(kind, 8) if protocol == ICMPV6 else 8))


def recognise(data: bytes, protocol: int, at: int) -> Sighting | None:
    """Which probe a packet is, or refuses: a TCP reset, or an ICMP unreachable that quotes it."""
    if protocol == TCP and data[at + 13] & RST:
        ident = _ours(int.from_bytes(data[at + 8 : at + 12], "big") - 1)
        return None if ident is None else Sighting(ident, "tcp reset")
    if protocol in UNREACHABLE and UNREACHABLE[protocol] == data[at] and len(data) > at + 8:
        inner, inner_at = transport(data, at + 8)
        ident = identity(data, inner, inner_at)
        if ident is not None:
            return Sighting(ident, f"{'icmp' if protocol == ICMP else 'icmpv6'} {data[at]}/{data[at + 1]}")
    ident = identity(data, protocol, at)
    return None if ident is None else Sighting(ident)


def parse(data: bytes) -> Packet:
    """An IP packet taken apart."""
    version = data[0] >> 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    src, dst = (data[8:24], data[24:40]) if version == 6 else (data[12:16], data[16:20])
    protocol, at = transport(data)
    total = 40 + int.from_bytes(data[4:6], "big") if version == 6 else int.from_bytes(data[2:4], "big")
    body = data[at:total]
    sport = dport = flags = seq = ack = kind = code = 0
    payload = body
    if protocol in PORTED:
        sport, dport = struct.unpack_from("!HH", body)
        payload = body[8:]
    if protocol == TCP:
        seq, ack, offset, flags = struct.unpack_from("!IIBB", body, 4)
        payload = body[(offset >> 4) * 4 :]
    elif protocol in ERRORS:
        kind, code = body[0], body[1]
        payload = body[8:]
    names = socket.inet_ntop(family, src), socket.inet_ntop(family, dst)
    return Packet(*names, protocol, sport, dport, flags, seq, ack, kind, code, payload)
