"""nft, the programs that an undoing needs, netlink and the kernel's version."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from segc.apply.doctor.model import Check, Finding, Host
from segc.apply.errors import ApplyError
from segc.apply.host import SAFE_PATH, run

NFT, LINUX = (1, 0, 2), (5, 15)
PROGRAMS = {"ip": "iproute2", "bridge": "iproute2", "unshare": "util-linux"}


def nft(_: Host) -> Iterator[Finding]:
    try:
        told = run("nft", "-V").stdout
    except ApplyError:
        why = "segc reads and changes the kernel's tables by nft"
        yield Finding("nft", "lacking", "nft is not installed", why, "install the package `nftables`")
        return
    version = numbers(told)
    name = f"nft {dotted(version)}"
    if version < NFT:
        why = "older ones do not know all that rulesets of segc are made of"
        yield Finding("nft", "lacking", name, why, f"install nftables {dotted(NFT)} or newer")
    elif re.search(r"json:\s+no", told):
        why = "segc reads the kernel's tables as JSON"
        yield Finding("nft", "lacking", f"{name} without JSON", why, "install an nftables built with JSON")
    else:
        yield Finding("nft", "ok", name)


def programs(_: Host) -> Iterator[Finding]:
    missing = [name for name in PROGRAMS if not _installed(name)]
    for name in missing:
        why = "the script that undoes an apply, or the comparison with the kernel, runs it"
        advice = f"install the package `{PROGRAMS[name]}`"
        yield Finding("programs", "lacking", f"`{name}` is not installed", why, advice)
    if not missing:
        yield Finding("programs", "ok", "what `segc verify` and an undoing run is installed")


def reserve(_: Host) -> Iterator[Finding]:
    """What an undoing falls back on (`revert.sh`)."""
    if not _installed("conntrack"):
        why = (
            "where segc itself is broken, an undoing could not end the connections that only the undone "
            "policy allowed: the former table would let them go on"
        )
        advice = "install the package `conntrack`"
        yield Finding("programs.conntrack", "note", "`conntrack` is not installed", why, advice)


def _installed(name: str) -> bool:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SAFE_PATH}") is not None


def netlink(_: Host) -> Iterator[Finding]:
    try:
        with IPRoute() as links:
            count = len(list(links.get_links()))
    except (OSError, NetlinkError) as error:
        why = "VLANs and addresses are read and set by netlink"
        advice = "allow the process AF_NETLINK sockets: a sandbox or container forbids them"
        yield Finding("netlink", "lacking", f"netlink does not answer: {error}", why, advice)
    else:
        yield Finding("netlink", "ok", f"netlink tells of {count} link{'s' if count != 1 else ''}")


def linux(_: Host) -> Iterator[Finding]:
    version = numbers(os.uname().release)[:2]
    name = f"Linux {dotted(version)}"
    if version < LINUX:
        why = "older kernels lack parts of nf_tables that rulesets of segc need"
        yield Finding("kernel", "lacking", name, why, f"boot Linux {dotted(LINUX)} or newer")
    else:
        yield Finding("kernel", "ok", name)


def numbers(text: str) -> tuple[int, ...]:
    """The first version number in the text."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "of unknown version"


CHECKS: tuple[Check, ...] = (nft, programs, reserve, netlink, linux)
