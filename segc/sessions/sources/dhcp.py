"""DHCP leases: which device has which address, as the lease files of Kea and dnsmasq tell.

A lease binds a device to its address, on the word of a MAC address and no better. dnsmasq can run `hook.py`
instead, and then a lease is known before its client is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from segc.sessions.client import UnansweredError
from segc.sessions.sources.directory import IdentitiesError, Identity, read_identities
from segc.sessions.sources.hook import Options, Request, lease, mac_address, vouched
from segc.sessions.sources.link import Link

ASSIGNED = "0"  # Kea's state of a lease that somebody has
DNSMASQ = re.compile(r"[0-9]+\b|duid ")  # how a line of its file begins, even one that is cut
NEVER = float("inf")
SETTLE = 0.25  # seconds in which a server that writes its file anew is done with it


class Lease(NamedTuple):
    """Moments in Unix seconds; `at` is when it was given, 0 where the server does not tell."""

    address: str
    mac: str
    expires: float
    at: float


Leases = Mapping[str, Lease]


def kea(lines: Iterable[str]) -> Iterator[Lease]:
    """Of Kea's memfile, which grows at its end: the last of an address counts. A released one has expired.

    Kea quotes nothing: what clients call themselves is as they say it, but for commas.
    """
    header, *rows = [line.rstrip("\r").split(",") for line in lines] or [[]]
    for row in (dict(zip(header, each, strict=False)) for each in rows):
        try:
            expires, length = int(row["expire"]), int(row["valid_lifetime"])
            held = row["state"] == ASSIGNED and length > 0
            yield Lease(row["address"], row["hwaddr"], expires if held else 0, expires - length)
        except (KeyError, ValueError):  # torn, or the header of another run
            continue


def dnsmasq(lines: Iterable[str]) -> Iterator[Lease]:
    """Lines `EXPIRES MAC ADDRESS NAME CLIENT-ID`, where 0 is never. Its IPv6 leases have no MAC address."""
    for line in lines:
        match line.split():
            case [expires, mac, address, _, _] if expires.isdecimal() and mac_address(mac):
                yield Lease(address, mac, float(expires) or NEVER, 0.0)


def read(path: Path) -> dict[str, Lease]:
    """All leases, by address. OSError where there is no file, or one that no such server writes.

    Kea's cleaned leases are in FILE.2, what it is about to clean in FILE.1, and for a moment both in
    FILE.completed (Kea ARM, 8.2.2).
    """
    lines = _lines(path)
    if not lines[0].startswith("address,"):
        first = next(filter(str.strip, lines), None)
        if first is not None and not DNSMASQ.match(first):
            raise OSError(f"`{path}` is no lease file: neither one of Kea (memfile) nor of dnsmasq")
        return {each.address: each for each in dnsmasq(lines)}
    done, *parts = (path.with_name(f"{path.name}.{ending}") for ending in ("completed", "2", "1"))
    former = [done] if done.exists() else [each for each in parts if each.exists()]
    return {each.address: each for text in (*map(_lines, former), lines) for each in kea(text)}


def _lines(path: Path) -> list[str]:
    """By newlines alone: a name of a client may have all else that Python breaks lines at."""
    return path.read_bytes().decode(errors="replace").split("\n")


def requests(
    leases: Leases,
    known: Mapping[str, Lease | None],
    who: Mapping[str, Identity] | None,
    options: Options,
    now: float,
) -> Iterator[tuple[Request, str]]:
    """What is new since the agent was told what is `known`, its address; with `who`, only its devices."""
    for address, each in leases.items():
        identity = None if who is None else who.get(mac_address(each.mac) or "")
        nobody = each.expires - now < 1 or (who is not None and identity is None)
        if known.get(address) == each or (nobody and address not in known):
            continue
        at = each.at or now
        left = 0.0 if nobody else None if each.expires == NEVER else each.expires - at
        for request in lease(address, each.mac, left, at, options, identity):
            yield request, address
    for address in known.keys() - leases.keys():
        yield {"do": "unbind", "id": address, "at": now}, address


@dataclass(slots=True)
class Source:
    """Follows a lease file."""

    link: Link
    source: str
    options: Options
    path: Path
    mapping: Path | None = None
    _known: dict[str, Lease | None] = field(default_factory=dict)

    def run(self) -> None:
        """For ever. OSError where the file cannot be read, IdentitiesError for a mapping that is none."""
        self._known = dict.fromkeys(self.link.standing(self.source))
        self.link.again(lambda: self.round(time.time()))

    def round(self, now: float) -> None:
        leases, who = self._read()
        found = list(requests(leases, self._known, who, self.options, now))
        if any(_ends(request) for request, _ in found) and not self._same(leases, who):
            found = [each for each in found if not _ends(each[0])]
        for request, address in found:
            try:
                self.link.deliver(vouched(request, "dhcp", self.source, self.options))
            except UnansweredError as error:
                self.link.complain(error)
                return
            if request["do"] == "unbind":
                self._known.pop(address, None)
            else:
                self._known[address] = leases[address]

    def _read(self) -> tuple[Leases, Mapping[str, Identity] | None]:
        who = None if self.mapping is None else read_identities(self.mapping, mac_address)
        return read(self.path), who

    def _same(self, *former: object) -> bool:
        """Whether all reads so again. dnsmasq empties its file and fills it, Kea puts others in their place:
        who looks in between sees leases gone that stand."""
        time.sleep(SETTLE)
        with suppress(OSError, IdentitiesError):
            return self._read() == former
        return False


def _ends(request: Request) -> bool:
    return request["do"] == "unbind"
