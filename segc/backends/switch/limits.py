"""What a switch cannot be told: an error at the port or the zone, never a configuration that does less."""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.switch.platforms import Platform
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.enforcement.layer2 import SwitchPlan, SwitchPort
from segc.source import Span

WITHOUT_ASKING = "connect these devices to a switch that can, such as cisco-ios, or name the port's zone"
WITHOUT_ISOLATION = "connect these devices to a switch that can, such as cisco-ios, aruba-cx or junos"


def problems(plan: SwitchPlan, platform: Platform) -> Iterator[Diagnostic]:
    """`SEG503` for each statement about this switch that its platform cannot express."""
    yield from _vlans(plan, platform)
    seen: set[Span] = set()  # a range of ports is one statement
    for port in plan.ports:
        for found in _port(port, plan, platform):
            if port.span not in seen:
                seen.add(port.span)
                yield found


def _vlans(plan: SwitchPlan, platform: Platform) -> Iterator[Diagnostic]:
    for vlan in plan.vlans:
        if vlan.number in platform.reserved_vlans:
            why = "holds every port that nobody configured" if vlan.number == 1 else "is reserved"
            yield finding(
                "SEG503",
                f"zone `{vlan.zone}` cannot have VLAN {vlan.number} on {platform.name}: it {why}",
                vlan.span,
                also=(Label(plan.span, "is to carry it"),),
                help="give the zone another VLAN",
            )
    short = any(vlan.secondary is None for vlan in plan.vlans) and platform.private_vlans
    isolated = {port.access.number for port in plan.ports if port.access and port.isolated}
    for vlan in plan.vlans:
        if short and vlan.number in isolated and vlan.secondary is None:
            yield _no_number(plan, f"isolate ports of zone `{vlan.zone}`")
    if plan.parking is None and platform.parks and any(port.trunk for port in plan.ports):
        yield _no_number(plan, "keep untagged frames out of trunks")
    elif plan.parking is None and any(port.dot1x for port in plan.ports):
        yield _no_number(plan, "hold ports until 802.1X knows who is there")


def _no_number(plan: SwitchPlan, purpose: str) -> Diagnostic:
    return finding(
        "SEG503",
        f"no VLAN is left to {purpose}",
        plan.span,
        f"{plan.platform} needs one that no zone has",
        help="leave a number between 1006 and 3999 to the switches",
    )


def _port(port: SwitchPort, plan: SwitchPlan, platform: Platform) -> Iterator[Diagnostic]:
    if not platform.port.fullmatch(port.name):
        yield finding(
            "SEG503",
            f"`{port.name}` is no port of {platform.name}",
            port.span,
            f"on switch `{plan.node}`",
            help=f"write its name in full, as `{platform.example}`",
        )
    if port.dot1x:
        yield from _asking(port, platform)
    if port.isolated and port.trunk and not platform.isolates_trunks:
        yield finding(
            "SEG503",
            f"{platform.name} cannot isolate a trunk",
            port.span,
            help="isolate the ports behind it instead, and delete `isolated` here",
        )
    if port.isolated and not platform.isolates and sum(each.isolated for each in plan.ports) > 1:
        zone = port.access.zone if port.access else ""
        yield finding(
            "SEG503",
            f"{platform.name} cannot keep ports of one VLAN apart",
            port.span,
            f"isolated, or in zone `{zone}` with `intra deny`" if zone else "isolated",
            help=WITHOUT_ISOLATION,
        )


def _asking(port: SwitchPort, platform: Platform) -> Iterator[Diagnostic]:
    if not platform.dot1x:
        yield finding(
            "SEG503",
            f"{platform.name} takes no VLAN from RADIUS, so no port of it can ask by 802.1X",
            port.span,
            help=WITHOUT_ASKING,
        )
    elif port.isolated and platform.private_vlans:
        yield finding(
            "SEG503",
            f"{platform.name} cannot isolate a port that 802.1X puts into a VLAN",
            port.span,
            "isolated by a private VLAN, and RADIUS names the zone's",
            help="give isolated ports their zone, and delete `isolated` here",
        )
    elif port.open_to is not None:
        yield finding(
            "SEG503",
            f"no switch can isolate a port only while it is in zone `{port.open_to.zone}`",
            port.span,
            also=(Label(port.open_to.span, "`intra deny`"),),
            help="write `isolated` behind the port, so that it is in every zone, or keep the zone off 802.1X",
        )
