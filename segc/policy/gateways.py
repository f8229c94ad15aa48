"""Gateways: their devices, which zones sit on them, and their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_interface

from segc.diagnostics.model import Label
from segc.policy.implied import ImpliedFlows
from segc.policy.model import (
    Attachment,
    Flow,
    Gateway,
    Interface,
    InterfaceAddress,
    Port,
    Zone,
)
from segc.policy.ports import PortReader
from segc.policy.scope import Findings
from segc.space.prefixes import PrefixSet, parse_prefixes, union
from segc.space.words import is_decimal
from segc.syntax import tree

DEVICE_NAME = 15  # IFNAMSIZ less its terminator
ALL_MARK_BITS = 0xFFFFFFFF
IMPLICIT = "gateway"


@dataclass
class GatewayReader:
    zones: Mapping[str, Zone]
    ports: PortReader
    implied: ImpliedFlows
    findings: Findings

    def gateways(self, nodes: Mapping[str, tree.GatewayDef]) -> tuple[dict[str, Gateway], list[Flow]]:
        if not nodes:
            return {IMPLICIT: implicit_gateway()}, []
        flows: list[Flow] = []
        found = {}
        for name, node in nodes.items():
            found[name] = self._gateway(node, flows)
        return found, flows

    def _gateway(self, node: tree.GatewayDef, flows: list[Flow]) -> Gateway:
        interfaces = self._interfaces(node.interfaces)
        attachments = tuple(self._attachments(interfaces))
        self._check_devices(attachments, {each.name: each for each in interfaces})
        addresses = self._addresses(node, {attachment.zone for attachment in attachments})
        publishes = tuple(self.implied.publishes(node, {i.name: i for i in interfaces}, flows))
        self.implied.manages(node, flows)
        return Gateway(
            name=node.name.text,
            implicit=False,
            interfaces=interfaces,
            attachments=attachments,
            addresses=addresses,
            own=_own(addresses, interfaces),
            dhcp_zones=self.implied.serves(node, flows),
            publishes=publishes,
            mark=self._mark(node.settings),
            span=node.name.span,
        )

    def _interfaces(self, nodes: Sequence[tree.Interface]) -> tuple[Interface, ...]:
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
        addresses = tuple(self._addresses_in(words, self.zones.get(zone or "")))
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
            self._in_no_zone(node)
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

    def _in_no_zone(self, node: tree.Interface) -> None:
        """An address of an interface is the untagged one, and no packet of no zone is let in or out."""
        carried = [*node.trunk, *(zone for port in node.ports for zone in port.zones)]
        for word in node.addresses if carried else ():
            self.findings.add(
                "SEG210",
                f"`{node.name.text}` itself is in no zone, so `address {word.text}` has no effect there",
                word.span,
                "untagged, and the zones sit on its VLANs",
                help=self._instead(node.name.text, word, carried),
            )

    def _instead(self, interface: str, word: tree.Word, carried: Iterable[tree.Word]) -> str:
        zone = self._meant(word, carried)
        name = zone.name if zone else "NAME"
        if word.text != "dhcp":
            return f"write `address {name} {word.text}` in the gateway, outside of the interface"
        device = f"{interface}.{zone.vlan if zone and zone.vlan else 'VLAN'}"
        written = f"interface {device} {{ zone {name}  address dhcp }}"
        return f"make `{device}` by other means, and write `{written}`"

    def _meant(self, word: tree.Word, carried: Iterable[tree.Word]) -> Zone | None:
        """Of the zones that an interface carries, that of the address; for DHCP, the external one first."""
        zones = [zone for each in carried if (zone := self.zones.get(each.text))]
        if word.text == "dhcp":
            return next((zone for zone in zones if zone.external), zones[0] if zones else None)
        with suppress(ValueError):
            space = parse_prefixes(word.text.partition("/")[0])
            return next((zone for zone in zones if space <= zone.space), None)
        return None

    def _loopback(self, word: tree.Word) -> None:
        self.findings.add(
            "SEG210",
            "no zone can sit on `lo`: it is the gateway's own loopback, which is always open",
            word.span,
            "leads to nobody else",
            help="name the device that leads to the zone",
        )

    def _attachments(self, interfaces: Iterable[Interface]) -> Iterable[Attachment]:
        for interface in interfaces:
            name = interface.name
            if interface.zone is not None:
                yield Attachment(name, interface.zone, name, None)
            carried = set(interface.trunk)
            for port in interface.ports:
                carried.update(port.trunk)
                if port.access is not None:
                    carried.add(port.access)
            for zone in sorted(carried - {interface.zone}):
                vlan = self.zones[zone].vlan
                yield Attachment(f"{name}.{vlan or 0}", zone, name, vlan)

    def _check_devices(self, attachments: Iterable[Attachment], interfaces: Mapping[str, Interface]) -> None:
        for attachment in attachments:
            if not _names_device(attachment.device):
                self.findings.add(
                    "SEG501",
                    f"Linux cannot name a device `{attachment.device}`",
                    interfaces[attachment.interface].span,
                    f"carries zone `{attachment.zone}`",
                    help=f"it can have {DEVICE_NAME} letters, digits and `._-@`, the VLAN's number included",
                )

    def _addresses(
        self, node: tree.GatewayDef, attached: set[str]
    ) -> dict[str, tuple[InterfaceAddress, ...]]:
        found: dict[str, list[InterfaceAddress]] = {}
        for given in node.addresses:
            name = self.ports.zone(given.zone)
            if name is None:
                continue
            if name not in attached:
                self._not_attached(node, given.zone)
            found.setdefault(name, []).extend(self._addresses_in(given.addresses, self.zones[name]))
        return {name: tuple(dict.fromkeys(found[name])) for name in sorted(found)}

    def _addresses_in(self, words: Iterable[tree.Word], zone: Zone | None) -> Iterable[InterfaceAddress]:
        """Those that can be read, each held to the subnets of the zone that it is given in."""
        for word in words:
            address = self._interface_address(word)
            if address is None:
                continue
            if zone is not None and address.ip not in zone.space and not _link_local(address):
                self._outside(word, zone)
            yield address

    def _not_attached(self, node: tree.GatewayDef, word: tree.Word) -> None:
        self.findings.add(
            "SEG210",
            f"gateway `{node.name.text}` has an address in `{word.text}` but no interface there",
            word.span,
            help=f"add `zone {word.text}` or `trunk {word.text}` to one of its interfaces",
        )

    def _outside(self, word: tree.Word, zone: Zone) -> None:
        self.findings.add(
            "SEG211",
            f"`{word.text}` lies outside zone `{zone.name}`",
            word.span,
            "in no subnet of the zone",
            also=(Label(zone.span, f"has {zone.space or 'no subnet'}"),),
            help="choose an address of the zone",
        )

    def _interface_address(self, word: tree.Word) -> InterfaceAddress | None:
        address, _, length = word.text.partition("/")
        parsed: InterfaceAddress | None = None
        with suppress(ValueError):
            parse_prefixes(address)
            parsed = ip_interface(word.text)
        if parsed and is_decimal(length):
            return parsed
        example = f"`{parsed}`" if parsed and length else "`10.10.10.1/24` or `2001:db8:10::1/64`"
        self.findings.add(
            "SEG104",
            f"`{word.text}` is not an address with its prefix length",
            word.span,
            help=f"write it as {example}",
        )
        return None

    def _mark(self, settings: Sequence[tree.Setting]) -> int:
        marks = [setting for setting in settings if setting.key.text == "mark"]
        for again in marks[1:]:
            self.findings.repeated("`mark`", again.key, marks[0].span)
        if not marks:
            return ALL_MARK_BITS
        word = marks[0].values[0]
        if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", word.text) and int(word.text, 16):
            return int(word.text, 16)
        self.findings.add(
            "SEG104",
            f"`{word.text}` is not a mask of mark bits",
            word.span,
            help="write the bits that segc may use as `0xffff0000`",
        )
        return ALL_MARK_BITS


def _link_local(address: InterfaceAddress) -> bool:
    """Whether it is one that every IPv6 link has beside its subnets."""
    return address.version == 6 and address.ip.is_link_local


def _names_device(text: str) -> bool:
    """Whether Linux and its tools take this name; one that starts with `-` is an option to them."""
    return bool(re.fullmatch(rf"(?!-|\.\.?$)[A-Za-z0-9_.@-]{{1,{DEVICE_NAME}}}", text))


def implicit_gateway() -> Gateway:
    return Gateway(IMPLICIT, True, (), (), {}, PrefixSet(), (), (), ALL_MARK_BITS, None)


def _own(addresses: Mapping[str, Iterable[InterfaceAddress]], interfaces: Iterable[Interface]) -> PrefixSet:
    found = [address for given in addresses.values() for address in given]
    found += [address for interface in interfaces for address in interface.addresses]
    return union(parse_prefixes(str(address.ip)) for address in found)
