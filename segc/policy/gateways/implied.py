"""The flows that a gateway implies: what it serves, who manages it, and what it publishes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from segc.policy.ends.table import EndTable
from segc.policy.ends.text import term_text
from segc.policy.making import gateway_end, make_flow
from segc.policy.model import End, Flow, Interface, Publish, Zone
from segc.policy.scope import Findings
from segc.policy.services import ServiceTable
from segc.space.prefixes import PrefixSet
from segc.space.protocols import PORT_NUMBERS
from segc.space.services import ServiceSet, parse_service
from segc.syntax import tree

SERVED = {
    "dhcp": (("udp", "67"), ("udp", "547")),
    "dns": (("tcp", "53"), ("udp", "53")),
    "ntp": (("udp", "123"),),
}


@dataclass
class ImpliedFlows:
    """Reads these statements of a gateway; each adds what it allows to `flows`."""

    zones: Mapping[str, Zone]
    ends: EndTable
    services: ServiceTable
    findings: Findings

    def serves(self, node: tree.GatewayDef, flows: list[Flow]) -> tuple[str, ...]:
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

    def manages(self, node: tree.GatewayDef, flows: list[Flow]) -> None:
        flows += [
            make_flow(
                action="allow",
                source=self.ends.end(manage.source),
                destination=gateway_end(node.name.text),
                services=self.services.union(manage.services),
                kind="manage",
                span=manage.span,
            )
            for manage in node.manages
        ]

    def publishes(
        self, node: tree.GatewayDef, interfaces: Mapping[str, Interface], flows: list[Flow]
    ) -> Iterable[Publish]:
        for written in node.publishes:
            interface = interfaces.get(written.interface.text)
            if interface is None:
                message = f"the gateway `{node.name.text}` has no interface `{written.interface.text}`"
                self.findings.unknown("interface", written.interface, interfaces, "", message)
            elif interface.zone is None:
                self._no_zone_to_publish_to(written.interface)
            else:
                yield from self._published(written, interface.zone, flows)

    def _published(self, written: tree.Publish, outside: str, flows: list[Flow]) -> Iterable[Publish]:
        """What is published to the zone that the interface is in, if it can be, and the flow for it."""
        target = self.ends.end(tree.End((written.target,), (), written.target.span))
        outer = self.services.one(written.service)
        inner = self.services.one(written.target_service) if written.target_service else outer
        publish = self._publish(written, target, outer, inner)
        if publish is None:
            return
        zone = tree.Word(outside, written.interface.span)
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


def _one_range(services: ServiceSet) -> tuple[int, int, int] | None:
    """Protocol, first and last port where a service is one range of a protocol with ports."""
    if len(services.parts) != 1 or services.parts[0][0] not in PORT_NUMBERS:
        return None
    protocol, ports = services.parts[0]
    return (protocol, *ports[0]) if len(ports) == 1 else None


def _width(ports: tuple[int, int, int]) -> int:
    return ports[2] - ports[1]


def _single(space: PrefixSet) -> bool:
    families = [space.ranges(family) for family in (4, 6)]
    return bool(space) and all(len(r) == 0 or (len(r) == 1 and r[0][0] == r[0][1]) for r in families)
