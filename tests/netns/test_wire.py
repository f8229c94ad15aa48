"""Packets as bytes, against values published elsewhere and against the kernel's own reading."""

from __future__ import annotations

import pytest

from tests.netns import wire
from tests.netns.wire import Probe, Sighting


def test_checksums_of_the_standards() -> None:
    assert wire.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # RFC 1071, section 3
    assert wire.crc32c(b"123456789") == 0xE3069283
    assert wire.crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4


Kind = tuple[int | str, int]
COMMON: list[Kind] = [("tcp", 80), ("udp", 53), ("sctp", 9), (136, 9), (47, 0), (51, 0), (99, 0)]
ICMP_TYPES = (0, 1, 2, 3, 4, 5, 8, 11, 128, 130, 133, 134, 135, 136, 137, 143, 255)
PROBES = [
    Probe("x", src, dst, protocol, value)
    for src, dst, icmp in (("10.0.0.1", "10.0.1.2", 1), ("2001:db8::1", "2001:db8:1::2", 58))
    for protocol, value in [*COMMON, *((icmp, kind) for kind in ICMP_TYPES)]
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: f"{p.src}-{p.protocol}-{p.value}")
def test_a_probe_is_recognised_alone_and_in_a_refusal(probe: Probe) -> None:
    packet = wire.build(probe, wire.IDENT + 77, 20001)
    assert wire.recognise(packet, *wire.transport(packet)) == Sighting(wire.IDENT + 77)
    six = ":" in probe.src
    gateway = wire.packed("fe80::1" if six else "10.0.0.254")
    kind, code, word = (1, 1, "icmpv6") if six else (3, 13, "icmp")
    refusal = wire.icmp(gateway, wire.packed(probe.src), kind, code, bytes(4), packet)
    assert wire.recognise(refusal, *wire.transport(refusal)) == Sighting(
        wire.IDENT + 77, f"{word} {kind}/{code}"
    )
    redirect = wire.icmp(
        gateway, wire.packed(probe.src), 137 if six else 5, 0, bytes(4), bytes(32 * six) + packet
    )
    assert wire.recognise(redirect, *wire.transport(redirect)) is None


def test_strangers_are_not_recognised() -> None:
    a, b = wire.packed("10.0.0.1"), wire.packed("10.0.0.2")
    for packet in (
        wire.tcp(a, b, 1, 2, 3, 4, wire.SYN),
        wire.udp(a, b, 1, 2, b"hello, world"),
        wire.ip(a, b, 99, b""),
    ):
        assert wire.recognise(packet, *wire.transport(packet)) is None


def test_parse_reads_what_was_built() -> None:
    a, b = wire.packed("2001:db8::1"), wire.packed("2001:db8::2")
    seen = wire.parse(wire.tcp(a, b, 1000, 443, 7, 8, wire.SYN | wire.ACK, b"data"))
    assert (seen.src, seen.dst, seen.sport, seen.dport) == ("2001:db8::1", "2001:db8::2", 1000, 443)
    assert (seen.seq, seen.ack, seen.flags, seen.payload) == (7, 8, wire.SYN | wire.ACK, b"data")
