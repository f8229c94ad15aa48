"""The agent's socket: many clients, none of which can make another wait for long (unix(7)).

A client is served one request at a time, and its next one only when it has taken the answer to the last. Who
sends a line without an end, or takes no answer, is let go of.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from segc.sessions.asked import Document, Peer
from segc.sessions.reports import figures
from segc.sessions.requests import LONGEST, answer, refused
from segc.sessions.upkeep import TICK, Upkeep

GROUP = "segc"
CLIENTS, FOR_ROOT = 512, 16  # at once; the latter on top, so that nobody shuts the administrator out
OF_ONE = 128  # of one user, so that no member of the group shuts out the others; root has all of them
READERS = 16  # of figures, who are not asked who they are, and take no place from the others
PATIENCE = 30.0  # seconds for the rest of a line, or for taking an answer
CHUNK = 1 << 16
_SO_PEERGROUPS = 59
LONGEST_PATH = 107  # bytes (unix(7))


class _Client:
    """`since` is when it began to keep us waiting, 0 while it does not."""

    def __init__(self, connection: socket.socket, peer: Peer, http: bool = False) -> None:
        self.connection, self.peer, self.http = connection, peer, http
        self.read, self.write = bytearray(), memoryview(b"")
        self.since = 0.0
        self.over = False  # nothing more comes from it

    @property
    def end(self) -> int:
        """Where its next request ends; -1 where that has not come yet."""
        return self.read.find(b"\r\n\r\n" if self.http else b"\n")

    @property
    def asks(self) -> bool:
        """Whether a whole request waits, or one that is too long."""
        return self.end >= 0 or len(self.read) > LONGEST


class Server:
    """Serves until `stop` is called, or SIGTERM or SIGINT comes. OSError if the socket cannot be had."""

    def __init__(self, upkeep: Upkeep, path: Path, metrics: tuple[str, int] | None = None) -> None:
        self.upkeep = upkeep
        self._running = True
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, _Client] = {}
        self._path = path
        if metrics is not None:
            self._listen(_tcp_listener(*metrics), self._accept_http)
        self._listen(_unix_listener(path), self._accept)

    def _listen(self, listener: socket.socket, accept: Callable[[socket.socket], None]) -> None:
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, accept)

    def stop(self, *_: object) -> None:
        self._running = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        ticked = 0.0
        while self._running:
            busy = any(client.asks and not client.write for client in self._clients.values())
            for key, _ in self._selector.select(0 if busy else self._pause()):
                if isinstance(key.data, _Client):
                    self._touch(key.data)
                else:
                    key.data(key.fileobj)
            for client in list(self._clients.values()):
                self._serve(client)
            if time.monotonic() - ticked >= TICK or self._pause() == 0:
                ticked = time.monotonic()
                self.upkeep.tick()
                self._let_go(ticked)
        self.close()

    def _pause(self) -> float:
        agent = self.upkeep.agent
        return min(TICK, max(0.0, agent.schedule.next - agent.clock().boot))

    def close(self) -> None:
        with suppress(OSError):
            self._path.unlink()
        for key in list(self._selector.get_map().values()):
            assert not isinstance(key.fileobj, int)
            key.fileobj.close()  # type: ignore[attr-defined]
        self._selector.close()

    # -- clients -------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            peer = _trusted_peer(connection)
            if peer is None:
                _dismiss(connection, "only root and members of the group segc may ask")
            elif not self._has_room(peer):
                _dismiss(connection, "too many ask at once: try again")
            else:
                self._add(_Client(connection, peer))

    def _accept_http(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            if self._count(http=True) >= READERS:
                connection.close()
            else:
                self._add(_Client(connection, Peer(-1, "prometheus"), http=True))

    def _has_room(self, peer: Peer) -> bool:
        if peer.uid == 0:
            return self._count(http=False) < CLIENTS + FOR_ROOT
        theirs = sum(client.peer.uid == peer.uid for client in self._clients.values())
        return theirs < OF_ONE and self._count(http=False) < CLIENTS

    def _count(self, http: bool) -> int:
        return sum(client.http == http for client in self._clients.values())

    def _add(self, client: _Client) -> None:
        client.connection.setblocking(False)
        if client.http:
            client.since = time.monotonic()
        self._clients[client.connection.fileno()] = client
        self._selector.register(client.connection, selectors.EVENT_READ, client)

    def _touch(self, client: _Client) -> None:
        """Take what it sent, or give it what it has not taken."""
        try:
            if client.write:
                client.write = client.write[client.connection.send(client.write) :]
                if not client.write:
                    self._written(client)
                return
            if client.asks:
                return  # what follows waits in the kernel
            data = client.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        client.over = not data
        client.read += data
        client.since = client.since or time.monotonic()
        if client.over and not client.asks:
            self._drop(client)

    def _written(self, client: _Client) -> None:
        client.since = time.monotonic() if client.read else 0.0
        if client.http or (client.over and not client.asks):
            self._drop(client)
        else:
            self._selector.modify(client.connection, selectors.EVENT_READ, client)

    def _serve(self, client: _Client) -> None:
        """Answer one line of it, if there is one and the last answer is taken."""
        if client.write or client.connection.fileno() < 0:
            return
        end = client.end
        if (end if end >= 0 else len(client.read)) > LONGEST:
            client.read.clear()
            client.over = True
            self._reply(client, _encoded(refused(f"the request is longer than {LONGEST} bytes")))
        elif end >= 0 and client.http:
            self._reply(client, _http(bytes(client.read), self.upkeep))
        elif end >= 0:
            line = bytes(client.read[:end])
            del client.read[: end + 1]
            self._reply(client, _encoded(answer(line, self.upkeep, client.peer)))

    def _reply(self, client: _Client, data: bytes) -> None:
        client.write, client.since = memoryview(data), time.monotonic()
        self._selector.modify(client.connection, selectors.EVENT_WRITE, client)
        self._touch(client)

    def _let_go(self, now: float) -> None:
        for client in list(self._clients.values()):
            if client.since and now - client.since > PATIENCE:
                self._drop(client)

    def _drop(self, client: _Client) -> None:
        del self._clients[client.connection.fileno()]
        self._selector.unregister(client.connection)
        client.connection.close()


def _unix_listener(path: Path) -> socket.socket:
    """Where somebody else listens already, they keep it. OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    if len(os.fsencode(new)) > LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, f"`{path}` is too long for a socket")
    if _listens(path):
        raise OSError(errno.EADDRINUSE, f"another agent listens on `{path}`")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    new.unlink(missing_ok=True)
    former = os.umask(0o117)
    try:
        listener.bind(str(new))
    finally:
        os.umask(former)
    with suppress(KeyError, PermissionError):
        os.chown(new, -1, grp.getgrnam(GROUP).gr_gid)
    listener.listen(socket.SOMAXCONN)
    try:
        new.replace(path)
    except OSError:
        new.unlink()
        raise
    return listener


def _listens(path: Path) -> bool:
    """Whether anybody does; a socket that was left behind refuses."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        return client.connect_ex(os.fsencode(path)) in (0, errno.EAGAIN)


def _tcp_listener(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)


def _trusted_peer(connection: socket.socket) -> Peer | None:
    """Root, whoever runs the agent, and members of the group segc."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, gid = struct.unpack("=iII", credentials)
    if uid not in (0, os.geteuid()):
        try:
            wanted = grp.getgrnam(GROUP).gr_gid
        except KeyError:
            return None
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, CHUNK)
        if wanted not in (gid, *struct.unpack(f"={len(raw) // 4}I", raw)):
            return None
    try:
        return Peer(uid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return Peer(uid, str(uid))


def _dismiss(connection: socket.socket, words: str) -> None:
    with connection, suppress(OSError):
        connection.send(_encoded(refused(words)), socket.MSG_DONTWAIT)


def _encoded(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _http(head: bytes, upkeep: Upkeep) -> bytes:
    """The answer to `GET /metrics`."""
    if head.split(b" ", 2)[:2] != [b"GET", b"/metrics"]:
        return b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    body = figures(upkeep).encode()
    kind = b"text/plain; version=0.0.4; charset=utf-8"
    return b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)
