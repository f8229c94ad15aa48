"""Addresses that cannot be what they are given to: hosts, and gateways' own ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from segc.analysis.published import check_published
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Gateway, Interface, InterfaceAddress, Policy, Zone
from segc.policy.topology import ZoneIndex
from segc.source import Span
from segc.space.addresses import address_text
from segc.space.prefixes import PrefixSet, parse_prefixes, union

# Loopback, "this network", the unspecified address and the limited broadcast (RFC 6890).
NOWHERE = union(map(parse_prefixes, ("127.0.0.0/8", "0.0.0.0/8", "255.255.255.255", "::", "::1")))
POINT_TO_POINT = 31  # from this length on, the ends of an IPv4 subnet are hosts like others (RFC 3021)


def check_addresses(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG212` where a host has a gateway's address, `SEG217` to `SEG219`, and `SEG224`."""
    for zone in policy.zones.values():
        if not zone.external:
            yield from _zone(zone)
        yield from _hosts(zone, policy)
    inner = ZoneIndex(zone for zone in policy.zones.values() if not zone.external)
    for gateway in policy.gateways.values():
        yield from _own(gateway, policy, inner)
        yield from _one_network(gateway)
        yield from _narrow(gateway, policy)
        yield from check_published(gateway, policy)


def _zone(zone: Zone) -> Iterator[Diagnostic]:
    whole = [span for span in zone.space.v4 if PrefixSet(v4=(span,)) <= NOWHERE]
    whole6 = [span for span in zone.space.v6 if PrefixSet(v6=(span,)) <= NOWHERE]
    if whole or whole6:
        space = PrefixSet(tuple(whole), tuple(whole6))
        yield _no_host(f"the zone `{zone.name}` holds {space}", zone.span, "no packet comes from there")


def _hosts(zone: Zone, policy: Policy) -> Iterator[Diagnostic]:
    ends = _subnet_ends(zone)
    for host in zone.hosts:
        for first, last in host.space.v4:
            if first == last and first in ends:
                message = f"the host `{zone.name}.{host.name}` has {address_text(first, 4)}"
                yield _no_host(message, host.span, f"is {ends[first]}")
        for gateway in policy.gateways.values():
            common = gateway.own & host.space
            if common and gateway.span is not None:
                yield finding(
                    "SEG212",
                    f"the host `{zone.name}.{host.name}` and gateway `{gateway.name}` share {common}",
                    host.span,
                    "this host",
                    also=(Label(gateway.span, "and this gateway"),),
                    help=f"give each its own address; the gateway itself is `gateway {gateway.name}`",
                )


def _subnet_ends(zone: Zone) -> dict[int, str]:
    """The first and last addresses of a zone's IPv4 subnets; of ranges that are no subnet, none."""
    ends: dict[int, str] = {}
    for span in () if zone.external else zone.space.v4:
        blocks = list(PrefixSet(v4=(span,)).blocks(4))
        if len(blocks) == 1 and blocks[0][1] < POINT_TO_POINT:
            subnet = f"`{address_text(span[0], 4)}/{blocks[0][1]}`"
            ends |= {
                span[0]: f"the network address of {subnet}",
                span[1]: f"the broadcast address of {subnet}",
            }
    return ends


def _no_host(message: str, span: Span, why: str, help: str = "correct the address") -> Diagnostic:
    return finding("SEG217", f"{message}: no host can use it", span, why, help=help)


