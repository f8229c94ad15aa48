"""What a packet costs on its way through a gateway, the first of a connection or a later one, in nanoseconds.

Packets of distinct flows are handed to the kernel by `sendmmsg` on the far end of a veth; the kernel
carries each through conntrack, the forward chain and out of another veth before the call returns, so the
time of the call is the time of the path. Every batch of packets is sent in several rounds, on one CPU, and
the least that each took is summed: whatever else the machine did met single batches, not all of them.
"""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.netns import wire
from tests.netns.harness import _ETHERTYPE, Gateway, InterfaceSpec
from tests.netns.wire import Probe

BATCH = 500


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("iov", ctypes.POINTER(_Iovec)),
        ("iov_length", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("sent", ctypes.c_uint32), ("padding", ctypes.c_uint32),
    )  # fmt: skip


class Burst:
    """Frames laid out once, sent as often as wanted."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._frames = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
        self._iovecs = (_Iovec * len(frames))(
            *(_Iovec(ctypes.addressof(frame), len(frame)) for frame in self._frames)
        )
        self._headers = (_Header * len(frames))()
        for header, iovec in zip(self._headers, self._iovecs, strict=True):
            header.iov, header.iov_length = ctypes.pointer(iovec), 1
        self._send = ctypes.CDLL(None, use_errno=True).sendmmsg

    def send(self, sender: socket.socket) -> Iterator[float]:
        """The seconds that each batch takes."""
        for first in range(0, len(self._frames), BATCH):
            at, end = first, min(first + BATCH, len(self._frames))
            started = time.perf_counter()
            while at < end:
                sent = self._send(sender.fileno(), ctypes.byref(self._headers[at]), end - at, 0)
                if sent <= 0:
                    raise OSError(ctypes.get_errno(), "sendmmsg")
                at += sent
            yield time.perf_counter() - started


EMPTY = """table inet floor {
 chain forward {
  type filter hook forward priority filter; policy accept;
  ct state established accept
 }
}
"""


def costs(
    rulesets: dict[str, str],
    sources: dict[str, list[str]],
    probes: list[Probe],
    rounds: int,
    later: bool = False,
    times: int = 1,
    pause: float = 0.0,
) -> dict[str, float]:
    """Nanoseconds a packet for each ruleset, taken in turn so that a drift of the machine meets all alike.

    `sources` are the prefixes beyond each interface that packets come from; all else lies beyond `out`.
    With `later`, of packets whose connections have been answered; they must be UDP's. Each is sent `times`
    over in every round, and rounds begin `pause` seconds apart.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    best: dict[str, list[float]] = {}
    with ExitStack() as stack:
        gateways = {name: stack.enter_context(_gateway(text, sources)) for name, text in rulesets.items()}
        for gateway in gateways.values():
            if later:
                _converse(gateway, probes)
            gateway._taps.pop("out").close()  # nobody listens: the path ends at the far veth
        bursts = {name: _bursts(gateway, probes, times) for name, gateway in gateways.items()}
        for _ in range(rounds):
            for name, gateway in gateways.items():
                if not later:
                    gateway.flush_conntrack()
                time.sleep(pause)
                taken = _send(gateway, bursts[name])
                if not later:
                    gateway.flush_conntrack()  # the table is one for all namespaces
                best[name] = list(map(min, best.get(name, taken), taken))
    return {name: sum(taken) / len(probes) / times * 1e9 for name, taken in best.items()}


def _converse(gateway: Gateway, probes: list[Probe]) -> None:
    """Have every probe answered."""
    _send(gateway, _bursts(gateway, probes))
    answers = [
        Probe("out", each.dst, each.src, each.protocol, _port(number), source_port=each.value)
        for number, each in enumerate(probes)
    ]
    _send(gateway, _bursts(gateway, answers))


def _send(gateway: Gateway, bursts: dict[str, Burst]) -> list[float]:
    return [each for name, burst in bursts.items() for each in burst.send(gateway._taps[name])]


def _port(number: int) -> int:
    return 20000 + number % 40000


@contextmanager
def _gateway(ruleset: str, sources: dict[str, list[str]]) -> Iterator[Gateway]:
    interfaces = {name: InterfaceSpec(routes=routes) for name, routes in sources.items()}
    with Gateway({**interfaces, "out": InterfaceSpec(default=True)}) as gateway:
        gateway.load(ruleset)
        yield gateway


def _bursts(gateway: Gateway, probes: list[Probe], times: int = 1) -> dict[str, Burst]:
    frames: dict[str, list[bytes]] = {}
    for number, probe in enumerate(probes):
        packet = wire.build(probe, wire.IDENT + number, probe.source_port or _port(number))
        header = gateway.links[probe.interface or ""].header + _ETHERTYPE[packet[0] >> 4]
        frames.setdefault(probe.interface or "", []).append(header + packet)
    return {interface: Burst(built * times) for interface, built in frames.items()}
