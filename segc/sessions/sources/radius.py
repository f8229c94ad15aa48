"""RADIUS accounting: a server that takes Accounting-Requests, and FreeRADIUS's detail files.

A request is taken from an access server whose secret its authenticator proves (RFC 2866, section 3), if it
says when it happened (Event-Timestamp, RFC 2869) and that is not long ago: so neither a forged request nor
a recorded one opens anything. The same request again is not told from a recorded one, and changes nothing.
Access servers ask again until they are answered, so none is answered before the agent has it.
"""

from __future__ import annotations

import calendar
import errno
import fcntl
import os
import re
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from hashlib import md5
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from segc.frozen import frozen
from segc.sessions.client import UnansweredError
from segc.sessions.sources.hook import Options, accounting, unquoted, vouched
from segc.sessions.sources.link import Link, Seldom
from segc.space.words import system_reason

PORT = 1813
# Where a record came from, and without that (`log_packet_header`) who says that they have sent it.
ACCESS_SERVER = ("Packet-Src-IP-Address", "Packet-Src-IPv6-Address", "NAS-IP-Address", "NAS-IPv6-Address")
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
SKEW = 300  # seconds between our clock and an access server's
_HEADER = struct.Struct("!BBH16s")
_STATUS = {1: "Start", 2: "Stop", 3: "Interim-Update", 7: "Accounting-On", 8: "Accounting-Off"}
# RFC 2865, 2866, 2869, 3162 and 6911: the numbers of what is read, and how its bytes are.
_ATTRIBUTES = {
    1: ("User-Name", "text"), 8: ("Framed-IP-Address", "ipv4"), 25: ("Class", "text"),
    27: ("Session-Timeout", "number"), 31: ("Calling-Station-Id", "text"), 32: ("NAS-Identifier", "text"),
    40: ("Acct-Status-Type", "status"), 41: ("Acct-Delay-Time", "number"), 44: ("Acct-Session-Id", "text"),
    46: ("Acct-Session-Time", "number"), 55: ("Event-Timestamp", "number"),
    85: ("Acct-Interim-Interval", "number"), 97: ("Framed-IPv6-Prefix", "prefix"),
    168: ("Framed-IPv6-Address", "ipv6"),
}  # fmt: skip


class DroppedError(Exception):
    """A packet that is not to be believed, and why; never with what it says of its secret."""


class AccessServer(NamedTuple):
    """Who shares a secret with us; the secret does not show where one is printed."""

    network: IPv4Network | IPv6Network
    secret: bytes

    def __repr__(self) -> str:
        return f"AccessServer({self.network})"


def access_servers(text: str) -> tuple[AccessServer, ...]:
    """Of lines `PREFIX SECRET`. ValueError names the line that is none, and not what is in it."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            prefix, secret = line.split(maxsplit=1)
            network = ip_network(prefix, strict=False)
        except ValueError:
            raise ValueError(f"line {number} does not say `PREFIX SECRET`") from None
        if network.network_address != ip_address(prefix.partition("/")[0]):
            raise ValueError(f"line {number} has an address for a prefix: write `{network}`")
        found.append(AccessServer(network, secret.strip().encode()))
    return tuple(sorted(found, key=lambda each: -each.network.prefixlen))


def plain(address: str) -> str:
    """An IPv4 address that a socket of both families writes as IPv6."""
    return address.removeprefix("::ffff:") if "." in address else address


def secret_of(address: str, servers: Sequence[AccessServer]) -> bytes:
    """By the longest prefix. DroppedError for a stranger."""
    host = ip_address(address)
    for each in servers:
        if host in each.network:
            return each.secret
    raise DroppedError(f"{address} is no access server that we know")


def decode(packet: bytes, secret: bytes) -> Mapping[str, str]:
    """The attributes of an Accounting-Request, by name. DroppedError where the secret is not behind it."""
    if len(packet) < _HEADER.size:
        raise DroppedError("it is no RADIUS packet")
    code, _, length, authenticator = _HEADER.unpack_from(packet)
    if code != ACCOUNTING_REQUEST or not _HEADER.size <= length <= len(packet):
        raise DroppedError("it is no Accounting-Request")
    expected = md5(packet[:4] + bytes(16) + packet[_HEADER.size : length] + secret).digest()
    if not compare_digest(expected, authenticator):
        raise DroppedError("its authenticator is wrong: it is forged, or the secrets differ")
    return dict(_attributes(packet[_HEADER.size : length]))


def _attributes(data: bytes) -> Iterator[tuple[str, str]]:
    while data:
        size = data[1] if len(data) > 1 else 0
        if not 2 <= size <= len(data):
            raise DroppedError("its attributes do not add up")
        name, form = _ATTRIBUTES.get(data[0], ("", ""))
        with suppress(ValueError):  # of a wrong length, or not UTF-8: as if it were not there
            if name:
                yield name, _value(form, data[2:size])
        data = data[size:]


def _value(form: str, data: bytes) -> str:
    match form:
        case "text":
            return data.decode()
        case "ipv4" | "ipv6":
            return socket.inet_ntop(socket.AF_INET if form == "ipv4" else socket.AF_INET6, data)
        case "prefix":
            address = socket.inet_ntop(socket.AF_INET6, data[2:18].ljust(16, b"\0"))
            return f"{address}/{data[1]}" if len(data) >= 2 else ""
    if len(data) != 4:
        raise ValueError
    number = int.from_bytes(data, "big")
    return _STATUS.get(number, "") if form == "status" else str(number)


def answer(packet: bytes, secret: bytes) -> bytes:
    """The Accounting-Response to a request."""
    head = struct.pack("!BBH", ACCOUNTING_RESPONSE, packet[1], _HEADER.size)
    return head + md5(head + packet[4:20] + secret).digest()


def timely(pairs: Mapping[str, str], now: float) -> None:
    """DroppedError unless it says that it happened not long ago."""
    said = pairs.get("Event-Timestamp")
    if said is None:
        raise DroppedError("it does not say when it happened: have Event-Timestamp sent")
    if abs(now - int(said)) > SKEW:
        raise DroppedError(f"it happened {now - int(said):.0f} s ago: it is recorded, or a clock is wrong")


@frozen
class Server:
    """Takes accounting at an address and port."""

    link: Link
    source: str
    options: Options
    servers: Sequence[AccessServer]
    _dropped: Seldom = field(default_factory=Seldom)

    def run(self, host: str, port: int = PORT) -> None:
        """For ever. OSError where it cannot listen."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as inlet:
            try:
                inlet.bind((host, port))
            except OSError as error:
                raise OSError(error.errno, error.strerror, f"{host} port {port}") from None
            while True:
                packet, sender = inlet.recvfrom(4096)
                response = self.take(packet, plain(sender[0]), time.time())
                try:
                    if response:
                        inlet.sendto(response, sender)
                except OSError as error:  # no way there, or a packet filter: it will ask again
                    self.link.complain(f"{sender[0]} cannot be answered: {system_reason(error)}")

    def take(self, packet: bytes, sender: str, now: float) -> bytes:
        """What to answer; nothing to what is dropped, and to what nobody has taken."""
        try:
            secret = secret_of(sender, self.servers)
            pairs = decode(packet, secret)
            timely(pairs, now)
            for request in accounting(pairs, sender, self.options, now):
                self.link.deliver(vouched(request, "radius", self.source, self.options))
        except DroppedError as error:
            self._dropped.report(f"dropped a packet from {sender}: {error}", now, self.link.report)
            return b""
        except UnansweredError as error:
            self.link.complain(error)
            return b""
        return answer(packet, secret)


