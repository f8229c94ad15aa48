"""The hooks: what stands already, what needs no flow, which places a packet is between, and the look-ups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segc.backends.nftables.cells import END, LABEL, LOOMING, REPLY
from segc.backends.nftables.classes import FAMILIES
from segc.backends.nftables.document import Table
from segc.backends.nftables.lookups import BEGUN, STILL, lookup_key, lookups, standing_name
from segc.backends.nftables.marks import MarkLayout
from segc.backends.nftables.recent import REMEMBER, remembered, write_recent
from segc.enforcement.program import Hook, Level, Phase, Program, Slot

ND = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
MLD = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"
ASKED_AGAIN = ((STILL, LABEL, Phase.ALLOW), (BEGUN, LOOMING, Phase.DENY))
ANSWERS = {Hook.INPUT: Hook.OUTPUT, Hook.OUTPUT: Hook.INPUT, Hook.FORWARD: Hook.FORWARD}


@dataclass
class HookWriter:
    program: Program
    marks: MarkLayout
    table: Table

    def write(self) -> None:
        for family, _, type_ in FAMILIES:
            # One by one: neighbours as one prefix would be an interval, which a hash set does not take.
            own = self.program.position.gateway.own.each(family)
            if own:
                self.table.set(f"own{family}", type_, own, comment="addresses of the gateway itself")
        for hook in Hook:
            rules = [
                *self._unclassed(hook),
                *self._asked_again(hook),
                *self._arrival(hook),
                *self._established(hook),
                *self._departure(hook),
                *self._decide(hook),
            ]
            self.table.chain(
                f"on_{hook}", rules, hook=f"type filter hook {hook} priority filter; policy drop;"
            )
            self._write_asked_again(hook)
        self.table.chain("standing", self._standing())
        if self.asks_again():
            write_recent(self.table)

    def asks_again(self) -> bool:
        """Whether any connection may have to end: its permission may, or a deny may come."""
        return any(self._has(hook, phase) for hook in Hook for phase in (Phase.ALLOW, Phase.DENY))

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
        if hook is Hook.OUTPUT and self.asks_again():
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

    # -- connections that may have to end --------------------------------------------------------

    def _asked_again(self, hook: Hook) -> Iterator[str]:
        for word, label, phase in ASKED_AGAIN:
            if self._has(hook, phase):
                yield f"ct state established ct label {label} goto {word}_{hook}"

    def _has(self, hook: Hook, phase: Phase) -> bool:
        """Whether packets at a hook may belong to connections that flows of a phase are asked of again."""
        return bool(self._levels(hook, phase) or self._levels(ANSWERS[hook], phase))

    def _levels(self, hook: Hook, phase: Phase) -> list[tuple[Slot, Level]]:
        present = {each.name for each in self.table.sets}
        levels = self.program.levels
        return [
            (slot, level)
            for at, slot, certain in sorted(levels)
            if at is hook and slot.phase is phase and not certain and standing_name(slot) in present
            for level in levels[at, slot, certain]
        ]

    def _write_asked_again(self, hook: Hook) -> None:
        """Unless that was done a moment ago, look the packet up that opened the connection; in an answer,
        both ends are exchanged."""
        for word, _, phase in ASKED_AGAIN:
            if not self._has(hook, phase):
                continue
            original = f"ct direction original goto {word}_{hook}_original"
            arriving = [*self._arrival(hook), *self._departure(hook)]
            self.table.chain(
                f"{word}_{hook}", [*remembered(), *arriving, original, f"goto {word}_{hook}{REPLY}"]
            )
            for answer, way in ((False, "_original"), (True, REPLY)):
                self.table.chain(f"{word}_{hook}{way}", self._standing_lookups(hook, phase, answer))

    def _standing_lookups(self, hook: Hook, phase: Phase, answer: bool) -> Iterator[str]:
        """Denies come before allows, as they do for new connections; who has an allow that lasts has to
        pass no others."""
        opened = ANSWERS[hook] if answer else hook
        asked = (Phase.DENY, Phase.ALLOW) if phase is Phase.ALLOW else (Phase.DENY,)
        for each in asked:
            for slot, level in self._levels(opened, each):
                yield self._standing_lookup(slot, level, answer)
        yield END if phase is Phase.ALLOW else REMEMBER

    def _standing_lookup(self, slot: Slot, level: Level, answer: bool) -> str:
        level, port = (level.exchanged, "sport") if answer else (level, "dport")
        way = REPLY if answer else ""
        return f"{lookup_key(slot, self.marks, level, port)} vmap @{standing_name(slot)}{way}"


def _dhcp(hook: Hook, devices: list[str], serving: bool) -> Iterator[str]:
    names = ", ".join(f'"{device}"' for device in devices)
    incoming = hook is Hook.INPUT
    match = f"{'iifname' if incoming else 'oifname'} {{ {names} }}"
    to_server = incoming == serving
    v4 = "udp sport 68 udp dport 67" if to_server else "udp sport 67 udp dport 68"
    v6 = "udp sport 546 udp dport 547" if to_server else "udp sport 547 udp dport 546"
    yield f"{match} meta nfproto ipv4 {v4} accept"
    yield f"{match} ip6 saddr fe80::/10 {v6} accept"
