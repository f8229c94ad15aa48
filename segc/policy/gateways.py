"""Gateways and switches: devices, ports and addresses, and the flows that gateways imply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_interface

from segc.diagnostics.model import Label
from segc.policy.ends import EndTable, term_text
from segc.policy.flows import gateway_end, make_flow
from segc.policy.model import (
    Attachment,
    End,
    Flow,
    Gateway,
    Interface,
    InterfaceAddress,
    Port,
    Publish,
    Switch,
    Zone,
)
from segc.policy.scope import Findings
from segc.policy.services import ServiceTable
from segc.source import Span
from segc.space.prefixes import PrefixSet, parse_prefixes
from segc.space.services import ServiceSet, parse_service
from segc.syntax import tree

DEVICE_NAME = 15  # IFNAMSIZ less its terminator
ALL_MARK_BITS = 0xFFFFFFFF
IMPLICIT = "gateway"
PLATFORMS = ("cisco-ios", "arista-eos", "junos", "aruba-cx", "linux-bridge", "openwrt")
SERVED = {
    "dhcp": (("udp", "67"), ("udp", "547")),
    "dns": (("tcp", "53"), ("udp", "53")),
    "ntp": (("udp", "123"),),
}


@dataclass
class GatewayReader:
    zones: Mapping[str, Zone]
    ends: EndTable
    services: ServiceTable
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
        publishes = tuple(self._publishes(node, {i.name: i for i in interfaces}, flows))
        self._manages(node, flows)
        return Gateway(
            name=node.name.text,
            implicit=False,
            interfaces=interfaces,
            attachments=attachments,
            addresses=addresses,
            own=_own(addresses, interfaces),
            dhcp_zones=self._serves(node, flows),
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
                self._conflict(
                    f"the interface `{interface.name}` is described twice", interface.span, first.span
                )
        return tuple(found[name] for name in sorted(found))

    def _interface(self, node: tree.Interface) -> Interface:
        for again in node.zones[1:]:
            self.findings.repeated("`zone`", again, node.zones[0].span)
        addresses = [word for word in node.addresses if word.text != "dhcp"]
        bridge = node.bridge or bool(node.ports)
        if not (node.zones or node.trunk or bridge):
            self._nothing_on(node)
        return Interface(
            name=node.name.text,
            zone=self._zone(node.zones[0]) if node.zones else None,
            trunk=self._trunk(node.trunk),
            bridge=bridge,
            ports=self._ports(node.ports),
            dhcp=len(addresses) < len(node.addresses),
            addresses=tuple(filter(None, map(self._interface_address, addresses))),
            masquerade=node.masquerade,
            span=node.name.span,
        )

    def _nothing_on(self, node: tree.Interface) -> None:
        self.findings.add(
            "SEG109",
            f"the interface `{node.name.text}` carries no zone",
            node.name.span,
            help="add `zone NAME`, `trunk NAME, NAME` or `bridge` with its ports",
        )

    def _zone(self, word: tree.Word) -> str | None:
        if word.text in self.zones:
            return word.text
        help = f"define it: `zone {word.text} {{ subnet 10.0.0.0/24 }}`"
        self.findings.unknown("zone", word, self.zones, help)
        return None

    def _trunk(self, words: Iterable[tree.Word], tagged: bool = True) -> tuple[str, ...]:
        """The zones of these names; each needs a VLAN, also where its frames leave a port `tagged` or not."""
        names = set()
        for word in words:
            name = self._zone(word)
            if name is None:
                continue
            names.add(name)
            if self.zones[name].vlan is None:
                what = "a trunk cannot carry it" if tagged else "no port can be in it"
                self.findings.add(
                    "SEG208",
                    f"the zone `{name}` has no VLAN, so {what}",
                    word.span,
                    "tagged here" if tagged else "untagged here, and set apart by its VLAN inside",
                    also=(Label(self.zones[name].span, "defined without `vlan`"),),
                    help=f"add `vlan NUMBER` to zone `{name}`",
                )
        return tuple(sorted(names))

    def _ports(self, nodes: Sequence[tree.Port]) -> tuple[Port, ...]:
        found: dict[str, Port] = {}
        for node in nodes:
            for port in self._port(node):
                first = found.setdefault(port.name, port)
                if first is not port:
                    self._conflict(f"the port `{port.name}` is described twice", node.name.span, first.span)
        return tuple(found.values())

    def _port(self, node: tree.Port) -> Iterable[Port]:
        access = None
        if not node.trunk and node.zones:
            access = self._zone(node.zones[0])
            if access is not None:
                self._trunk(node.zones[:1], tagged=False)
        trunk = self._trunk(node.zones) if node.trunk else ()
        try:
            names = expand_ports(node.name.text)
        except ValueError as error:
            self.findings.add("SEG104", str(error), node.name.span, "not a range of ports")
            names = (node.name.text,)
        return (Port(name, access, trunk, node.isolated, node.span) for name in names)

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
            name = self._zone(given.zone)
            if name is None:
                continue
            if name not in attached:
                self._not_attached(node, given.zone)
            for word in given.addresses:
                address = self._interface_address(word)
                if address is None:
                    continue
                if address.ip not in self.zones[name].space:
                    self._outside(word, self.zones[name])
                found.setdefault(name, []).append(address)
        return {name: tuple(dict.fromkeys(found[name])) for name in sorted(found)}

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
        address, slash, _ = word.text.partition("/")
        try:
            parse_prefixes(address)
            parsed: InterfaceAddress = ip_interface(word.text)
        except ValueError:
            slash = ""
        if slash:
            return parsed
        self.findings.add(
            "SEG104",
            f"`{word.text}` is not an address with its prefix length",
            word.span,
            help="write it as `10.10.10.1/24` or `2001:db8:10::1/64`",
        )
        return None

    def _serves(self, node: tree.GatewayDef, flows: list[Flow]) -> tuple[str, ...]:
        dhcp: set[str] = set()
        for serve in node.serves:
            end = self.ends.end(serve.to)
            for service in serve.services:
                name = service.name if isinstance(service, tree.ServiceName) else ""
                if name == "dhcp":
                    dhcp.update(self._dhcp_zones(end, serve))
                flows.append(
                    make_flow(
                        action="allow",
                        source=end,
                        destination=gateway_end(node.name.text),
                        services=self._served(service, name),
                        kind="serve",
                        span=serve.span,
                    )
                )
        return tuple(sorted(dhcp))

    def _dhcp_zones(self, end: End, serve: tree.Serve) -> list[str]:
        """The zones in which DHCP is served; who has no address yet can be told apart by nothing else."""
        zones = [zone for zone in self.zones.values() if zone.space.overlaps(end.space)]
        subjects = any(part.subject or part.unless for part in end.parts)
        if subjects or end.gateways or not all(zone.space <= end.space for zone in zones):
            self.findings.add(
                "SEG503",
                "`dhcp` is served to whole zones only",
                serve.to.span,
                "who asks for an address has none yet",
                help="write the zones that it is served to",
            )
        return [zone.name for zone in zones]

    def _served(self, service: tree.Service, name: str) -> ServiceSet:
        if name in self.services.definitions or name not in SERVED:
            return self.services.one(service)
        found = ServiceSet()
        for protocol, port in SERVED[name]:
            found = found | parse_service(protocol, port)
        return found

    def _manages(self, node: tree.GatewayDef, flows: list[Flow]) -> None:
        for manage in node.manages:
            flows.append(
                make_flow(
                    action="allow",
                    source=self.ends.end(manage.source),
                    destination=gateway_end(node.name.text),
                    services=self.services.union(manage.services),
                    kind="manage",
                    span=manage.span,
                )
            )

    def _publishes(
        self, node: tree.GatewayDef, interfaces: Mapping[str, Interface], flows: list[Flow]
    ) -> Iterable[Publish]:
        for written in node.publishes:
            interface = interfaces.get(written.interface.text)
            if interface is None:
                message = f"the gateway `{node.name.text}` has no interface `{written.interface.text}`"
                self.findings.unknown("interface", written.interface, interfaces, "", message)
                continue
            if interface.zone is None:
                self._no_zone_to_publish_to(written.interface)
                continue
            target = self.ends.end(tree.End((written.target,), (), written.target.span))
            outer = self.services.one(written.service)
            inner = self.services.one(written.target_service) if written.target_service else outer
            publish = self._publish(written, target, outer, inner)
            if publish is None:
                continue
            zone = tree.Word(interface.zone, written.interface.span)
            source = tree.End((tree.NameTerm(zone, None, zone.span),), (), zone.span)
            flows.append(
                make_flow(
                    action="allow",
                    source=self.ends.end(source),
                    destination=target,
                    services=inner,
                    kind="publish",
                    span=written.span,
                )
            )
            yield publish

    def _no_zone_to_publish_to(self, word: tree.Word) -> None:
        self.findings.add(
            "SEG107",
            f"`{word.text}` carries no zone of its own, so nothing can be published on it",
            word.span,
            "a trunk or a bridge",
            help="publish on an interface that says `zone NAME`",
        )

    def _publish(
        self, written: tree.Publish, target: End, outer: ServiceSet, inner: ServiceSet
    ) -> Publish | None:
        before, after = _one_range(outer), _one_range(inner)
        if before is None or after is None or before[0] != after[0] or _width(before) != _width(after):
            if outer and inner:
                self.findings.add(
                    "SEG503",
                    "only one port or range of one protocol can be published, onto as many",
                    written.span,
                    help="write it as `publish tcp/443 on wan0 -> dmz.web : tcp/8443`, one line each",
                )
            return None
        space = target.parts[0].space if len(target.parts) == 1 and not target.gateways else PrefixSet()
        if not _single(space):
            if target.parts or target.gateways:
                self.findings.add(
                    "SEG503",
                    f"`{term_text(written.target)}` is not one machine",
                    written.target.span,
                    "published to here",
                    help="name a host with at most one IPv4 and one IPv6 address",
                )
            return None
        protocol, first, last = before
        return Publish(written.interface.text, protocol, first, last, space, after[1], written.span)

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

    def _conflict(self, message: str, span: Span, first: Span) -> None:
        also = (Label(first, "first here"),)
        self.findings.add("SEG210", message, span, "again here", also=also, help="keep one of them")

    def switches(self, nodes: Mapping[str, tree.SwitchDef]) -> dict[str, Switch]:
        return {name: self._switch(node) for name, node in nodes.items()}

    def _switch(self, node: tree.SwitchDef) -> Switch:
        platforms = [setting for setting in node.settings if setting.key.text == "platform"]
        for again in platforms[1:]:
            self.findings.repeated("`platform`", again.key, platforms[0].span)
        if not platforms:
            self.findings.add(
                "SEG109",
                f"the switch `{node.name.text}` has no platform",
                node.name.span,
                help=f"add `platform NAME`: one of {', '.join(PLATFORMS)}",
            )
        elif platforms[0].values[0].text not in PLATFORMS:
            help = f"write one of {', '.join(PLATFORMS)}"
            self.findings.unknown("platform", platforms[0].values[0], PLATFORMS, help)
        platform = platforms[0].values[0].text if platforms else ""
        return Switch(node.name.text, platform, self._ports(node.ports), node.name.span)


def _names_device(text: str) -> bool:
    """Whether Linux and its tools take this name; one that starts with `-` is an option to them."""
    return bool(re.fullmatch(rf"(?!-|\.\.?$)[A-Za-z0-9_.@-]{{1,{DEVICE_NAME}}}", text))


def implicit_gateway() -> Gateway:
    return Gateway(IMPLICIT, True, (), (), {}, PrefixSet(), (), (), ALL_MARK_BITS, None)


def expand_ports(text: str) -> tuple[str, ...]:
    """`GigabitEthernet1/0/1-12` as its twelve ports; a name without a range as itself.

    Raises ValueError where the range ends before it starts, or holds over 512 ports.
    """
    match = re.fullmatch(r"(.*\d/)(\d{1,4})-(\d{1,4})|([A-Za-z]+)(\d{1,4})-(\d{1,4})", text)
    if match is None:
        return (text,)
    stem = match[1] or match[4]
    first, last = int(match[2] or match[5]), int(match[3] or match[6])
    if last < first:
        raise ValueError(f"`{text}` ends before it starts")
    if last - first >= 512:
        raise ValueError(f"`{text}` holds over 512 ports")
    return tuple(f"{stem}{number}" for number in range(first, last + 1))


def _own(addresses: Mapping[str, Iterable[InterfaceAddress]], interfaces: Iterable[Interface]) -> PrefixSet:
    found = [address for given in addresses.values() for address in given]
    found += [address for interface in interfaces for address in interface.addresses]
    own = PrefixSet()
    for address in found:
        own = own | parse_prefixes(str(address.ip))
    return own


def _one_range(services: ServiceSet) -> tuple[int, int, int] | None:
    """Protocol, first and last port where a service is one range of a protocol with ports."""
    if len(services.parts) != 1 or services.parts[0][0] not in (6, 17, 132, 33, 136):
        return None
    protocol, ports = services.parts[0]
    return (protocol, *ports[0]) if len(ports) == 1 else None


def _width(ports: tuple[int, int, int]) -> int:
    return ports[2] - ports[1]


def _single(space: PrefixSet) -> bool:
    families = [space.ranges(family) for family in (4, 6)]
    return bool(space) and all(len(r) == 0 or (len(r) == 1 and r[0][0] == r[0][1]) for r in families)