# -- FreeRADIUS's detail files -----------------------------------------------------------------------


def records(text: str) -> Iterator[Mapping[str, str]]:
    """The records of a detail file (rlm_detail): a date, attributes, an empty line."""
    for block in re.split(r"\n\s*\n", text):
        pairs = {}
        for line in block.splitlines():
            name, equals, value = line.strip().partition(" = ")
            if equals and line[:1].isspace():
                pairs[name] = unquoted(value)
        if pairs:
            yield pairs


def _begins(path: Path) -> bool:
    """Whether it is empty, or begins as a detail file does."""
    with path.open(errors="replace") as file:
        head = file.read(1 << 16)
    return not head or any(records(head))


def happened(pairs: Mapping[str, str]) -> str:
    """In Unix seconds: Event-Timestamp, written as local time, or when it came, less its delay."""
    match = re.fullmatch(r"(\w{3} +\d+ \d{4} [\d:]{8}) (\S+)", pairs.get("Event-Timestamp", ""))
    if match is None:
        return str(int(pairs.get("Timestamp", "0")) - int(pairs.get("Acct-Delay-Time", "0")))
    moment = time.strptime(match[1], "%b %d %Y %H:%M:%S")
    return str(calendar.timegm(moment) if match[2] in ("UTC", "GMT") else int(time.mktime(moment)))


@frozen
class Detail:
    """Reads a detail file that FreeRADIUS writes with `locking = yes`, and takes it away.

    What is set aside and locked is written to no more: whoever has it open opens it anew by its name.
    """

    link: Link
    source: str
    options: Options
    path: Path

    def run(self) -> None:
        """For ever. OSError where it cannot be read or taken away."""
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.path))
        self.link.again(self._look)

    def _look(self) -> None:
        work = self.path.with_name(f"{self.path.name}.segc")
        if not work.exists() and self.path.exists():
            if not _begins(self.path):
                self.link.complain(f"{self.path} holds no record of RADIUS accounting, and stays where it is")
                return
            self.path.rename(work)
        if work.exists():
            with work.open("r+", errors="replace") as file:
                fcntl.lockf(file, fcntl.LOCK_EX)
                if self.take(file.read()):
                    work.unlink()

    def take(self, text: str) -> bool:
        """Whether the agent has heard all of it. What it has heard before changes nothing."""
        try:
            for pairs in records(text):
                self._tell(pairs)
        except UnansweredError as error:
            self.link.complain(error)
            return False
        return True

    def _tell(self, pairs: Mapping[str, str]) -> None:
        nas = next((pairs[each] for each in ACCESS_SERVER if pairs.get(each)), "")
        try:
            pairs = {**pairs, "Event-Timestamp": happened(pairs)}
            found = list(accounting(pairs, nas, self.options, time.time()))
        except ValueError:
            self.link.report(f"{self.path}: passed over a record that is damaged")
            return
        for request in found:
            self.link.deliver(vouched(request, "radius", self.source, self.options))
