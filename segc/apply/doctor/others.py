"""Tables of others that see the same packets. They are told, and never touched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from segc.apply.doctor.model import Check, Finding, Host, unseen
from segc.apply.errors import ApplyError
from segc.apply.host import nft
from segc.frozen import frozen

OURS = {("inet", "segc"), ("bridge", "segc")}
DECIDING = ("forward", "input", "output")
# By the names of the table and its chains.
OWNERS = (
    (r"docker", "Docker", 'let Docker leave rules alone (`"iptables": false`), and give containers a zone'),
    (
        r"firewalld",
        "firewalld",
        "`systemctl disable --now firewalld`, or let it allow what the policy allows",
    ),
    (r"ufw6?-", "ufw", "`ufw disable`, or let it allow what the policy allows"),
    (r"libvirt", "libvirt", "give its networks zones, or use bridges of the policy's in place of them"),
    (r"kube-|cali-|cilium", "Kubernetes", "keep gateways and nodes of a cluster apart"),
    (r"netavark", "Podman", "give its networks zones: it publishes ports by itself"),
    (r"f2b-", "fail2ban", "nothing: whom it bans stays banned"),
)
SHOW = "make it allow what the policy allows, or delete it, if it is nobody's"


@frozen
class Hook:
    """A base chain; `policy` is what becomes of a packet that none of its rules decides."""

    kind: str
    point: str
    priority: int
    policy: str

    def __str__(self) -> str:
        last = ", policy drop" if self.policy == "drop" else ""
        return f"{self.point} ({self.kind}, priority {self.priority}{last})"


@frozen
class Table:
    family: str
    name: str
    chains: tuple[str, ...]
    hooks: tuple[Hook, ...]

    @property
    def decides(self) -> bool:
        return any(hook.kind == "filter" and hook.point in DECIDING for hook in self.hooks)


def tables(host: Host) -> Iterator[Finding]:
    if not host.may_look:
        yield unseen("tables", "tables of others")
        return
    found = [table for table in foreign(nft("-j", "list", "chains")) if table.hooks]
    yield from map(_told, found)
    if not any(table.decides for table in found):
        yield Finding("tables", "ok", "no other nftables table decides what passes")


def foreign(listing: str) -> list[Table]:
    """Tables but segc's in what `nft -j list chains` prints, in its order."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in json.loads(listing)["nftables"]:
        if chain := each.get("chain"):
            grouped.setdefault((chain["family"], chain["table"]), []).append(chain)
    return [_table(*key, chains) for key, chains in grouped.items() if key not in OURS]


def _table(family: str, name: str, chains: list[dict[str, Any]]) -> Table:
    hooks = (
        Hook(chain["type"], chain["hook"], chain["prio"], chain.get("policy", "accept"))
        for chain in chains
        if "hook" in chain
    )
    return Table(family, name, tuple(chain["name"] for chain in chains), tuple(hooks))


def _told(table: Table) -> Finding:
    owners = _owners(table)
    of = f" of {' and '.join(owners)}" if owners else ""
    verb = "decides too" if table.decides else "sees packets too"
    what = f"`table {table.family} {table.name}`{of} {verb}: {'; '.join(map(str, table.hooks))}"
    show = f"`nft list table {table.family} {table.name}` shows it"
    return Finding("tables", "note", what, _why(table), f"{show}; {'; '.join(owners.values()) or SHOW}")


def _why(table: Table) -> str:
    if table.decides:
        return "a packet passes only where every table lets it: what this one drops stays dropped"
    if any(hook.kind == "nat" for hook in table.hooks):
        return "the policy judges destinations as it leaves them, and sources as they are before it"
    return "it may drop or change packets before the policy judges them"


def _owners(table: Table) -> dict[str, str]:
    """Who writes to the table, and what to do about each."""
    names = "\n".join((table.name, *table.chains))
    found = (each for each in OWNERS if re.search(rf"^({each[0]})", names, re.IGNORECASE | re.MULTILINE))
    return {owner: advice for _, owner, advice in found}


def flowtables(host: Host) -> Iterator[Finding]:
    if not host.may_look:
        return
    for each in json.loads(nft("-j", "list", "flowtables"))["nftables"]:
        if flowtable := each.get("flowtable"):
            place = " ".join(flowtable[key] for key in ("family", "table", "name"))
            why = "connections in it pass by all chains: they go on when their session or hour has ended"
            yield Finding("flowtables", "note", f"flowtable `{place}` takes shortcuts", why, "delete it")


def legacy(_: Host) -> Iterator[Finding]:
    """The tables of iptables-legacy, which nft does not list."""
    for family, program in (("ip", "iptables"), ("ip6", "ip6tables")):
        path = Path(f"/proc/thread-self/net/{family}_tables_names")
        try:
            found = path.read_text().split() if path.exists() else []
        except PermissionError:
            yield unseen("legacy", f"tables of {program}-legacy")
            continue
        if found:
            what = f"tables of {program}-legacy are in use: {', '.join(found)}"
            why = "they decide as well, and `nft list ruleset` does not show them"
            advice = f"`{program}-legacy-save` shows them; move them to nftables, then unload {family}_tables"
            yield Finding("legacy", "note", what, why, advice)


def may_look() -> bool:
    """Whether the kernel tells us its tables."""
    with suppress(ApplyError):
        nft("list", "tables")
        return True
    return False


CHECKS: tuple[Check, ...] = (tables, flowtables, legacy)
