"""Ports of bridges and switches, and the zones that they carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from segc.diagnostics.model import Label
from segc.policy.model import Port, Zone
from segc.policy.scope import Findings
from segc.source import Span
from segc.syntax import tree

MOST_PORTS = 512  # of one range


@dataclass
class PortReader:
    zones: Mapping[str, Zone]
    findings: Findings

    def zone(self, word: tree.Word) -> str | None:
        if word.text in self.zones:
            return word.text
        help = f"define it: `zone {word.text} {{ subnet 10.0.0.0/24 }}`"
        self.findings.unknown("zone", word, self.zones, help)
        return None

    def trunk(self, words: Iterable[tree.Word], tagged: bool = True) -> tuple[str, ...]:
        """The zones of these names; each needs a VLAN, also where its frames leave a port `tagged` or not."""
        names = set()
        for word in words:
            name = self.zone(word)
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

    def ports(self, nodes: Iterable[tree.Port]) -> tuple[Port, ...]:
        found: dict[str, Port] = {}
        for node in nodes:
            for port in self._port(node):
                first = found.setdefault(port.name, port)
                if first is not port:
                    self.conflict(f"the port `{port.name}` is described twice", node.name.span, first.span)
        return tuple(found.values())

    def _port(self, node: tree.Port) -> Iterable[Port]:
        access = None
        if not node.trunk and node.zones:
            access = self.zone(node.zones[0])
            if access is not None:
                self.trunk(node.zones[:1], tagged=False)
        trunk = self.trunk(node.zones) if node.trunk else ()
        try:
            names = expand_ports(node.name.text)
        except ValueError as error:
            self.findings.add("SEG104", str(error), node.name.span, "not a range of ports")
            names = (node.name.text,)
        return (Port(name, access, trunk, node.isolated, node.span, node.dot1x) for name in names)

    def conflict(self, message: str, span: Span, first: Span) -> None:
        also = (Label(first, "first here"),)
        self.findings.add("SEG210", message, span, "again here", also=also, help="keep one of them")


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
    if last - first >= MOST_PORTS:
        raise ValueError(f"`{text}` holds over {MOST_PORTS} ports")
    return tuple(f"{stem}{number}" for number in range(first, last + 1))
