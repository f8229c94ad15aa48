"""A small network on which one statement after another can be tried.

Zones `a`, `b`, `c` and the external `net`; `a.5` is 10.1.0.5 and 2001:db8:1::5, `net.7` 198.51.100.7 and
2001:db8:ffff::7, `gw` the gateway. Every line of `check` is tried with both families, and `segc trace` is
asked, too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import NamedTuple

from segc.policy.claims import Claims
from segc.space.addresses import Address
from segc.space.services import parse_service
from tests.netns.conversation import Conversation, End
from tests.netns.harness import Outcome, Probe
from tests.netns.policy import (
    Compiled,
    allowed,
    bind,
    compile_text,
    counter,
    device_of,
    listed,
    raise_gateway,
    unbind,
)

ZONES = """
service ping = icmp/echo-request, icmpv6/echo-request
zone a { vlan 1  subnet 10.1.0.0/24, 2001:db8:1::/64
         host one = 10.1.0.11, 2001:db8:1::11
         host two = 10.1.0.12, 2001:db8:1::12 { tag old } }
zone b { vlan 2  subnet 10.2.0.0/24, 2001:db8:2::/64  tag core
         host one = 10.2.0.11, 2001:db8:2::11
         host four = 10.2.0.14  host six = 2001:db8:2::16 }
zone c { vlan 3  subnet 10.3.0.0/24, 2001:db8:3::/64
         host one = 10.3.0.11, 2001:db8:3::11 { tag core } }
zone net { external }
group staff  { user "ana@x.example", "bo@x.example"  group chiefs }
group chiefs { user "cy@x.example" }
group ledger from directory "sg-ledger"
posture managed { disk_encrypted = true }
posture patched { os_version >= "14.2" }
"""
GATEWAY = """
gateway gw {
  interface wan0 { zone net  address dhcp }
  interface lan0 { trunk a, b, c }
  address a 10.1.0.1/24, 2001:db8:1::1/64
  address b 10.2.0.1/24, 2001:db8:2::1/64
  address c 10.3.0.1/24, 2001:db8:3::1/64
  %s
}
"""
PREFIXES = {4: ("10.{}.0.{}", "198.51.100.{}"), 6: ("2001:db8:{}::{}", "2001:db8:ffff::{}")}
LINE = re.compile(r"(\S+) -> (\S+) : (\S+) +(yes|no)(?: (v4|v6))?")


class Line(NamedTuple):
    text: str
    probe: Probe
    wanted: bool


@dataclass
class Site:
    """The small network with a policy on top, raised when entered."""

    statements: str = ""
    in_gateway: str = ""
    zones: str = ZONES
    gateway_text: str = GATEWAY
    sessions: dict[Address, Claims] = field(default_factory=dict)

    def __post_init__(self) -> None:
        gateway = self.gateway_text % self.in_gateway if "%s" in self.gateway_text else self.gateway_text
        self.compiled: Compiled = compile_text(self.zones + gateway, self.statements)
        self.program = self.compiled.program()

    def __enter__(self) -> Site:
        self.gateway = raise_gateway(self.program, self.compiled.ruleset())
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.gateway.close()

    def address(self, name: str, family: int, other: str = "") -> str:
        """`a.5`, `net.7`, an address itself, or `gw`: its address in the zone of `other`."""
        if name == "gw":
            zone = other.partition(".")[0] if other[:1] in "abc" else "a"
            return self.address(f"{zone}.1", family)
        zone, _, number = name.partition(".")
        inner, outer = PREFIXES[family]
        if zone == "net":
            return outer.format(number)
        if zone in ("a", "b", "c") and ":" not in name:
            return inner.format("abc".index(zone) + 1, number)
        return str(ip_address(name))

    def device(self, host: str) -> str:
        """The device behind which an address lies."""
        zones = self.compiled.policy.zones.values()
        return device_of(self.program, next(z.name for z in zones if ip_address(host) in z.space))

    def lines(self, text: str) -> Iterator[Line]:
        for written in filter(None, map(str.strip, text.splitlines())):
            match = LINE.fullmatch(written)
            assert match, f"not a line of a check: {written}"
            source, destination, service, verdict, only = match.groups()
            literal = next((n for n in (source, destination) if re.match(r"[0-9]|\S*:", n)), "")
            for family in (4, 6):
                if only not in (None, f"v{family}") or (literal and (":" in literal) != (family == 6)):
                    continue
                src = self.address(source, family, destination)
                dst = self.address(destination, family, source)
                interface = None if source == "gw" else self.device(src)
                probe = Probe(interface, src, dst, *_service(service, family))
                yield Line(written, probe, verdict == "yes")

    def check(self, text: str, at: int | None = None) -> list[Outcome]:
        """Try lines such as `a.5 -> b.7 : tcp/443  yes`: in the kernel and by `segc trace`."""
        lines = list(self.lines(text))
        moment = int(time.time()) if at is None else at
        traced = [allowed(self.compiled, line.probe, moment, self.sessions) for line in lines]
        outcomes = self.gateway.probe([line.probe for line in lines])
        wrong = [
            f"{line.text} ({line.probe.src} -> {line.probe.dst}): {outcome.verdict.value}, trace says {said}"
            for line, outcome, said in zip(lines, outcomes, traced, strict=True)
            if outcome.passed != line.wanted or said != line.wanted
        ]
        assert not wrong, "\n".join(wrong)
        return outcomes

    def bind(
        self, name: str, user: str, *postures: str, mfa: bool = False, groups: str = "", timeout: str = ""
    ) -> None:
        """A session for both addresses of a name; `groups` are memberships from the directory."""
        claims = Claims(user, frozenset(groups.split()), mfa, frozenset(postures))
        new = {ip_address(self.address(name, family)): claims for family in (4, 6)}
        self.sessions.update(new)
        bind(self.gateway, self.program, new, timeout)

    def unbind(self, name: str) -> None:
        hosts = [self.address(name, family) for family in (4, 6)]
        unbind(self.gateway, self.program, *hosts)
        for host in hosts:
            del self.sessions[ip_address(host)]

    def count(self, flow: str) -> int:
        return counter(self.gateway, f"flow_{flow}")

    def listed(self, kind: str, name: str) -> str:
        return listed(self.gateway, kind, name)

    def talk(self, source: str, destination: str, family: int, protocol: str, port: int) -> Conversation:
        """A conversation between two hosts, not yet begun."""
        if protocol == "icmp" and family == 6:
            protocol = "icmpv6"
        ends = [self.address(name, family) for name in (source, destination)]
        client, server = (
            End(self.device(host), host, number) for host, number in zip(ends, (40000, port), strict=True)
        )
        return Conversation(self.gateway, client, server, protocol)


def _service(text: str, family: int) -> tuple[int, int]:
    if text == "ping":
        return (1, 8) if family == 4 else (58, 128)
    protocol, _, argument = text.partition("/")
    return parse_service(protocol, argument or None).first()
