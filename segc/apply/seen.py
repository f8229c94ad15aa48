"""The links of a network namespace as they are, read in three dumps."""

from __future__ import annotations

from collections.abc import Mapping
from socket import AF_INET, AF_INET6
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from segc.frozen import frozen

PVID, UNTAGGED = 2, 4  # BRIDGE_VLAN_INFO_*, linux/if_bridge.h
MASTER, SELF = 1, 2  # BRIDGE_FLAGS_*
IFF_UP, IFF_LOOPBACK = 1, 8
Vlans = Mapping[int, int]  # number to flags


@frozen
class Link:
    """`parent` and `vlan` are of sub-interfaces, the next two of bridges, `isolated` is of ports.

    `promotes` says whether the other IPv4 addresses of a network stay when the first of them goes.
    """

    name: str
    kind: str | None
    up: bool
    master: str | None
    parent: str | None
    vlan: int | None
    filtering: bool
    default_pvid: int
    isolated: bool
    promotes: bool = True


@frozen
class Seen:
    """By the names of devices: links, VLANs of bridges and their ports, addresses with prefix length."""

    links: Mapping[str, Link]
    vlans: Mapping[str, Vlans]
    addresses: Mapping[str, frozenset[str]]


def observe(links: IPRoute) -> Seen:
    messages = list(links.get_links())
    names = {each["index"]: each.get("IFLA_IFNAME") for each in messages}
    addresses: dict[str, set[str]] = {}
    for message in links.get_addr():
        local = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
        addresses.setdefault(names[message["index"]], set()).add(f"{local}/{message['prefixlen']}")
    found = (_link(each, names) for each in messages)
    return Seen(
        {each.name: each for each in found},
        {names[each["index"]]: _vlans(each) for each in links.get_vlans()},
        {name: frozenset(each) for name, each in addresses.items()},
    )


def way_to(links: IPRoute, address: str) -> tuple[str | None, str | None]:
    """The device by which packets leave for the address, and the router there; None where there is none."""
    family = AF_INET6 if ":" in address else AF_INET
    try:
        (route,) = links.route("get", dst=address, family=family)
        (device,) = links.link("get", index=route.get("RTA_OIF"))
    except (NetlinkError, ValueError):
        return None, None
    if device["flags"] & IFF_LOOPBACK:
        return None, None
    return str(device.get("IFLA_IFNAME")), route.get("RTA_GATEWAY")


def _link(message: Any, names: Mapping[int, str]) -> Link:
    info = message.get("IFLA_LINKINFO")
    data = (info and info.get("IFLA_INFO_DATA")) or {}
    port = (info and info.get("IFLA_INFO_SLAVE_DATA")) or {}
    return Link(
        names[message["index"]],
        info.get("IFLA_INFO_KIND") if info else None,
        bool(message["flags"] & IFF_UP),
        names.get(message.get("IFLA_MASTER")),
        names.get(message.get("IFLA_LINK")) if message.get("IFLA_LINK_NETNSID") is None else None,
        data.get("IFLA_VLAN_ID"),
        bool(data.get("IFLA_BR_VLAN_FILTERING")),
        data.get("IFLA_BR_VLAN_DEFAULT_PVID") or 0,
        bool(port.get("IFLA_BRPORT_ISOLATED")),
        _promotes(message),
    )


def _promotes(message: Any) -> bool:
    spec = message.get("IFLA_AF_SPEC")
    settings = spec.get("AF_INET") if spec else None
    return not settings or bool(settings.get("promote_secondaries"))


def _vlans(message: Any) -> Vlans:
    spec = message.get("IFLA_AF_SPEC")
    infos = (info for name, info in (spec["attrs"] if spec else ()) if name == "IFLA_BRIDGE_VLAN_INFO")
    return {info["vid"]: info["flags"] & (PVID | UNTAGGED) for info in infos}
