"""Both directions of a connection, packet by packet, and real connections between real hosts."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from tests.netns import wire
from tests.netns.harness import Gateway, Namespace
from tests.netns.namespace import require_throwaway
from tests.netns.wire import ACK, FIN, PSH, RST, SYN, Packet

_serial = count(1)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a conversation: the gateway interface it sits behind, its address and port."""

    interface: str
    address: str
    port: int


class Conversation:
    """A client and a server whose packets are written by hand and pass, or not, through the gateway.

    Every method sends one packet and says whether it came out at the other end; a packet that did not is
    sent again by the next call, as a real sender would. The server answers what it saw, so translated
    addresses are followed. `protocol` is `tcp`, `udp`, `icmp` or `icmpv6` (echo; ports are identifiers).
    """

    def __init__(self, gateway: Gateway, client: End, server: End, protocol: str = "tcp") -> None:
        self.gateway, self.client, self.server = gateway, client, server
        self.protocol = wire.NUMBERS[protocol]
        self.client_sees = self._addresses(client, server)
        self.server_sees = self.client_sees
        self.last_at_server = b""
        self.last_at_client = b""
        self._next = {client: 1000, server: 5000}

    def _addresses(self, near: End, far: End) -> tuple[str, str, int, int]:
        return near.address, far.address, near.port, far.port

    def open(self) -> bool:
        """The TCP handshake; whether all of it passed."""
        return self.send_to_server(SYN) and self.send_to_client(SYN | ACK) and self.send_to_server(ACK)

    def to_server(self, data: bytes = b"") -> bool:
        """Data from the client (an echo request for ICMP)."""
        return self.send_to_server(PSH | ACK, data or b"ask %d" % next(_serial))

    def to_client(self, data: bytes = b"") -> bool:
        """Data from the server (an echo reply for ICMP)."""
        return self.send_to_client(PSH | ACK, data or b"answer %d" % next(_serial))

    def reset(self) -> bool:
        """A TCP reset from the client."""
        return self.send_to_server(RST | ACK)

    def finish(self) -> bool:
        """Both ends close their half of the TCP connection."""
        return self.send_to_server(FIN | ACK) and self.send_to_client(FIN | ACK) and self.send_to_server(ACK)

    def send_to_server(self, flags: int, data: bytes = b"") -> bool:
        src, dst, sport, dport = self.client_sees
        packet = self._packet(src, dst, sport, dport, flags, data, self.client, self.server)
        seen = self._pass(packet, self.client, self.server, flags, data)
        if seen is None:
            return False
        self.last_at_server = seen
        view = wire.parse(seen)
        ports = (view.sport, view.dport) if self.protocol not in wire.ERRORS else self._identifier(view)
        self.server_sees = view.src, view.dst, *ports
        return True

    def send_to_client(self, flags: int, data: bytes = b"") -> bool:
        dst, src, dport, sport = self.server_sees
        packet = self._packet(src, dst, sport, dport, flags, data, self.server, self.client)
        seen = self._pass(packet, self.server, self.client, flags, data)
        if seen is None:
            return False
        self.last_at_client = seen
        return True

    def error_to_client(self, router: str, kind: int = 0, code: int = 0, mtu: int = 1280) -> bool:
        """An ICMP error from a router near the server about the client's last packet that arrived there.

        Without `kind` it is the one of path-MTU discovery: 3/4, or 2/0 in IPv6.
        """
        return self._error(
            self.server, self.client, self.client.address, router, self.last_at_server, kind, code, mtu
        )

    def error_to_server(self, router: str, kind: int = 0, code: int = 0, mtu: int = 1280) -> bool:
        """An ICMP error from a router near the client about the server's last packet that arrived there."""
        return self._error(
            self.client, self.server, self.server_sees[1], router, self.last_at_client, kind, code, mtu
        )

    def _identifier(self, view: Packet) -> tuple[int, int]:
        identifier = int.from_bytes(self.last_at_server[-len(view.payload) - 4 :][:2], "big")
        return identifier, identifier

    def _packet(
        self, src: str, dst: str, sport: int, dport: int, flags: int, data: bytes, near: End, far: End
    ) -> bytes:
        a, b = wire.packed(src), wire.packed(dst)
        if self.protocol == wire.TCP:
            ack = self._next[far] if flags & ACK else 0
            return wire.tcp(a, b, sport, dport, self._next[near], ack, flags, data)
        if self.protocol == wire.UDP:
            return wire.udp(a, b, sport, dport, data)
        kind = wire.ECHO[self.protocol][0 if near is self.client else 1]
        identifier = sport if near is self.client else dport
        return wire.icmp(a, b, kind, 0, struct.pack("!HH", identifier, 1), data)

    def _pass(self, packet: bytes, near: End, far: End, flags: int, data: bytes) -> bytes | None:
        """The packet as it came out beyond `far`, None if it did not."""
        for interface, seen in self.gateway.exchange(near.interface, packet):
            if interface != far.interface:
                continue
            view = wire.parse(seen)
            same = view.protocol == self.protocol and view.payload == data
            if same and (self.protocol != wire.TCP or (view.flags, view.seq) == (flags, self._next[near])):
                self._next[near] += len(data) + bool(flags & (SYN | FIN))
                return seen
        return None

    def _error(
        self, near: End, far: End, to: str, router: str, quoted: bytes, kind: int, code: int, mtu: int
    ) -> bool:
        if not quoted:
            raise ValueError("no packet has arrived yet that an error could be about")
        six = quoted[0] >> 4 == 6
        if not kind:
            kind, code = (2, 0) if six else (3, 4)
        sender = quoted[8:24] if six else quoted[12:16]
        error = wire.icmp(wire.packed(router), sender, kind, code, struct.pack("!I", mtu), quoted[:512])
        return any(
            interface == far.interface and (view := wire.parse(data)).protocol in wire.ERRORS
            and (view.type, view.code, view.dst) == (kind, code, to)
            for interface, data in self.gateway.exchange(near.interface, error)
        )  # fmt: skip


def open_tcp(host: Namespace, src: str, dst: str, port: int, timeout: float = 2) -> socket.socket:
    """A real TCP connection from the host. OSError (refused, unreachable, timed out) if it does not stand."""

    def work() -> socket.socket:
        require_throwaway()
        return socket.create_connection((dst, port), timeout, (src, 0))

    return host.call(work)


def tcp_connect(host: Namespace, src: str, dst: str, port: int, timeout: float = 1) -> str:
    """How a real connection attempt ends: `connected`, `refused`, `timed out` or `unreachable`."""
    try:
        open_tcp(host, src, dst, port, timeout).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except OSError:
        return "unreachable"
    return "connected"


@contextmanager
def serve_tcp(host: Namespace, port: int) -> Iterator[None]:
    """A real TCP server on every address of the host, both families, that sends back what it gets."""

    def work() -> socket.socket:
        require_throwaway()
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)

    server = host.call(work)
    thread = threading.Thread(target=_serve, args=(server,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError:
            return
