"""Real packets through a loaded ruleset: what passed, what was refused, what vanished.

    interfaces = {"lan0.10": InterfaceSpec(["10.10.10.1/24"]), "wan0": InterfaceSpec(default=True)}
    with Gateway(interfaces) as gateway:
        gateway.load(ruleset)
        outcomes = gateway.probe([Probe("lan0.10", "10.10.10.7", "192.0.2.1", "tcp", 443)])

A batch is loss-free and in order by construction: the sender is pinned to one CPU, whose backlog is a queue,
and after every hundred packets or so a sentinel over links of its own is waited for, twice, since a
probe crosses two links. No sleeping, no guessing how long a packet may take.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import count
from types import TracebackType
from typing import NamedTuple

from tests.netns import sockets, wire
from tests.netns.namespace import Namespace, NotThrowawayError, ip_batch, nft, run
from tests.netns.topology import SENTINEL_IN, SENTINEL_OUT, InterfaceSpec, Link, host_lines, raise_gateway
from tests.netns.wire import Packet, Probe

__all__ = [
    "Arrival", "Gateway", "InterfaceSpec", "Namespace", "NotThrowawayError", "Outcome", "Packet", "Probe",
    "Verdict", "run",
]  # fmt: skip

CHUNK = 128
EPOCH = 8000
ROUNDS = 10
LOCAL = "local"
Stage = Callable[[Namespace, Namespace, Mapping[str, InterfaceSpec]], dict[str, Link]]
NO_LISTENER = (0, 255)  # raw sockets cannot be opened for these, so their delivery goes unseen
_ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}


class Verdict(Enum):
    FORWARDED = "forwarded"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    DROPPED = "dropped"


class Arrival(NamedTuple):
    """A packet that came out: on a gateway interface's far side, or at the gateway itself (`LOCAL`).

    `data` begins at the IP header; for IPv6 at the gateway itself, where the kernel gives none away, at the
    transport header.
    """

    interface: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a probe.

    `interface` is where it came out (forwarded) or where the refusal came back (rejected); `answer` is that
    refusal: `tcp reset`, `icmp 3/13`, `icmpv6 1/1`.
    """

    verdict: Verdict
    interface: str = ""
    answer: str = ""
    data: bytes = b""

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.FORWARDED or self.verdict is Verdict.DELIVERED

    @property
    def seen(self) -> Packet:
        """The packet as it came out, addresses and ports after translation. Only for forwarded ones."""
        return wire.parse(self.data)


DROPPED = Outcome(Verdict.DROPPED)
_RANK = {Verdict.DROPPED: 0, Verdict.REJECTED: 1, Verdict.FORWARDED: 2, Verdict.DELIVERED: 3}


def _epochs(probes: Sequence[Probe], numbers: Iterable[int]) -> Iterator[list[int]]:
    """Groups of probes that cannot be each other's return traffic. Ports are kept apart by `_ports`; where
    there are none, or the caller chose them, the two directions go in different groups."""
    groups: list[list[int]] = [[], [], []]
    for i in numbers:
        probe = probes[i]
        if probe.source_port is None and (probe.number in wire.TRACKED or probe.number in wire.ERRORS):
            groups[0].append(i)
        else:
            groups[1 if wire.packed(probe.src) < wire.packed(probe.dst) else 2].append(i)
    for group in groups:
        for start in range(0, len(group), EPOCH):
            yield group[start : start + EPOCH]


def _ports(probes: Iterable[Probe]) -> Iterator[int]:
    """Source ports for an epoch: each once, and none that any of its probes is sent to."""
    taken = {probe.value for probe in probes}
    return (port for port in range(20000, 65536) if port not in taken)