def _own(gateway: Gateway, policy: Policy, inner: ZoneIndex) -> Iterator[Diagnostic]:
    given = [(zone, each, gateway.span) for zone, found in gateway.addresses.items() for each in found]
    given += [(i.zone, each, i.span) for i in gateway.interfaces if i.zone for each in i.addresses]
    for zone, each, span in given:
        if span is None:
            continue
        if parse_prefixes(str(each.ip)) <= NOWHERE or _is_end(each):
            first = f"{each.network[1]}/{each.network.prefixlen}" if _is_end(each) else ""
            help = f"write the gateway's own, such as `{first}`" if first else "correct the address"
            why = "not the address of one machine"
            yield _no_host(f"gateway `{gateway.name}` has `{each}`", span, why, help)
            continue
        network = parse_prefixes(str(each.network))
        met = set(inner.zones(network)) - {zone}
        if met:
            hidden = next(other for other in policy.zones.values() if other.name in met)
            yield finding(
                "SEG219",
                f"`{each}` in zone `{zone}` takes in {hidden.space & network} of zone `{hidden.name}`",
                span,
                "this gateway would look for them on the wrong link",
                also=(Label(hidden.span, "which is claimed here"),),
                help=f"write the prefix length that the subnet of `{zone}` has",
            )


def _one_network(gateway: Gateway) -> Iterator[Diagnostic]:
    """Networks that two interfaces in one zone claim: the kernel looks for all of it behind one of them.

    An address alone in its network says nothing of who is behind the interface.
    """
    seen: dict[str | None, list[tuple[Interface, InterfaceAddress]]] = {}
    for interface in gateway.interfaces:
        networks = [a for a in interface.addresses if a.network.prefixlen < a.network.max_prefixlen]
        earlier = seen.setdefault(interface.zone, [])
        for (other, first), each in product(earlier, networks):
            if each.version == first.version and each.network.overlaps(first.network):
                yield finding(
                    "SEG219",
                    f"`{each}` and `{first}` are in one network, on two interfaces of `{gateway.name}`",
                    interface.span,
                    "this gateway would look for its hosts on one of them",
                    also=(Label(other.span, "in which this one is, too"),),
                    help="write lengths that set the two links apart, or make them ports of one bridge",
                )
        earlier += [(interface, each) for each in networks]


def _narrow(gateway: Gateway, policy: Policy) -> Iterator[Diagnostic]:
    """Hosts that no network of the gateway's addresses holds, though they are on its link: that is known of a
    VLAN and of a zone that it serves DHCP to. Others may be routed."""
    by_zone: dict[str | None, list[Interface]] = {}
    for interface in gateway.interfaces:
        by_zone.setdefault(interface.zone, []).append(interface)
    for zone in policy.zones.values():
        homes = by_zone.get(zone.name, [])
        linked_to = zone.vlan is not None or zone.name in gateway.dhcp_zones
        if zone.external or not linked_to or any(home.dhcp for home in homes):
            continue
        given = [*gateway.addresses.get(zone.name, ()), *(each for home in homes for each in home.addresses)]
        linked = union(parse_prefixes(str(each.network)) for each in given)
        for each in given:
            missing = _around(each, zone) - linked
            if missing and each.max_prefixlen - each.network.prefixlen not in (1, 2):  # no two ends of a link
                yield _too_narrow(gateway, zone, each, missing)
                break


def _around(given: InterfaceAddress, zone: Zone) -> PrefixSet:
    """The subnet of the zone that holds the address."""
    found = tuple(span for span in zone.space.ranges(given.version) if span[0] <= int(given.ip) <= span[1])
    return PrefixSet(v4=found) if given.version == 4 else PrefixSet(v6=found)


def _too_narrow(gateway: Gateway, zone: Zone, given: InterfaceAddress, missing: PrefixSet) -> Diagnostic:
    return finding(
        "SEG224",
        f"`{given}` leaves out {missing} of zone `{zone.name}`",
        gateway.span or zone.span,
        "this gateway would send their answers elsewhere, by its default route",
        also=(Label(zone.span, "which is claimed here"),),
        help=f"write the prefix length that the subnet of `{zone.name}` has",
    )


def _is_end(given: InterfaceAddress) -> bool:
    ends = given.network.network_address, given.network.broadcast_address
    return given.version == 4 and given.network.prefixlen < POINT_TO_POINT and given.ip in ends
