"""What a ruleset logs, read from the kernel as packets of a netlink log group (NFLOG)."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator

from tests.netns.namespace import Namespace

GROUP = 7
_NETLINK_NETFILTER = 12
_CONFIG, _PACKET = 4 << 8 | 1, 4 << 8
_REQUEST_ACK = 1 | 4
_COMMAND, _MODE, _THRESHOLD, _PREFIX = 1, 2, 5, 10


def to_group(ruleset: str) -> str:
    """The ruleset with all its logs sent to the group: the kernel's own log is closed to namespaces."""
    return re.sub(r"\blog prefix", f"log group {GROUP} prefix", ruleset)


class LogReader:
    """Hears the group in one namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._socket = namespace.call(
            lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        )
        self._socket.settimeout(2)
        self._ask(_COMMAND, b"\x01")
        self._ask(_MODE, struct.pack("!IBx", 0, 0))
        self._ask(_THRESHOLD, struct.pack("!I", 1))
        self._socket.setblocking(False)

    def _ask(self, attribute: int, value: bytes) -> None:
        body = struct.pack("!BBH", 0, 0, GROUP) + struct.pack("=HH", 4 + len(value), attribute) + value
        body += bytes(-len(body) % 4)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), _CONFIG, _REQUEST_ACK, 0, 0) + body)
        (error,) = struct.unpack_from("=i", self._socket.recv(4096), 16)
        if error:
            raise OSError(-error, "the log group cannot be heard")

    def prefixes(self) -> list[str]:
        """The prefixes logged since the last call, without their trailing blank."""
        found: list[str] = []
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return found
            found += [text.rstrip() for text in _prefixes(data)]

    def close(self) -> None:
        self._socket.close()


def _prefixes(data: bytes) -> Iterator[str]:
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        inner = at + 20
        while kind == _PACKET and inner + 4 <= at + length:
            size, attribute = struct.unpack_from("=HH", data, inner)
            if attribute == _PREFIX:
                yield data[inner + 4 : inner + size].rstrip(b"\0").decode()
            inner += (size + 3) & ~3
        at += (length + 3) & ~3