class Gateway:
    """A gateway in a namespace of its own, and everything beyond its interfaces in another."""

    def __init__(self, interfaces: Mapping[str, InterfaceSpec], raised: Stage = raise_gateway) -> None:
        self.interfaces = dict(interfaces)
        self.namespace = Namespace.create("gateway")
        self.outside = Namespace.create("outside")
        self.links: dict[str, Link] = raised(self.namespace, self.outside, interfaces)
        self._hosts: list[Namespace] = []
        self._count = 0
        self._taps = {name: self._open_tap(name) for name in self.links}
        self._sentinels = self.outside.call(lambda: (sockets.tap(SENTINEL_OUT), sockets.tap(SENTINEL_IN)))
        self._sentinels[1].setblocking(True)
        self._sentinels[1].settimeout(1)
        self._frames = count()
        self._listeners: dict[tuple[int, int], socket.socket] = {}
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        self._emitters = self.namespace.call(lambda: {v: sockets.emitter(f) for v, f in families.items()})
        self._conntrack = self.namespace.call(sockets.conntrack_socket)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        taps = (*self._taps.values(), *self._listeners.values(), *self._emitters.values())
        for each in (*taps, *self._sentinels, self._conntrack):
            each.close()
        for namespace in (*self._hosts, self.outside, self.namespace):
            namespace.close()

    def _open_tap(self, interface: str) -> socket.socket:
        return self.outside.call(partial(sockets.tap, self.links[interface].peer))

    def attach(self, interface: str, *addresses: str) -> Namespace:
        """Put a real host with these addresses (no prefix length) beyond the interface, for real programs.

        From then on the interface's far side is that host: nothing can be probed there any more.
        """
        link = self.links[interface]
        self._taps.pop(interface).close()
        host = Namespace.create(addresses[0])
        self._hosts.append(host)
        self.outside.call(partial(ip_batch, [f"link set {link.peer} netns {host.path}"]))
        host.call(partial(ip_batch, list(host_lines(link, addresses))))
        return host

    def load(self, ruleset: str) -> None:
        """Load nftables text into the gateway. ValueError with nft's words if it refuses."""
        self.namespace.call(partial(nft, ruleset))

    def flush_conntrack(self) -> None:
        """Forget every connection of the gateway."""
        sockets.flush_conntrack(self._conntrack)

    def probe(self, probes: Sequence[Probe]) -> list[Outcome]:
        """Send every probe as the first packet of a connection of its own; their outcomes, in order.

        Connections known before are forgotten. KeyError for an interface the gateway does not have.
        """
        outcomes = [DROPPED] * len(probes)
        self._listen({(6 if ":" in p.dst else 4, p.number) for p in probes})
        todo = list(range(len(probes)))
        with sockets.one_cpu():
            for _ in range(ROUNDS):
                drops = sockets.backlog_drops()
                self._probe_once(probes, todo, outcomes)
                if sockets.backlog_drops() == drops:
                    return outcomes
                # Something on this machine overflowed a queue that these packets share: ask again.
                todo = [i for i in todo if outcomes[i].verdict is Verdict.DROPPED]
        raise RuntimeError("the kernel's packet backlog overflows all the time on this machine")

    def _probe_once(self, probes: Sequence[Probe], numbers: list[int], outcomes: list[Outcome]) -> None:
        for epoch in _epochs(probes, numbers):
            self.flush_conntrack()
            ports = _ports(probes[i] for i in epoch)
            for start in range(0, len(epoch), CHUNK):
                chunk = epoch[start : start + CHUNK]
                idents = self._idents(len(chunk))
                for i, ident in zip(chunk, idents, strict=True):
                    probe = probes[i]
                    sport = next(ports) if probe.source_port is None else probe.source_port
                    self._send(probe.interface, wire.build(probe, ident, sport), probe.dst)
                self._settle()
                self._judge(dict(zip(idents, chunk, strict=True)), probes, outcomes)

    def _idents(self, count: int) -> range:
        if self._count + count > ~wire.IDENT_MASK & 0xFFFFFFFF:
            self._count = 0
        first = wire.IDENT + self._count
        self._count += count
        return range(first, first + count)

    def _judge(self, chunk: Mapping[int, int], probes: Sequence[Probe], outcomes: list[Outcome]) -> None:
        for interface, data, protocol, at in self._drain():
            sighting = wire.recognise(data, protocol, at)
            number = None if sighting is None else chunk.get(sighting.ident)
            if sighting is None or number is None:
                continue
            if sighting.answer:
                if interface != (probes[number].interface or LOCAL):
                    continue
                outcome = Outcome(Verdict.REJECTED, interface, sighting.answer, data)
            elif interface == LOCAL:
                outcome = Outcome(Verdict.DELIVERED, interface, "", data)
            else:
                outcome = Outcome(Verdict.FORWARDED, interface, "", data)
            if _RANK[outcome.verdict] > _RANK[outcomes[number].verdict]:
                outcomes[number] = outcome

    def exchange(self, interface: str | None, packet: bytes) -> list[Arrival]:
        """Send one IP packet into the gateway (or, with None, out of it): all that came of it, in order.

        Connections are kept, so a test can hold a conversation packet by packet.
        """
        protocol, _ = wire.transport(packet)
        version = packet[0] >> 4
        self._listen({(version, protocol)})
        packed = packet[24:40] if version == 6 else packet[16:20]
        destination = socket.inet_ntop(socket.AF_INET6 if version == 6 else socket.AF_INET, packed)
        for _ in self._drain():  # what came by before, such as multicast reports of the gateway
            pass
        with sockets.one_cpu():
            self._send(interface, packet, destination)
            self._settle()
        return [Arrival(name, data) for name, data, _, _ in self._drain()]

    def _send(self, interface: str | None, packet: bytes, destination: str) -> None:
        version = packet[0] >> 4
        if interface is not None:
            self._taps[interface].send(self.links[interface].header + _ETHERTYPE[version] + packet)
            return
        try:
            self._emitters[version].sendto(packet, (destination, 0))
        except PermissionError:  # how the output hook says that it dropped the packet
            return

    def _settle(self) -> None:
        """Return once every packet sent so far is where it ends. Three rounds: two links and one answer."""
        for _ in range(3):
            self._pass_by(next(self._frames).to_bytes(46, "big"))

    def _pass_by(self, content: bytes) -> None:
        """Send a frame after all others until it has come; a machine under load may lose one."""
        frame = b"\x02" + bytes(11) + b"\x88\xb5" + content
        for _ in range(60):
            self._sentinels[0].send(frame)
            with suppress(TimeoutError):
                while not self._sentinels[1].recv(2048).startswith(frame):
                    pass
                return
        raise TimeoutError("no frame gets through")

    def _listen(self, wanted: Iterable[tuple[int, int]]) -> None:
        always = {(4, wire.ICMP), (6, wire.ICMPV6), (4, wire.TCP), (6, wire.TCP)}
        for version, protocol in {*wanted, *always} - self._listeners.keys():
            if protocol in NO_LISTENER:
                continue
            family = socket.AF_INET6 if version == 6 else socket.AF_INET
            self._listeners[version, protocol] = self.namespace.call(
                partial(sockets.listener, family, protocol)
            )

    def _drain(self) -> Iterator[tuple[str, bytes, int, int]]:
        """Everything received: interface, data, and the protocol and offset of its transport header."""
        for (version, protocol), listener in self._listeners.items():
            for data in sockets.received("the gateway", listener):
                yield (LOCAL, data, protocol, 0) if version == 6 else (LOCAL, data, *wire.transport(data))
        for name, tap in self._taps.items():
            for frame in sockets.received(name, tap):
                if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
                    data = frame[14:]
                    yield (name, data, *wire.transport(data))
