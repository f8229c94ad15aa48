"""Where a packet for a published port goes on to, before anything is decided about it."""

from __future__ import annotations

from collections.abc import Iterator

from segc.policy.model import Gateway, Policy, Publish
from segc.space.addresses import Address
from segc.space.prefixes import parse_prefixes, union
from segc.space.services import ServiceSet, one_service
from segc.trace import Packet, locate


def publishes(policy: Policy, source: Address, destination: Address) -> tuple[Publish, ...]:
    """What a gateway publishes on this own address of it, to whoever reaches it first on the way.

    An address that an interface asks DHCP for is not known, so it leads nowhere here."""
    own, zone = locate(policy, destination).gateway, locate(policy, source).zone
    if own is None:
        return ()
    gateway = policy.gateways[own]
    if zone not in gateway.zones:
        return ()
    return tuple(_on(gateway, destination))


def elsewhere(policy: Policy, gateway: str, packet: Packet) -> Iterator[str]:
    """What is to be asked for instead, where the packet stands for those to any address of the gateway."""
    for publish in policy.gateways[gateway].publishes:
        target = publish.target.only(packet.destination.version)
        if target and publish.outer.contains(packet.protocol, packet.value):
            goes = onward(publish, packet)
            service = one_service(goes.protocol, goes.value)
            where = f"what comes to the address of `{publish.interface}` is sent on"
            yield f"{where}: ask for `{goes.destination} {service}`"


def _on(gateway: Gateway, address: Address) -> Iterator[Publish]:
    for publish in gateway.publishes:
        interface = gateway.interface(publish.interface)
        outer = (*interface.addresses, *gateway.addresses.get(interface.zone or "", ()))
        here = union(parse_prefixes(str(each.ip)) for each in outer)
        if address in here and publish.target.only(address.version):
            yield publish


def onward(publish: Publish | None, packet: Packet) -> Packet:
    """The packet as it goes on, which is as it is where nothing is published."""
    if publish is None:
        return packet
    target = publish.target.only(packet.destination.version).first()
    return packet._replace(destination=target, value=packet.value - publish.first + publish.target_first)


def shifted(services: ServiceSet, publish: Publish) -> ServiceSet:
    """The services that arrive as these ports of the published ones."""
    return _moved(services & publish.outer, publish.target_first - publish.first)


def asked_as(services: ServiceSet, publish: Publish) -> ServiceSet:
    """The published ports that arrive as some of these services."""
    return _moved(services & publish.inner, publish.first - publish.target_first)


def _moved(services: ServiceSet, by: int) -> ServiceSet:
    return ServiceSet(
        tuple(
            (protocol, tuple((first + by, last + by) for first, last in ports))
            for protocol, ports in services.parts
        )
    )
