"""Gateways, put together of what their statements say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segc.policy.gateways.addresses import AddressReader
from segc.policy.gateways.devices import attachments_of, check_devices
from segc.policy.gateways.implied import ImpliedFlows
from segc.policy.gateways.interfaces import InterfaceReader
from segc.policy.model import Flow, Gateway, Interface, InterfaceAddress, Zone
from segc.policy.ports import PortReader
from segc.policy.scope import Findings
from segc.space.prefixes import PrefixSet, parse_prefixes, union
from segc.syntax import tree

ALL_MARK_BITS = 0xFFFFFFFF
IMPLICIT = "gateway"


@dataclass
class GatewayReader:
    zones: Mapping[str, Zone]
    ports: PortReader
    implied: ImpliedFlows
    findings: Findings
    _addresses: AddressReader = field(init=False)
    _interfaces: InterfaceReader = field(init=False)

    def __post_init__(self) -> None:
        self._addresses = AddressReader(self.ports, self.findings)
        self._interfaces = InterfaceReader(self.ports, self._addresses, self.findings)

    def gateways(self, nodes: Mapping[str, tree.GatewayDef]) -> tuple[dict[str, Gateway], list[Flow]]:
        if not nodes:
            return {IMPLICIT: _implicit_gateway()}, []
        flows: list[Flow] = []
        return {name: self._gateway(node, flows) for name, node in nodes.items()}, flows

    def _gateway(self, node: tree.GatewayDef, flows: list[Flow]) -> Gateway:
        interfaces = self._interfaces.interfaces(node.interfaces)
        by_name = {each.name: each for each in interfaces}
        attachments = tuple(attachments_of(interfaces, self.zones))
        check_devices(attachments, by_name, self.findings)
        addresses = self._addresses.by_zone(node, {attachment.zone for attachment in attachments})
        publishes = tuple(self.implied.publishes(node, by_name, flows))
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
            mark=_mark(node.settings, self.findings),
            span=node.name.span,
        )


def _implicit_gateway() -> Gateway:
    return Gateway(IMPLICIT, True, (), (), {}, PrefixSet(), (), (), ALL_MARK_BITS, None)


def _own(addresses: Mapping[str, Iterable[InterfaceAddress]], interfaces: Iterable[Interface]) -> PrefixSet:
    found = [address for given in addresses.values() for address in given]
    found += [address for interface in interfaces for address in interface.addresses]
    return union(parse_prefixes(str(address.ip)) for address in found)


def _mark(settings: Sequence[tree.Setting], findings: Findings) -> int:
    marks = [setting for setting in settings if setting.key.text == "mark"]
    for again in marks[1:]:
        findings.repeated("`mark`", again.key, marks[0].span)
    if not marks:
        return ALL_MARK_BITS
    word = marks[0].values[0]
    if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", word.text) and int(word.text, 16):
        return int(word.text, 16)
    findings.add(
        "SEG104",
        f"`{word.text}` is not a mask of mark bits",
        word.span,
        help="write the bits that segc may use as `0xffff0000`",
    )
    return ALL_MARK_BITS
