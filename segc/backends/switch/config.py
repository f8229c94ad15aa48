"""The tokens of a switch's configuration: what the templates place, decided here."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from segc.backends.switch.platforms import Platform
from segc.backends.templates import template
from segc.enforcement.layer2 import SwitchPlan, SwitchPort, SwitchVlan
from segc.frozen import frozen

PARKING_NAME = "segc-parking"
LINE = 160  # characters of VLAN numbers on one line; IOS reads lines of 254


@frozen
class VlanTokens:
    number: int
    name: str
    description: str
    secondary: int | None
    secondary_name: str


@frozen
class PortTokens:
    """`allowed` is the trunk's VLANs as `10-12,20`, in lines; `member` the VLAN an access port belongs to."""

    name: str
    description: str
    access: int | None
    member: int | None
    trunk: tuple[int, ...]
    allowed: tuple[str, ...]
    isolated: bool
    keep_from: str  # the other isolated ports
    dot1x: bool  # holds until RADIUS names the VLAN


def config_text(plan: SwitchPlan, platform: Platform, zones: Iterable[str]) -> str:
    """The configuration of a switch that has no `problems`; `zones` are all of the policy's, as names of
    VLANs must be the same on every switch.
    """
    names = vlan_names(zones, platform)
    isolated = [port.name.replace(" ", "") for port in plan.ports if port.isolated]
    private = {port.access.number for port in plan.ports if port.access and port.isolated}
    asking = any(port.dot1x for port in plan.ports)
    parked = asking or (platform.parks and any(port.trunk for port in plan.ports))
    return template("segc.backends.switch", f"{platform.name}.j2").render(
        node=plan.node,
        vlans=[_vlan(vlan, names, platform, vlan.number in private) for vlan in plan.vlans],
        ports=[_port(port, platform, isolated) for port in plan.ports],
        parking=plan.parking if parked else None,
        parking_name=PARKING_NAME,
        asking=asking,
    )


def _vlan(vlan: SwitchVlan, names: Mapping[str, str], platform: Platform, private: bool) -> VlanTokens:
    name = names[vlan.zone]
    text = f"zone {vlan.zone}" + (f": {vlan.about}" if vlan.about else "")
    secondary = vlan.secondary if private and platform.private_vlans else None
    return VlanTokens(vlan.number, name, plain(text, platform.description), secondary, f"{name}.isolated")


def _port(port: SwitchPort, platform: Platform, isolated: list[str]) -> PortTokens:
    zones = ", ".join(vlan.zone for vlan in port.trunk)
    text = f"zone {port.access.zone}" if port.access else "802.1X" if port.dot1x else f"trunk {zones}"
    numbers = tuple(vlan.number for vlan in port.trunk)
    member = port.access.number if port.access else None
    if port.access and port.isolated and platform.private_vlans:
        member = port.access.secondary
    return PortTokens(
        name=port.name,
        description=plain(text, platform.description),
        access=port.access.number if port.access else None,
        member=member,
        trunk=numbers,
        allowed=tuple(ranges(numbers)),
        isolated=port.isolated,
        keep_from=",".join(name for name in isolated if port.isolated and name != port.name.replace(" ", "")),
        dot1x=port.dot1x,
    )


def vlan_names(zones: Iterable[str], platform: Platform) -> dict[str, str]:
    """A VLAN's name for each zone: the zone's, unless that is too long, reserved, or differs from another
    only in case. Then its start and eight hex digits of its SHA-256 stand for it. Does not depend on order.
    """
    zones = sorted(zones)
    lower = Counter(zone.lower() for zone in zones)
    reserved = platform.reserved_names | {PARKING_NAME}
    fits = {
        zone
        for zone in zones
        if len(zone) <= platform.vlan_name and zone.lower() not in reserved and lower[zone.lower()] == 1
    }
    names = {zone: zone if zone in fits else _shortened(zone, platform.vlan_name) for zone in zones}
    clashes = [zone for zone in fits if zone in {names[other] for other in zones if other not in fits}]
    return names | {zone: _shortened(zone, platform.vlan_name) for zone in clashes}


def _shortened(zone: str, length: int) -> str:
    digest = hashlib.sha256(zone.encode()).hexdigest()[:8]
    return f"{zone[: length - 9]}-{digest}"


def plain(text: str, length: int) -> str:
    """Text that no platform reads as anything else: ASCII letters, digits and a few signs, cut to length."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    clean = " ".join(re.sub(r"[^A-Za-z0-9 _.,:/()+-]", " ", ascii_text).split())
    return clean if len(clean) <= length else clean[: length - 3].rstrip() + "..."


def ranges(numbers: Iterable[int]) -> list[str]:
    """`[10, 11, 12, 20]` as `["10-12,20"]`, in as many parts as lines need."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    lines: list[str] = []
    for first, last in spans:
        word = str(first) if first == last else f"{first}-{last}"
        if lines and len(lines[-1]) + len(word) < LINE:
            lines[-1] += f",{word}"
        else:
            lines.append(word)
    return lines
