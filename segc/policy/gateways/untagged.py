"""Addresses of an interface that carries only tagged zones: they are in none of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from segc.policy.model import Zone
from segc.policy.scope import Findings
from segc.space.prefixes import parse_prefixes
from segc.syntax import tree


def report_untagged(node: tree.Interface, zones: Mapping[str, Zone], findings: Findings) -> None:
    """An address of an interface is the untagged one, and no packet of no zone is let in or out."""
    carried = [*node.trunk, *(zone for port in node.ports for zone in port.zones)]
    for word in node.addresses if carried else ():
        findings.add(
            "SEG210",
            f"`{node.name.text}` itself is in no zone, so `address {word.text}` has no effect there",
            word.span,
            "untagged, and the zones sit on its VLANs",
            help=_instead(node.name.text, word, _meant(word, carried, zones)),
        )


def _instead(interface: str, word: tree.Word, zone: Zone | None) -> str:
    name = zone.name if zone else "NAME"
    if word.text != "dhcp":
        return f"write `address {name} {word.text}` in the gateway, outside of the interface"
    device = f"{interface}.{zone.vlan if zone and zone.vlan else 'VLAN'}"
    written = f"interface {device} {{ zone {name}  address dhcp }}"
    return f"make `{device}` by other means, and write `{written}`"


def _meant(word: tree.Word, carried: Iterable[tree.Word], zones: Mapping[str, Zone]) -> Zone | None:
    """Of the zones that an interface carries, that of the address; for DHCP, the external one first."""
    found = [zone for each in carried if (zone := zones.get(each.text))]
    if word.text == "dhcp":
        return next((zone for zone in found if zone.external), found[0] if found else None)
    with suppress(ValueError):
        space = parse_prefixes(word.text.partition("/")[0])
        return next((zone for zone in found if space <= zone.space), None)
    return None
