"""Services of the host that write rules or set up links as well."""

from __future__ import annotations

from collections.abc import Iterator

from segc.apply.boot import ENABLED
from segc.apply.doctor.model import Check, Finding, Host
from segc.apply.errors import ApplyError
from segc.apply.host import run

FIREWALLS = {
    "docker": (
        "it drops what others forward, and opens the ports that containers publish",
        'set `"iptables": false` in /etc/docker/daemon.json, or allow there what the policy allows',
    ),
    "firewalld": (
        "it decides as well, and refuses what its own zones do not allow",
        "`systemctl disable --now firewalld`: one policy is enough",
    ),
    "ufw": ("it decides as well, by rules that no policy knows", "`ufw disable`: one policy is enough"),
    "netfilter-persistent": (
        "it loads rules at boot that decide as well",
        "`systemctl disable --now netfilter-persistent`, once its rules are in the policy",
    ),
}
MANAGERS = ("NetworkManager", "systemd-networkd")


def services(host: Host) -> Iterator[Finding]:
    if host.netns:
        return
    names = (*FIREWALLS, *MANAGERS, "nftables")
    answers = systemctl("is-active", *names)
    if answers is None:
        why = "nobody can be asked what else writes rules, and `segc install` has nothing to start segc by"
        advice = "start `segc verify --heal` by what starts services here, before the network comes up"
        yield Finding("systemd", "note", "systemd does not run here", why, advice)
        return
    active = {name for name, answer in zip(names, answers, strict=False) if answer == "active"}
    yield from firewalls(active)
    yield from managers(active)
    yield from boot(host, "nftables" in active)


def firewalls(active: set[str]) -> Iterator[Finding]:
    for name, (why, advice) in FIREWALLS.items():
        if name in active:
            yield Finding("firewalls", "note", f"`{name}` runs", why, advice)
    if not active & set(FIREWALLS):
        yield Finding("firewalls", "ok", "no other firewall's service runs")


def managers(active: set[str]) -> Iterator[Finding]:
    found = [name for name in MANAGERS if name in active]
    if len(found) > 1:
        why = "two services that set up links undo each other's work"
        advice = "let one of them be: `systemctl disable --now NetworkManager`, for instance"
        yield Finding("managers", "note", f"`{found[0]}` and `{found[1]}` run", why, advice)
    elif found == ["NetworkManager"]:
        why = "it may take over, or take down, interfaces that `segc apply` makes"
        advice = "name the gateway's interfaces in `unmanaged-devices` of NetworkManager.conf"
        yield Finding("managers", "note", "`NetworkManager` sets up links", why, advice)
    else:
        yield Finding("managers", "ok", "no two services set up links")


def boot(host: Host, nftables: bool) -> Iterator[Finding]:
    lacking = [name for name in ENABLED if systemctl("is-enabled", name) != ["enabled"]]
    flushed = ", and `nftables.service` flushes all tables whenever it starts" if nftables else ""
    why = f"after a reboot nothing is enforced{flushed}"
    if not lacking:
        yield Finding("boot", "ok", "systemd loads the confirmed policy at boot")
    elif host.state.pointer("confirmed") is None:
        advice = "`segc install`, once a policy is applied and confirmed"
        yield Finding("boot", "note", "systemd does not load a policy at boot yet", why, advice)
    else:
        what = f"systemd does not start {', '.join(f'`{name}`' for name in lacking)} at boot"
        yield Finding("boot", "lacking", what, why, "`segc install`")


def systemctl(*arguments: str) -> list[str] | None:
    """The lines that it answers; None where no systemd runs."""
    try:
        done = run("systemctl", *arguments)
    except ApplyError:
        return None
    if "not been booted" in done.stderr or "Failed to connect" in done.stderr:
        return None
    return done.stdout.split()


CHECKS: tuple[Check, ...] = (services,)
