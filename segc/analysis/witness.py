"""One packet that shows a finding, in words."""

from __future__ import annotations

from segc.space.addresses import address_text
from segc.space.services import ServiceSet
from segc.space.traffic import Box


def witness(box: Box) -> str:
    """`10.10.90.7 -> 10.10.10.20 tcp/22`: the lowest packet of a box that is not empty."""
    source, destination = _ends(box)
    return f"{source} -> {destination} {first_service(box.services)}"


def _ends(box: Box) -> tuple[str, str]:
    for family in (4, 6):
        here, there = box.source.ranges(family), box.destination.ranges(family)
        if here and there:
            # An address with itself tells little: within one zone take two where there are two.
            last = there[-1][1] if here[0][0] == there[0][0] else there[0][0]
            return address_text(here[0][0], family), address_text(last, family)
    if box.from_gateways:
        to = f"gateway {min(box.to_gateways)}" if box.to_gateways else str(box.destination.first())
        return f"gateway {min(box.from_gateways)}", to
    return str(box.source.first()), f"gateway {min(box.to_gateways)}"


def first_service(services: ServiceSet) -> str:
    protocol, value = services.first()
    return str(ServiceSet(((protocol, ((value, value),)),)))
