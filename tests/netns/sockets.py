"""Sockets that see, hear and send packets whole, and what it takes to lose none of them."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55
_IPV6_HDRINCL = 36
_NETLINK_NETFILTER = 12
_FLUSH_CONNTRACK = struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 0, 0, 0, 0, 0)


def roomy(made: socket.socket) -> socket.socket:
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    made.setblocking(False)
    return made


def tap(interface: str) -> socket.socket:
    """A packet socket that sees what arrives on `interface`, not what is sent from it."""
    made = roomy(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    made.bind((interface, 3))
    return made


def listener(family: socket.AddressFamily, protocol: int) -> socket.socket:
    """A raw socket: it gets what passed the input hook, nothing else."""
    return roomy(socket.socket(family, socket.SOCK_RAW, protocol))


def emitter(family: socket.AddressFamily) -> socket.socket:
    """A raw socket that sends whole IP packets through the output hook."""
    made = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
    return made


def backlog_drops() -> int:
    """Packets that the machine's per-CPU queues have dropped since it booted, whosever they were."""
    lines = Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in lines)


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep this thread on one CPU, and so its packets in one queue."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def received(name: str, source: socket.socket) -> Iterator[bytes]:
    """All that waits in a socket made here. RuntimeError if its queue had overflowed."""
    if source.family == socket.AF_PACKET:
        counters = source.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    else:
        counters = source.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    lost = int.from_bytes(counters[-4:], sys.byteorder)  # both end with the count of what was dropped
    if lost:
        raise RuntimeError(f"{lost} packets lost in the receive queue of {name}")
    while True:
        try:
            yield source.recv(4096)
        except BlockingIOError:
            return


def conntrack_socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)


def flush_conntrack(netlink: socket.socket) -> None:
    """Empty the connection table of the namespace the socket was opened in."""
    netlink.send(_FLUSH_CONNTRACK)
    (error,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error))
