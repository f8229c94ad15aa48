"""The hooks: what stands already, what needs no flow, which places a packet is between, and the look-ups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segc.backends.nftables.asked_again import AskedAgain
from segc.backends.nftables.classes import FAMILIES
from segc.backends.nftables.document import Table
from segc.backends.nftables.lookups import lookups
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.recent import write_recent
from segc.enforcement.program import Hook, Phase, Program

ND = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
MLD = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"


@dataclass
class HookWriter:
    program: Program
    marks: MarkLayout
    table: Table
    asked_again: AskedAgain

    def write(self) -> None:
        for family, _, type_ in FAMILIES:
            # One by one: neighbours as one prefix would be an interval, which a hash set does not take.
            own = self.program.position.gateway.own.each(family)
            if own:
                self.table.set(f"own{family}", type_, own, comment="addresses of the gateway itself")
        for hook in Hook:
            rules = [
                *self._unclassed(hook),
                *self.asked_again.rules(hook),
                *self._arrival(hook),
                *self._established(hook),
                *self._departure(hook),
                *self._decide(hook),
            ]
            self.table.chain(
                f"on_{hook}", rules, hook=f"type filter hook {hook} priority filter; policy drop;"
            )
            self.asked_again.write(hook, [*self._arrival(hook), *self._departure(hook)])
        self.table.chain("standing", self._standing())
        if self.asked_again.ever:
            write_recent(self.table)

    def _unclassed(self, hook: Hook) -> Iterator[str]:
        """What works without a flow and without an address of a zone."""
        if hook is Hook.FORWARD:
            return
        yield f'{"iifname" if hook is Hook.INPUT else "oifname"} "lo" accept'
        yield f"icmpv6 type {{ {ND} }} ip6 hoplimit 255 accept"
        yield f"icmpv6 type {{ {MLD} }} ip6 saddr {{ ::, fe80::/10 }} accept"
        yield from self._served(hook)

    def _arrival(self, hook: Hook) -> Iterator[str]:
        """Marks the source, and refuses it where it cannot be. That comes before what stands already:
        who knows the ports of a connection could else speak in it from any interface."""
        if hook is not Hook.OUTPUT:
            yield from self._own_sources()
            yield "jump find_from"

    def _established(self, hook: Hook) -> Iterator[str]:
        yield "ct state established,related,invalid jump standing"
        if hook is Hook.OUTPUT and self.asked_again.ever:
            yield 'ct state related tcp flags & rst == rst goto accepted comment "what chain ended sends"'

    def _standing(self) -> Iterator[str]:
        """What begins no connection. Of related packets, ICMP errors; nothing that a helper expects."""
        yield f"ct state established {self.marks.clear()} accept"
        yield "ct state invalid drop"
        yield 'icmp type redirect drop comment "it would turn a host to another router"'
        yield "meta l4proto { 1, 58 } goto accepted"

    def _served(self, hook: Hook) -> Iterator[str]:
        """DHCP, whose packets have no addresses of a zone yet."""
        gateway = self.program.position.gateway
        served = [a.device for a in gateway.attachments if a.zone in gateway.dhcp_zones]
        asking = [interface.name for interface in gateway.interfaces if interface.dhcp]
        for devices, serving in ((served, True), (asking, False)):
            if devices:
                yield from _dhcp(hook, sorted(devices), serving)

    def _departure(self, hook: Hook) -> Iterator[str]:
        """Marks the destination; for what the gateway sends, the source as well."""
        own = (self.program.places.own, 0)
        if hook is Hook.OUTPUT:
            yield self.marks.write_source(own)
        yield self.marks.write_destination(own) if hook is Hook.INPUT else "jump find_to"

    def _own_sources(self) -> Iterator[str]:
        for family, protocol, _ in FAMILIES:
            if self.program.position.gateway.own.ranges(family):
                yield f"{protocol} saddr @own{family} goto refuse_spoofed"

    def _decide(self, hook: Hook) -> Iterator[str]:
        for phase in Phase:
            yield from lookups(hook, self.program, phase, self.marks)
        yield "goto refuse"


def _dhcp(hook: Hook, devices: list[str], serving: bool) -> Iterator[str]:
    names = ", ".join(f'"{device}"' for device in devices)
    incoming = hook is Hook.INPUT
    match = f"{'iifname' if incoming else 'oifname'} {{ {names} }}"
    to_server = incoming == serving
    v4 = "udp sport 68 udp dport 67" if to_server else "udp sport 67 udp dport 68"
    v6 = "udp sport 546 udp dport 547" if to_server else "udp sport 547 udp dport 546"
    yield f"{match} meta nfproto ipv4 {v4} accept"
    yield f"{match} ip6 saddr fe80::/10 {v6} accept"
