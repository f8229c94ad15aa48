"""What happened to sessions, as JSON lines with the field names of the Elastic Common Schema (ECS 8.11).

To a file, to journald by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), or to syslog
(RFC 5424's facility `authpriv`, by /dev/log). Sessions do not wait for it: what cannot be told is counted.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from segc.identity.claim import Claim
from segc.sessions.clock import iso
from segc.space.addresses import Address

ECS = "8.11.0"
JOURNALD, SYSLOG = "/run/systemd/journal/socket", "/dev/log"
AUTHPRIV, NOTICE, INFO = 10 << 3, 5, 6
_TYPES = {"bind": "start", "move": "change", "unbind": "end", "change": "change"}

Event = Mapping[str, Any]
Sink = Callable[[str, Event], None]


def event(wall: float, action: str, outcome: str, reason: str, host: str, **more: Any) -> dict[str, Any]:
    """Members that are None are left out; `__` in names of `more` stands for a dot."""
    found = {
        "@timestamp": iso(wall),
        "ecs.version": ECS,
        "event.kind": "event",
        "event.category": ["session"],
        "event.type": [_TYPES.get(action, "info") if outcome == "success" else "denied"],
        "event.action": action,
        "event.outcome": outcome,
        "event.reason": reason or None,
        "event.provider": "segc",
        "host.name": host,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return {name: value for name, value in found.items() if value is not None}


def of_claim(claim: Claim) -> dict[str, Any]:
    """The members that say whose session it is."""
    return {
        "user__name": claim.user,
        "source__ip": address_words(claim.addresses),
        "source__mac": claim.mac and mac_words(claim.mac),
        "device__id": claim.device,
        "segc__source": claim.source,
        "segc__session": claim.id,
        "segc__assurance": str(claim.assurance),
    }


def address_words(addresses: Iterable[Address]) -> list[str]:
    return list(map(str, addresses))


def mac_words(mac: str) -> str:
    """As ECS has them."""
    return mac.upper().replace(":", "-")


class Audit:
    """A sink that never fails its caller; `lost` counts what it could not tell. ValueError, OSError."""

    def __init__(self, target: str = "") -> None:
        self.lost = 0
        self._sink = _sink(target)

    def tell(self, found: Event) -> None:
        line = json.dumps(found, separators=(",", ":"))
        try:
            self._sink(line, found)
        except OSError:
            self.lost += 1


def _sink(target: str) -> Sink:
    match target:
        case "":
            return lambda line, found: None
        case "journald":
            return _Datagrams(JOURNALD, _journald).send
        case "syslog":
            return _Datagrams(SYSLOG, _syslog).send
        case _:
            return _File(Path(target)).send


class _File:
    """Whole lines. Opened again where somebody has put another in its place, as logrotate does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._path, flags, 0o640)
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = handle

    def send(self, line: str, found: Event) -> None:
        if not self._is_there():
            self._open()
        data, size = line.encode() + b"\n", os.fstat(self._handle).st_size
        if os.write(self._handle, data) < len(data):
            os.ftruncate(self._handle, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._handle))
        except FileNotFoundError:
            return False


class _Datagrams:
    def __init__(self, path: str, encode: Callable[[str, Event], bytes]) -> None:
        self._path, self._encode = path, encode
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        if not Path(path).exists():
            raise FileNotFoundError(2, "no such socket", path)

    def send(self, line: str, found: Event) -> None:
        self._socket.sendto(self._encode(line, found), self._path)


def _journald(line: str, found: Event) -> bytes:
    """Fields of one line each: a JSON line has no newline in it."""
    priority = INFO if found["event.outcome"] == "success" else NOTICE
    fields = {"MESSAGE": line, "PRIORITY": f"{priority}", "SYSLOG_IDENTIFIER": "segc"}
    fields |= {"SYSLOG_FACILITY": f"{AUTHPRIV >> 3}", "SEGC_ACTION": str(found["event.action"])}
    return "".join(f"{name}={value}\n" for name, value in fields.items()).encode()


def _syslog(line: str, found: Event) -> bytes:
    priority = AUTHPRIV | (INFO if found["event.outcome"] == "success" else NOTICE)
    return f"<{priority}>segc: @cee: {line}".encode()
