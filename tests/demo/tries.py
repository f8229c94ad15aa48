"""The office as a handful of hosts around its gateway, and what they try."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from segc.policy.claims import Claims
from tests.demo.talk import PASSED, serve, try_it
from tests.netns.harness import Gateway, Namespace, Probe
from tests.netns.policy import LEASED, Compiled, Sessions, allowed, bind, device_of

OUTSIDE = LEASED[0].partition("/")[0]  # the gateway's own address towards the internet
NUMBERS = {"tcp": 6, "udp": 17}
ECHO = {4: (1, 8), 6: (58, 128)}
ELSEWHERE = {  # who has no name in the policy
    "hr": ("10.10.10.77", "2001:db8:10::77"),
    "it-admin": ("10.10.30.77", "2001:db8:30::77"),
    "guests": ("10.10.80.77", "2001:db8:80::77"),
    "vendor": ("10.10.70.77", "2001:db8:70::77"),
    "vpn": ("10.8.0.77", "2001:db8:8::77"),
    "internet": ("198.51.100.7", "2001:db8:ffff::7"),
    "gateway": ("10.10.10.1", "2001:db8:80::1"),
}


class Try(NamedTuple):
    """Ends are a zone, `zone.host` or `gateway`; `via` is the address to call where it is another."""

    source: str
    destination: str
    service: str
    family: int = 4
    via: str = ""
    port: int = 0  # to call, where that is another

    @property
    def protocol(self) -> str:
        return self.service.partition("/")[0]

    @property
    def number(self) -> int:
        return int(self.service.partition("/")[2] or 0)


TRIES = (
    Try("hr.payroll", "internet", "tcp/443"),
    Try("hr.badges", "internet", "tcp/443"),
    Try("hr", "finance.erp", "tcp/8443", 6),
    Try("hr", "finance.erp-db", "tcp/5432"),
    Try("servers.portal", "finance.erp-db", "tcp/5432", 6),
    Try("printers.floor1", "servers.mail", "tcp/587"),
    Try("guests", "internet", "udp/443", 6),
    Try("guests", "hr.payroll", "tcp/445"),
    Try("guests", "finance.erp", "ping", 6),
    Try("vendor", "servers.portal", "tcp/443"),
    Try("vendor", "hr.payroll", "tcp/445"),
    Try("internet", "dmz.www", "tcp/8443", via=OUTSIDE, port=443),
    Try("internet", "finance.erp", "tcp/8443", 6),
    Try("it-admin", "gateway", "tcp/22"),
    Try("guests", "gateway", "tcp/22", 6),
    Try("guests", "gateway", "udp/53", 6),
    Try("hr", "gateway", "ping"),
    Try("vpn", "hr.payroll", "tcp/443"),
)
AS_ANA = (Try("vpn", "hr.payroll", "tcp/443"), Try("vpn", "hr.payroll", "tcp/443", 6))
ANA = Claims("ana@acme.example", mfa=True, postures=frozenset({"managed"}))


class Result(NamedTuple):
    """`wanted` is what `segc trace` says at the time, before and after."""

    asked: Try
    wanted: tuple[bool, bool]
    happened: str
    seen_as: str

    @property
    def right(self) -> bool:
        return (self.happened == PASSED) in self.wanted


class Office:
    """The gateway with real hosts in the zones that take part."""

    def __init__(self, compiled: Compiled, gateway: Gateway) -> None:
        self.compiled, self.gateway, self.program = compiled, gateway, compiled.program()
        ends = {end for each in TRIES for end in each[:2]}
        zones = sorted({end.partition(".")[0] for end in ends} - {"gateway"})
        self.hosts: dict[str, Namespace] = {"gateway": gateway.namespace}
        for zone in zones:
            members = sorted(end for end in ends if end.partition(".")[0] == zone)
            addresses = [address for each in members for address in self.addresses(each)]
            self.hosts[zone] = gateway.attach(device_of(self.program, zone), *addresses)
        for zone, host in self.hosts.items():
            serve(host, sorted(set(self._doors(zone))))

    def addresses(self, end: str) -> tuple[str, ...]:
        if end in ELSEWHERE:
            return ELSEWHERE[end]
        zone, _, name = end.partition(".")
        host = next(each for each in self.compiled.policy.zones[zone].hosts if each.name == name)
        space = host.space
        return tuple(text for family in (4, 6) for text in space.prefixes(family))

    def address(self, end: str, family: int) -> str:
        return next(each for each in self.addresses(end) if ip_address(each).version == family)

    def _doors(self, zone: str) -> Iterator[tuple[str, str, int]]:
        """Whatever is tried, somebody would answer: only the ruleset can be in the way."""
        for each in (*TRIES, *AS_ANA):
            if each.destination.partition(".")[0] == zone and each.protocol != "ping":
                yield self.address(each.destination, each.family), each.protocol, each.number

    def bind_ana(self) -> Sessions:
        """What a session agent will do: ana is on the VPN, with a second factor, on a managed device."""
        sessions = {ip_address(address): ANA for address in ELSEWHERE["vpn"]}
        bind(self.gateway, self.program, sessions)
        return sessions

    def attempt(self, tries: Iterable[Try], sessions: Sessions) -> Iterator[Result]:
        for each in tries:
            source = self.address(each.source, each.family)
            destination = self.address(each.destination, each.family)
            before = self._traced(each, source, destination, sessions)
            host = self.hosts[each.source.partition(".")[0]]
            target, port = each.via or destination, each.port or each.number
            happened, seen_as = try_it(host, source, target, each.protocol, port)
            after = self._traced(each, source, destination, sessions)
            yield Result(each, (before, after), happened, "" if seen_as == source else seen_as)

    def _traced(self, each: Try, source: str, destination: str, sessions: Sessions) -> bool:
        ping = each.protocol == "ping"
        service = ECHO[each.family] if ping else (NUMBERS[each.protocol], each.number)
        probe = Probe(None, source, destination, *service)
        return allowed(self.compiled, probe, int(time.time()), sessions)
