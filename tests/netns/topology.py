"""The stage: a gateway's namespace, one namespace for all that is outside, a veth pair per interface.

Nothing is resolved and nothing waits: beyond each interface stands a router that does not exist, with a
permanent neighbour entry, and every prefix of the interface is routed through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_interface, ip_network

from tests.netns.namespace import Namespace, ip_batch, sysctl

SENTINEL_OUT, SENTINEL_IN = "sentinel0", "sentinel1"


@dataclass(frozen=True, slots=True)
class InterfaceSpec:
    """One interface of the gateway.

    `addresses` are the gateway's own, with prefix length, such as `10.10.10.1/24`; the rest of that prefix
    is reachable there, as are the `routes` (prefixes) and, with `default`, everything else.
    """

    addresses: Sequence[str] = ()
    routes: Sequence[str] = ()
    default: bool = False

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Every prefix beyond the interface, each once."""
        own = [str(ip_interface(a).network) for a in self.addresses]
        everything = ["0.0.0.0/0", "::/0"] if self.default else []
        single = [p for p in (*own, *self.routes) if ip_network(p).num_addresses > 1 or p in self.routes]
        return tuple(dict.fromkeys((*single, *everything)))


@dataclass(frozen=True, slots=True)
class Link:
    """The veth pair behind one gateway interface: names and MAC addresses of its two ends and the router."""

    name: str
    index: int

    @property
    def peer(self) -> str:
        return f"out{self.index}"

    def mac(self, role: int) -> str:
        return f"02:5e:{role:02x}:00:{self.index >> 8:02x}:{self.index & 255:02x}"

    @property
    def gateway_mac(self) -> str:
        return self.mac(1)

    @property
    def router_mac(self) -> str:
        return self.mac(2)

    @property
    def router4(self) -> str:
        return f"169.254.{100 + (self.index >> 8)}.{self.index & 255}"

    @property
    def header(self) -> bytes:
        """Ethernet addresses of a frame from the router to the gateway."""
        return bytes.fromhex((self.gateway_mac + self.router_mac).replace(":", ""))


def _addresses(link: Link, spec: InterfaceSpec) -> Iterator[str]:
    yield f"addr add fe80::1/64 dev {link.name} nodad"
    for address in spec.addresses:
        # noprefixroute: the address stays what it is, broadcast included, but the prefix has no neighbours.
        flags = "noprefixroute nodad" if ":" in address else "brd + noprefixroute"
        yield f"addr add {address} dev {link.name} {flags}"


def routes(link: Link, spec: InterfaceSpec) -> Iterator[str]:
    yield f"neigh add {link.router4} lladdr {link.router_mac} dev {link.name} nud permanent"
    yield f"neigh add fe80::2 lladdr {link.router_mac} dev {link.name} nud permanent"
    own = {str(ip_interface(a).network): str(ip_interface(a).ip) for a in spec.addresses}
    for prefix in spec.prefixes:
        via = "fe80::2" if ":" in prefix else f"{link.router4} onlink"
        source = f" src {own[prefix]}" if prefix in own else ""
        yield f"route replace {prefix} via {via} dev {link.name}{source}"


def host_lines(link: Link, addresses: Sequence[str]) -> Iterator[str]:
    """`ip` lines that make the far end of a link, moved into a namespace, a host with these addresses."""
    yield "link set lo up"
    yield f"link set {link.peer} arp on address {link.router_mac} up"
    for address in addresses:
        flags = "/128 nodad" if ":" in address else "/32"
        yield f"addr add {address}{flags} dev {link.peer}"
    yield f"addr add fe80::2/64 dev {link.peer} nodad"
    yield f"neigh add {link.router4} lladdr {link.gateway_mac} dev {link.peer} nud permanent"
    yield f"neigh add fe80::1 lladdr {link.gateway_mac} dev {link.peer} nud permanent"
    if any(":" not in address for address in addresses):
        yield f"route add default via {link.router4} onlink dev {link.peer}"
    if any(":" in address for address in addresses):
        yield f"route add ::/0 via fe80::1 dev {link.peer}"


def quiet(forward: bool) -> None:
    """Settings before any link exists: no router solicitations, no DAD, no limits on what is refused."""
    sysctl(ipv6__conf__default__accept_dad=0, ipv6__conf__default__accept_ra=0)
    sysctl(ipv6__conf__default__addr_gen_mode=1, ipv6__conf__default__router_solicitations=0)
    if not forward:
        sysctl(ipv6__conf__all__disable_ipv6=1, ipv6__conf__default__disable_ipv6=1)
        return
    for scope in ("all", "default"):
        sysctl(**{f"ipv4__conf__{scope}__rp_filter": 0, f"ipv4__conf__{scope}__send_redirects": 0})
        sysctl(**{f"ipv6__conf__{scope}__forwarding": 1})
    sysctl(ipv4__ip_forward=1, ipv4__icmp_ratelimit=0, ipv4__icmp_ratemask=0)
    sysctl(ipv6__icmp__ratelimit=0, ipv6__icmp__ratemask="")


def raise_gateway(
    gateway: Namespace, outside: Namespace, interfaces: Mapping[str, InterfaceSpec]
) -> dict[str, Link]:
    """Build the links, addresses and routes. About 10 ms an interface."""
    links = {name: Link(name, index) for index, name in enumerate(interfaces, 1)}
    inner = ["link set lo up"]
    for link in links.values():
        inner.append(
            f"link add name {link.name} address {link.gateway_mac} type veth"
            f" peer name {link.peer} address {link.mac(3)} netns {outside.path}"
        )
        inner += [f"link set {link.name} up", *_addresses(link, interfaces[link.name])]
    outer = ["link set lo up", f"link add name {SENTINEL_OUT} type veth peer name {SENTINEL_IN}"]
    names = [SENTINEL_OUT, SENTINEL_IN, *(link.peer for link in links.values())]
    outer += [f"link set {name} arp off up" for name in names]
    behind = [line for link in links.values() for line in routes(link, interfaces[link.name])]
    outside.call(partial(quiet, False))
    gateway.call(partial(quiet, True))
    gateway.call(partial(ip_batch, inner))
    outside.call(partial(ip_batch, outer))
    gateway.call(partial(ip_batch, behind))
    return links
