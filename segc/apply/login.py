"""The SSH connection that a command runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from segc.space.addresses import Address

VARIABLE = "SSH_CONNECTION"


class Login(NamedTuple):
    """The SSH connection that a command runs in, as sshd(8) tells it, the device that it comes in by, and the
    router by which answers leave, None where the client is on the link."""

    client: Address
    server: Address
    port: int
    device: str | None = None
    hop: Address | None = None


def login(environment: Mapping[str, str] = os.environ, process: int | None = None) -> Login | None:
    """The connection of this process, or of whichever it descends from: sudo(8) hides the variable."""
    told = environment.get(VARIABLE)
    process = os.getpid() if process is None else process
    while not told and process > 1:
        told = _environment(process).get(VARIABLE)
        process = _parent(process)
    with suppress(ValueError, AttributeError):
        client, _, server, port = (told or "").split()
        return Login(_plain(client), _plain(server), int(port))
    return None


def _plain(text: str) -> Address:
    found = ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _environment(process: int) -> dict[str, str]:
    try:
        words = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def _parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
