"""Interfaces of gateways, and the zones on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segc.diagnostics.model import Label
from segc.policy.gateways.addresses import AddressReader
from segc.policy.gateways.untagged import report_untagged
from segc.policy.model import Interface, Port
from segc.policy.ports import PortReader
from segc.policy.scope import Findings
from segc.syntax import tree


@dataclass
class InterfaceReader:
    ports: PortReader
    addresses: AddressReader
    findings: Findings

    def interfaces(self, nodes: Sequence[tree.Interface]) -> tuple[Interface, ...]:
        found: dict[str, Interface] = {}
        for node in nodes:
            interface = self._interface(node)
            first = found.setdefault(interface.name, interface)
            if first is not interface:
                self.ports.conflict(
                    f"the interface `{interface.name}` is described twice", interface.span, first.span
                )
        return tuple(found[name] for name in sorted(found))

    def _interface(self, node: tree.Interface) -> Interface:
        for again in node.zones[1:]:
            self.findings.repeated("`zone`", again, node.zones[0].span)
        words = [word for word in node.addresses if word.text != "dhcp"]
        zone = self.ports.zone(node.zones[0]) if node.zones else None
        addresses = tuple(self.addresses.read(words, self.ports.zones.get(zone or "")))
        bridge = node.bridge or bool(node.ports)
        if not (node.zones or node.trunk or bridge):
            self._nothing_on(node)
        if node.name.text == "lo":
            self._loopback(node.name)
        if zone is not None:
            self._both_ways(node, zone)
            if bridge and (node.ports or node.trunk):
                self.ports.trunk(node.zones[:1], tagged=False)
        elif not node.zones:
            report_untagged(node, self.ports.zones, self.findings)
        return Interface(
            name=node.name.text,
            zone=zone,
            trunk=self.ports.trunk(node.trunk),
            bridge=bridge,
            ports=self._bridge_ports(node.ports),
            dhcp=len(words) < len(node.addresses),
            addresses=addresses,
            masquerade=node.masquerade,
            span=node.name.span,
        )

    def _bridge_ports(self, nodes: Sequence[tree.Port]) -> tuple[Port, ...]:
        for node in nodes:
            if node.dot1x:
                self.findings.add(
                    "SEG107",
                    f"the port `{node.name.text}` of a gateway's bridge cannot ask by 802.1X",
                    node.span,
                    help="name its zone: a Linux bridge takes no VLAN from RADIUS, as a `switch` does",
                )
        return self.ports.ports(node for node in nodes if not node.dot1x)

    def _nothing_on(self, node: tree.Interface) -> None:
        self.findings.add(
            "SEG109",
            f"the interface `{node.name.text}` carries no zone",
            node.name.span,
            help="add `zone NAME`, `trunk NAME, NAME` or `bridge` with its ports",
        )

    def _both_ways(self, node: tree.Interface, zone: str) -> None:
        for word in node.trunk:
            if word.text == zone:
                self.findings.add(
                    "SEG210",
                    f"zone `{zone}` cannot be both untagged and tagged on `{node.name.text}`",
                    word.span,
                    "tagged here",
                    also=(Label(node.zones[0].span, "untagged here"),),
                    help="keep the one that the other end of the cable does",
                )

    def _loopback(self, word: tree.Word) -> None:
        self.findings.add(
            "SEG210",
            "no zone can sit on `lo`: it is the gateway's own loopback, which is always open",
            word.span,
            "leads to nobody else",
            help="name the device that leads to the zone",
        )
