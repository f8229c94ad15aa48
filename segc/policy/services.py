"""Services by name: composed, with cycles and unknown names reported."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segc.policy.nesting import Nesting, nesting, path_text, report_deep
from segc.policy.scope import Findings
from segc.space.protocols import PROTOCOLS, WHOLE_PROTOCOLS
from segc.space.services import ANY_SERVICE, ServiceSet, parse_service, union
from segc.syntax import tree

_EVERYTHING = frozenset({"all", "everything", "ip"})
_JOINED = re.compile(r"(tcp|udp)(\d{1,5})")
WELL_KNOWN = {
    "amqp": "tcp/5672",
    "amqps": "tcp/5671",
    "bacnet": "udp/47808",
    "bgp": "tcp/179",
    "dhcp": "udp/67",
    "dns": "tcp/53, udp/53",
    "ftp": "tcp/21",
    "http": "tcp/80",
    "https": "tcp/443",
    "ike": "udp/500, udp/4500",
    "imap": "tcp/143",
    "imaps": "tcp/993",
    "ipp": "tcp/631",
    "ipsec": "udp/500, udp/4500, esp",
    "iscsi": "tcp/3260",
    "jetdirect": "tcp/9100",
    "kerberos": "tcp/88, udp/88",
    "kpasswd": "tcp/464, udp/464",
    "ldap": "tcp/389",
    "ldaps": "tcp/636",
    "mariadb": "tcp/3306",
    "mdns": "udp/5353",
    "modbus": "tcp/502",
    "mongodb": "tcp/27017",
    "mqtt": "tcp/1883",
    "mqtts": "tcp/8883",
    "mssql": "tcp/1433",
    "mysql": "tcp/3306",
    "netconf": "tcp/830",
    "nfs": "tcp/2049",
    "ntp": "udp/123",
    "opcua": "tcp/4840",
    "openvpn": "udp/1194",
    "oracle": "tcp/1521",
    "ping": "icmp/echo-request, icmpv6/echo-request",
    "pop3": "tcp/110",
    "pop3s": "tcp/995",
    "postgres": "tcp/5432",
    "postgresql": "tcp/5432",
    "radius": "udp/1812-1813",
    "rdp": "tcp/3389",
    "redis": "tcp/6379",
    "rpcbind": "tcp/111, udp/111",
    "rsync": "tcp/873",
    "rtsp": "tcp/554",
    "sftp": "tcp/22",
    "sip": "tcp/5060, udp/5060",
    "sips": "tcp/5061",
    "smb": "tcp/445",
    "smtp": "tcp/25",
    "snmp": "udp/161",
    "snmptrap": "udp/162",
    "ssh": "tcp/22",
    "submission": "tcp/587",
    "syslog": "udp/514",
    "tacacs": "tcp/49",
    "telnet": "tcp/23",
    "tftp": "udp/69",
    "vnc": "tcp/5900",
    "web": "tcp/80, tcp/443",
    "winrm": "tcp/5985-5986",
    "wireguard": "udp/51820",
}


@dataclass
class ServiceTable:
    """Resolves service expressions; each named service once."""

    definitions: Mapping[str, tree.ServiceDef]
    findings: Findings
    known: dict[str, ServiceSet] = field(default_factory=dict)
    _within: str = ""
    _memo: dict[tuple[object, ...], ServiceSet] = field(default_factory=dict)
    _nesting: Nesting = field(init=False)

    def __post_init__(self) -> None:
        uses = {
            name: [each.name for each in node.services if isinstance(each, tree.ServiceName)]
            for name, node in self.definitions.items()
        }
        self._nesting = nesting(uses)

    def resolve_all(self) -> Mapping[str, ServiceSet]:
        report_deep("service", self._nesting, self.definitions, self.findings)
        self._check_names()
        for name in self._nesting.order:
            self._within = name
            self.known[name] = self.union(self.definitions[name].services)
        self._within = ""
        return {name: self.known[name] for name in self.definitions}

    def _check_names(self) -> None:
        for name in sorted({*self.definitions} & {*WHOLE_PROTOCOLS, "any"}):
            meant = "everything" if name == "any" else "the whole protocol"
            self.findings.add(
                "SEG102",
                f"`{name}` is {meant} wherever it stands, and cannot name a service",
                self.definitions[name].name.span,
                help="give the service another name",
            )

    def union(self, services: Sequence[tree.Service]) -> ServiceSet:
        """The set that a list of services means; empty only after an error, which is then reported."""
        key = tuple(_key(service) for service in services)
        if key in self._memo:
            return self._memo[key]
        before = len(self.findings.diagnostics)
        result = union(map(self.one, services))
        if len(self.findings.diagnostics) == before:
            self._memo[key] = result
        return result

    def one(self, service: tree.Service) -> ServiceSet:
        if isinstance(service, tree.AnyService):
            return ANY_SERVICE
        if isinstance(service, tree.ServiceLiteral):
            return self._literal(service)
        if service.name in self.definitions:
            return self._reference(service)
        if service.name in PROTOCOLS or service.name == "proto":
            word = tree.Word(service.name, service.span)
            return self._literal(tree.ServiceLiteral(word, None, service.span))
        self._unknown(tree.Word(service.name, service.span))
        return ServiceSet()

    def _unknown(self, word: tree.Word) -> None:
        """A name that the world knows is no slip for one that is near, unless only the case differs."""
        known, name = _is_known(word.text), word.text.lower()
        near = [each for each in self.definitions if not known or each.lower() == name]
        self.findings.unknown("service", word, near, _definition(word.text))

    def _reference(self, service: tree.ServiceName) -> ServiceSet:
        path = self._nesting.cycles.get((self._within, service.name))
        if path is None:
            return self.known[service.name]
        self.findings.add(
            "SEG103",
            f"the service `{service.name}` contains itself",
            service.span,
            path_text(path),
            help="take this name out of the list",
        )
        return ServiceSet()

    def _literal(self, service: tree.ServiceLiteral) -> ServiceSet:
        argument = service.argument.text if service.argument else None
        try:
            return parse_service(service.protocol.text, argument)
        except ValueError as error:
            self.findings.add("SEG104", str(error), service.span, "not a service")
            return ServiceSet()


def _is_known(name: str) -> bool:
    """Whether it means something everywhere, however near it is to what a policy calls its own services."""
    return name.lower() in WELL_KNOWN or name in _EVERYTHING or _JOINED.fullmatch(name) is not None


def _definition(name: str) -> str:
    if name in _EVERYTHING:
        return "write `any`"
    if match := _JOINED.fullmatch(name):
        return f"write `{match[1]}/{match[2]}`"
    known = WELL_KNOWN.get(name.lower())
    filling = "" if known else ", with its protocol and port for PORT"
    return f"define it: `service {name} = {known or 'tcp/PORT'}`{filling}"


def _key(service: tree.Service) -> object:
    if isinstance(service, tree.ServiceLiteral):
        return service.protocol.text, service.argument.text if service.argument else None
    return service.name if isinstance(service, tree.ServiceName) else None
