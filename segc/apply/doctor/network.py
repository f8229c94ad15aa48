"""What the kernel forwards, filters by itself and remembers of connections; and the links that are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from segc.apply.doctor.model import Check, Finding, Host
from segc.apply.links import LinkError, link_steps
from segc.apply.seen import observe
from segc.apply.sysctl import PROC
from segc.diagnostics.suggest import did_you_mean

FORWARDING = {"IPv4": "net.ipv4.ip_forward", "IPv6": "net.ipv6.conf.all.forwarding"}
NAMED = 5  # interfaces, before the rest are counted
FULL = 0.9  # of the table of connections


def forwarding(host: Host) -> Iterator[Finding]:
    for family, name in FORWARDING.items():
        value = setting(name)
        check = f"forwarding.{family.lower()}"
        if value is None:
            yield Finding(check, "note", f"the kernel has no {family}", "flows over it do not work", "")
        elif value != "0":
            yield Finding(check, "ok", f"{family} is forwarded")
        elif host.state.pointer("current") is None:
            why = "a gateway forwards between its zones"
            advice = "nothing: `segc apply` turns it on, once the ruleset stands"
            yield Finding(check, "note", f"{family} is not forwarded", why, advice)
        else:
            why = "a policy has been applied, and nothing passes from zone to zone"
            advice = f"`segc verify --heal`; look for what sets `{name}` in /etc/sysctl.d"
            yield Finding(check, "lacking", f"{family} is not forwarded", why, advice)


def reverse_path(_: Host) -> Iterator[Finding]:
    """An interface's rp_filter is the greater of its own and `all` (the kernel's ip-sysctl.rst)."""
    paths = (PROC / "net/ipv4/conf").glob("*/rp_filter")
    values = {path.parent.name: int(_read(path) or 0) for path in sorted(paths)}
    names = values.keys() - {"all", "default", "lo"}
    strict = [name for name in sorted(names) if max(values.get("all", 0), values[name]) == 1]
    if not strict:
        yield Finding("rp_filter", "ok", "the kernel drops nothing for its way back (rp_filter)")
        return
    why = "a packet is dropped before the ruleset if its answer would go out by another interface"
    advice = (
        "fine with one way to each network; with several uplinks, or a VPN beside, set "
        "`net.ipv4.conf.<interface>.rp_filter` to 2: the ruleset has a check of sources of its own"
    )
    yield Finding("rp_filter", "note", f"rp_filter is strict on {listed(strict)}", why, advice)


def connections(_: Host) -> Iterator[Finding]:
    used, most = (
        setting(f"net.netfilter.nf_conntrack_{name}") or setting(f"net.nf_conntrack_{name}")
        for name in ("count", "max")
    )
    if used is None or most is None:
        why = "its table of connections could not be measured"
        advice = "nothing, if the kernel does what rulesets need: it is loaded with the first of them"
        yield Finding("conntrack", "note", "connection tracking is not loaded", why, advice)
        return
    what = f"{used} of {most} connections are in use"
    if int(most) and int(used) >= FULL * int(most):
        why = "when the table is full, new connections are dropped, whatever the policy allows"
        advice = "raise `net.netfilter.nf_conntrack_max`, and find out who opens so many: `conntrack -L`"
        yield Finding("conntrack", "lacking", what, why, advice)
    else:
        yield Finding("conntrack", "ok", what)


def loose(_: Host) -> Iterator[Finding]:
    """See the kernel's nf_conntrack-sysctl.rst."""
    value = setting("net.netfilter.nf_conntrack_tcp_loose")
    if value == "0":
        why = "connections that the kernel has forgotten, as after a reboot, hang until they are opened anew"
        advice = "set `net.netfilter.nf_conntrack_tcp_loose` to 1, or leave it if that is wanted"
        yield Finding("tcp_loose", "note", "TCP is not picked up in mid-connection", why, advice)
    elif value is not None:
        yield Finding(
            "tcp_loose", "ok", "TCP is picked up in mid-connection, where the policy allows it as new"
        )


def links(host: Host) -> Iterator[Finding]:
    """Interfaces and ports that the policy names and `segc apply` cannot make, without the VLANs of such."""
    if host.wanted is None:
        return
    try:
        with IPRoute() as netlink:
            seen = observe(netlink)
    except (OSError, NetlinkError):  # told by the check of netlink
        return
    try:
        _, absent = link_steps(host.wanted, seen)
    except LinkError as error:
        why = "segc does not take over what somebody else made"
        advice = "rename it, or delete it with `ip link delete`"
        yield Finding("links", "lacking", str(error), why, advice)
        return
    parents = {device.name: device.parent for device in host.wanted.devices}
    for name in (each for each in absent if parents.get(each) not in absent):
        why = f"the policy gives gateway `{host.node}` such an interface, and nothing can be set up on it"
        advice = did_you_mean(name, seen.links) or f"there is {listed(sorted(seen.links))}: see `ip link`"
        yield Finding("links", "lacking", f"there is no interface `{name}`", why, advice)
    if not absent:
        yield Finding("links", "ok", f"all interfaces of gateway `{host.node}` are there, or can be made")


def setting(name: str) -> str | None:
    """A sysctl of the network namespace that we are in; None where the kernel has none, or does not tell."""
    return _read(PROC / name.replace(".", "/"))


def _read(path: Path) -> str | None:
    with suppress(OSError):
        return path.read_text().strip()
    return None


def listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


CHECKS: tuple[Check, ...] = (forwarding, reverse_path, connections, loose, links)
