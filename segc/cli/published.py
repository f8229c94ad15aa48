"""Where a published port leads: its packets are others before any flow is asked."""

from __future__ import annotations

from collections.abc import Iterator

from segc.policy.model import Gateway, Policy, Publish
from segc.space.addresses import Address
from segc.space.services import one_service
from segc.trace import Packet


def sent_on(policy: Policy, packet: Packet, anywhere: bool) -> Iterator[str]:
    """What is to be asked for instead, where the packet is for an address that a gateway publishes a port on.

    With `anywhere`, the destination stands for every address of the gateway.
    """
    for gateway in policy.gateways.values():
        if packet.destination not in gateway.own:
            continue
        for each in gateway.publishes:
            target = each.target.only(packet.destination.version)
            among = packet.protocol == each.protocol and each.first <= packet.value <= each.last
            if target and among and (anywhere or _may_hold(gateway, each, packet.destination)):
                service = one_service(each.protocol, packet.value - each.first + each.target_first)
                where = f"what comes to the address of `{each.interface}` is sent on"
                yield f"{where}: ask for `{target.first()} {service}`"


def _may_hold(gateway: Gateway, publish: Publish, address: Address) -> bool:
    interface = next(each for each in gateway.interfaces if each.name == publish.interface)
    held = (*interface.addresses, *gateway.addresses.get(interface.zone or "", ()))
    return any(address == each.ip for each in held)
