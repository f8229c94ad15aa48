"""Addresses of a gateway, each held to the zone that it is given in."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_interface

from segc.diagnostics.model import Label
from segc.policy.model import InterfaceAddress, Zone
from segc.policy.ports import PortReader
from segc.policy.scope import Findings
from segc.space.prefixes import parse_prefixes
from segc.space.words import is_decimal
from segc.syntax import tree


@dataclass
class AddressReader:
    ports: PortReader
    findings: Findings

    def by_zone(self, node: tree.GatewayDef, attached: set[str]) -> dict[str, tuple[InterfaceAddress, ...]]:
        found: dict[str, list[InterfaceAddress]] = {}
        for given in node.addresses:
            name = self.ports.zone(given.zone)
            if name is None:
                continue
            if name not in attached:
                self._not_attached(node, given.zone)
            found.setdefault(name, []).extend(self.read(given.addresses, self.ports.zones[name]))
        return {name: tuple(dict.fromkeys(found[name])) for name in sorted(found)}

    def read(self, words: Iterable[tree.Word], zone: Zone | None) -> Iterable[InterfaceAddress]:
        """Those that can be read, each held to the subnets of the zone that it is given in."""
        for word in words:
            address = self._one(word)
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

    def _one(self, word: tree.Word) -> InterfaceAddress | None:
        address, _, length = word.text.partition("/")
        parsed: InterfaceAddress | None = None
        with suppress(ValueError):
            parse_prefixes(address)
            parsed = ip_interface(word.text)
        if parsed and is_decimal(length):
            return parsed
        usual = f"`{parsed.ip}/{64 if parsed.version == 6 else 24}`" if parsed else ""
        example = f"`{parsed}`" if parsed and length else usual or "`10.10.10.1/24` or `2001:db8:10::1/64`"
        self.findings.add(
            "SEG104",
            f"`{word.text}` is not an address with its prefix length",
            word.span,
            help=f"write it as {example}",
        )
        return None


def _link_local(address: InterfaceAddress) -> bool:
    """Whether it is one that every IPv6 link has beside its subnets."""
    return address.version == 6 and address.ip.is_link_local
