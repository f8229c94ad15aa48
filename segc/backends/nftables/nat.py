"""Address translation: `publish` (with its hairpin) and `masquerade`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from segc.backends.nftables.document import Table, comment
from segc.policy.model import Gateway, Interface, Policy, Publish
from segc.source import Span
from segc.space.prefixes import PrefixSet, parse_prefixes, union

FAMILIES = ((4, "ip", "ipv4"), (6, "ip6", "ipv6"))


def write_nat(policy: Policy, gateway: Gateway, table: Table, place: Callable[[Span], str]) -> None:
    before = [rule for publish in gateway.publishes for rule in _published(gateway, publish, place)]
    after = [rule for publish in gateway.publishes for rule in _hairpin(policy, gateway, publish, place)]
    after += [rule for interface in gateway.interfaces for rule in _masquerade(gateway, interface, place)]
    if before:
        table.chain("on_prerouting", before, hook="type nat hook prerouting priority dstnat; policy accept;")
    if after:
        table.chain("on_postrouting", after, hook="type nat hook postrouting priority srcnat; policy accept;")


def _published(gateway: Gateway, publish: Publish, place: Callable[[Span], str]) -> Iterator[str]:
    """Packets for the interface's own address; from inside, too, but not those for inner addresses."""
    interface = gateway.interface(publish.interface)
    for family, protocol, name in FAMILIES:
        for address in publish.target.prefixes(family):
            for match in _own_address(gateway, interface, family, protocol):
                for ports, to in _translations(address, family, publish):
                    to += comment(place(publish.span))
                    yield f"meta nfproto {name} {match} {ports} dnat {protocol} to {to}"


def _own_address(gateway: Gateway, interface: Interface, family: int, protocol: str) -> Iterator[str]:
    outer = union(parse_prefixes(str(address.ip)) for address in interface.addresses)
    outer |= union(
        parse_prefixes(str(address.ip)) for address in gateway.addresses.get(interface.zone or "", ())
    )
    yield from (f"{protocol} daddr {address}" for address in outer.prefixes(family))
    if interface.dhcp:
        inner: PrefixSet = gateway.own - outer
        others = f"{protocol} daddr != @own{family} " if inner.ranges(family) else ""
        yield f"{others}fib daddr type local"


def _ports(publish: Publish, first: int, last: int) -> str:
    ports = f"{first}" if first == last else f"{first}-{last}"
    return f"meta l4proto {publish.protocol} th dport {ports}"


def _translations(address: str, family: int, publish: Publish) -> Iterator[tuple[str, str]]:
    """Matches on ports and where these lead. nft cannot shift a range, so it goes port by port."""
    if publish.first == publish.target_first:
        yield _ports(publish, publish.first, publish.last), address
        return
    host = f"[{address}]" if family == 6 else address
    for port in range(publish.first, publish.last + 1):
        yield _ports(publish, port, port), f"{host}:{port - publish.first + publish.target_first}"


def _masquerade(gateway: Gateway, interface: Interface, place: Callable[[Span], str]) -> Iterator[str]:
    if not interface.masquerade:
        return
    only = "" if len(interface.masquerade) == 2 else f"meta nfproto ipv{interface.masquerade[0]} "
    for device in (a.device for a in gateway.attachments if a.interface == interface.name):
        yield f'{only}oifname "{device}" masquerade{comment(place(interface.span))}'


def _hairpin(
    policy: Policy, gateway: Gateway, publish: Publish, place: Callable[[Span], str]
) -> Iterator[str]:
    """A client in the target's own zone must see the answer come from the gateway."""
    zone = next((z for z in policy.zones.values() if publish.target <= z.space), None)
    devices = [a.device for a in gateway.attachments if zone is not None and a.zone == zone.name]
    last = publish.target_first + publish.last - publish.first
    for family, protocol, _ in FAMILIES:
        for address in publish.target.prefixes(family):
            for device in devices:
                yield (
                    f'iifname "{device}" oifname "{device}" ct status dnat {protocol} daddr {address} '
                    f"{_ports(publish, publish.target_first, last)} masquerade{comment(place(publish.span))}"
                )
