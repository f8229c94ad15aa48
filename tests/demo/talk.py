"""Real sockets at both ends: somebody who answers, and somebody who tries."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Iterable
from functools import partial

from tests.netns.namespace import Namespace

PATIENCE = 1.5  # seconds: a refusal that overtakes the end of connect() is heard at the second SYN only
REFUSALS = {errno.EHOSTUNREACH, errno.EACCES, errno.ECONNREFUSED, errno.ENETUNREACH}
ECHO = {4: (socket.AF_INET, socket.IPPROTO_ICMP, 8, 0), 6: (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129)}
PASSED, REFUSED, SILENCE = "passed", "refused", "no answer"


def serve(host: Namespace, doors: Iterable[tuple[str, str, int]]) -> None:
    """Answer on (address, `tcp` or `udp`, port) with the address that the caller is seen under, for ever."""
    open_ = [host.call(partial(_door, *door)) for door in doors]
    threading.Thread(target=_answer, args=(open_,), daemon=True).start()


def _door(address: str, protocol: str, port: int) -> socket.socket:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    door = socket.socket(_family(address), kind)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((address, port))
    if protocol == "tcp":
        door.listen()
    return door


def _answer(doors: list[socket.socket]) -> None:
    while True:
        for door in select.select(doors, [], [])[0]:
            if door.type is socket.SOCK_STREAM:
                visitor, who = door.accept()
                visitor.sendall(who[0].encode())
                visitor.close()
            else:
                _, who = door.recvfrom(64)
                door.sendto(who[0].encode(), who)


def try_it(host: Namespace, source: str, destination: str, protocol: str, port: int) -> tuple[str, str]:
    """What became of it, and the address that the other side saw (empty where that is not known)."""
    work = partial(_ping, source, destination) if protocol == "ping" else None
    try:
        return PASSED, host.call(work or partial(_connect, source, destination, protocol, port))
    except TimeoutError:
        return SILENCE, ""
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        return REFUSED, ""


def _connect(source: str, destination: str, protocol: str, port: int) -> str:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(_family(destination), kind) as caller:
        caller.settimeout(PATIENCE)
        caller.bind((source, 0))
        caller.connect((destination, port))
        if protocol == "udp":
            caller.send(b"hello")
        return caller.recv(64).decode()


def _ping(source: str, destination: str) -> str:
    """An echo request (RFC 792, RFC 4443) and its reply. The kernel fills in ICMPv6's checksum."""
    version = 6 if ":" in destination else 4
    family, protocol, request, reply = ECHO[version]
    ident = os.getpid() & 0xFFFF
    with socket.socket(family, socket.SOCK_RAW, protocol) as caller:
        caller.settimeout(PATIENCE)
        caller.bind((source, 0))
        caller.connect((destination, 0))
        message = struct.pack("!BBHHH", request, 0, 0, ident, 1)
        caller.send(message[:2] + _checksum(message) + message[4:])
        while True:
            data = caller.recv(2048)
            body = data[(data[0] & 15) * 4 :] if version == 4 else data
            if body[0] == reply and struct.unpack_from("!H", body, 4)[0] == ident:
                return ""


def _checksum(message: bytes) -> bytes:
    """RFC 1071, of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
