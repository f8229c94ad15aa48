"""One VLAN, one zone: but for sites that no gateway and no switch of the policy joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from segc.diagnostics.model import Label
from segc.policy.model import Admission, Gateway, Port, Switch, Zone
from segc.policy.scope import Findings


def check_vlans(
    zones: Mapping[str, Zone],
    gateways: Mapping[str, Gateway],
    switches: Mapping[str, Switch],
    admissions: Sequence[Admission],
    findings: Findings,
) -> None:
    """`SEG204`, or `SEG226` where the zones of a VLAN lie at sites of their own.

    What 802.1X takes in is in one VLAN wherever it asks, so its zones are at no site.
    """
    sites = _sites(gateways, switches)
    everywhere = {each.zone for each in admissions}
    by_vlan: dict[int, list[Zone]] = {}
    for zone in zones.values():
        if zone.vlan is not None:
            by_vlan.setdefault(zone.vlan, []).append(zone)
    for vlan, sharing in by_vlan.items():
        if len(sharing) > 1:
            taken_in = [zone.name for zone in sharing if zone.name in everywhere]
            _tell(vlan, sharing, _apart(sharing, sites), taken_in, findings)


def _sites(gateways: Mapping[str, Gateway], switches: Mapping[str, Switch]) -> dict[str, set[str]]:
    """The nodes that carry each zone."""
    found: dict[str, set[str]] = {}
    for gateway in gateways.values():
        for attachment in gateway.attachments:
            found.setdefault(attachment.zone, set()).add(gateway.name)
        for interface in gateway.interfaces:
            _add_ports(interface.ports, gateway.name, found)
    for switch in switches.values():
        _add_ports(switch.ports, switch.name, found)
    return found


def _add_ports(ports: Sequence[Port], node: str, found: dict[str, set[str]]) -> None:
    for zone in (name for port in ports for name in (port.access, *port.trunk) if name):
        found.setdefault(zone, set()).add(node)


def _apart(zones: Sequence[Zone], sites: Mapping[str, set[str]]) -> bool:
    where = [sites.get(zone.name, set()) for zone in zones]
    return all(where) and all(one.isdisjoint(other) for one, other in combinations(where, 2))


def _tell(vlan: int, zones: Sequence[Zone], apart: bool, taken_in: Sequence[str], findings: Findings) -> None:
    first, *others = zones
    for zone in others:
        also = (Label(first.span, "and this one"),)
        if apart and not taken_in:
            findings.add(
                "SEG226",
                f"VLAN {vlan} is another zone at another site",
                zone.span,
                "this zone",
                also=also,
                help="see to it that no link between the sites carries this VLAN",
            )
        else:
            why = f"802.1X puts people into `{taken_in[0]}` by this number at every site; " if apart else ""
            findings.add(
                "SEG204",
                f"VLAN {vlan} belongs to two zones",
                zone.span,
                "this zone",
                also=also,
                help=f"{why}a VLAN is one zone: give each its own number, or merge the zones",
            )
