"""The chains around the maps: what arrives, which class it is of, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segc.backends.nftables.cells import LABEL, lookup_key, lookups, still_name
from segc.backends.nftables.document import Table, comment, quoted
from segc.backends.nftables.marks import MarkLayout
from segc.enforcement.places import Area, EndpointClass
from segc.enforcement.program import Hook, Level, Phase, Program, Slot
from segc.space.prefixes import PrefixSet, union

ND = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
MLD = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"
MAX_PAIR_LOGS = 1024  # above, a chain a pair would take longer to load than the policy itself
FAMILIES = ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))
PREFIX_LENGTH = 120  # the kernel keeps 127 bytes
LOG_RATE = "limit rate 5/second burst 20 packets"


@dataclass
class ChainWriter:
    program: Program
    marks: MarkLayout
    table: Table

    # -- which class an address is of ------------------------------------------------------------

    def write_classes(self) -> None:
        """`from_X` and `to_X` write a class into the mark; maps lead from addresses to them."""
        default = next((area for area in self.program.places.areas if area.external), None)
        for family, _, type_ in FAMILIES:
            self.table.set(
                f"from{family}", f"{type_} : verdict", self._class_elements(family, "from"), flags="interval"
            )
            self.table.set(
                f"to{family}", f"{type_} : verdict", self._class_elements(family, "to"), flags="interval"
            )
        for area in self.program.places.areas:
            for each in self._classes(area):
                place = (area.number, each.number)
                mark = f"meta mark set meta mark | 0x{self.marks.source(place):08x}"
                self.table.chain(f"from_{each.name}", [mark], comment=f"source {each.name}")
                mark = f"meta mark set meta mark | 0x{self.marks.destination(place):08x}"
                self.table.chain(f"to_{each.name}", [mark], comment=f"destination {each.name}")
        finders = [("find", "saddr", "daddr")]
        if any(self._has_still(hook) for hook in Hook):
            finders.append(("find_reply", "daddr", "saddr"))
        for name, source, destination in finders:
            self._finder(f"{name}_source", "from", source, default)
            self._finder(f"{name}_destination", "to", destination, default)

    def _finder(self, chain: str, direction: str, key: str, default: Area | None) -> None:
        rules = [f"{protocol} {key} vmap @{direction}{family}" for family, protocol, _ in FAMILIES]
        if default is None:
            rules.append("goto refuse_unknown")
        else:
            rules.append(f"goto {direction}_{self._rest(default).name}")
        self.table.chain(chain, rules)

    def _class_elements(self, family: int, direction: str) -> Iterator[str]:
        for area in self.program.places.areas:
            rest = self._rest(area).number if area.external else None
            for each in self._classes(area):
                if each.number != rest:
                    yield from (
                        f"{text} : goto {direction}_{each.name}" for text in each.space.prefixes(family)
                    )
        yield from (f"{text} : goto refuse_unknown" for text in self._unseen().prefixes(family))

    def _classes(self, area: Area) -> tuple[EndpointClass, ...]:
        """A zone that nothing divides is one class; numbered, lest a look-up of its class find the zone's."""
        number = 1 if self.marks.class_bits else 0
        return area.classes or (EndpointClass(area.name, number, area.space),)

    def _rest(self, area: Area) -> EndpointClass:
        """The class of an external zone that needs no elements: whatever no map knows."""
        return max(self._classes(area), key=lambda each: each.space.size)

    def _unseen(self) -> PrefixSet:
        """Addresses of zones that cannot meet this gateway: not to be taken for the external zone."""
        seen = self.program.position.devices
        return union(zone.space for zone in self.program.policy.zones.values() if zone.name not in seen)

    # -- where an address may come from ----------------------------------------------------------

    def write_arrivals(self) -> None:
        position = self.program.position
        if not position.by_interface:
            return
        elements = [
            f'"{device}" . 0x{self.marks.source((area.number, 0)):08x}{comment(area.name)}'
            for area in self.program.places.areas
            for device in sorted(area.devices)
        ]
        self.table.set("arrivals", "ifname . mark", elements, comment="zones by the interface they arrive on")
        for family, _, type_ in FAMILIES:
            own = position.gateway.own.prefixes(family)
            if own:
                self.table.set(f"own{family}", type_, own, comment="addresses of the gateway itself")

    def _not_spoofed(self) -> Iterator[str]:
        if self.program.position.by_interface:
            mask = self.marks.mask(Level(1, 0))
            yield f"iifname . meta mark & 0x{mask:08x} != @arrivals goto refuse_spoofed"

    def _own_sources(self) -> Iterator[str]:
        for family, protocol, _ in FAMILIES:
            if self.program.position.gateway.own.ranges(family):
                yield f"{protocol} saddr @own{family} goto refuse_spoofed"

    # -- the hooks -------------------------------------------------------------------------------

    def write_hooks(self) -> None:
        for hook in Hook:
            self.table.chain(
                f"on_{hook}",
                [
                    *self._established(hook),
                    *self._served(hook),
                    *self._classified(hook),
                    f"goto decide_{hook}",
                ],
                hook=f"type filter hook {hook} priority filter; policy drop;",
            )
            self.table.chain(f"decide_{hook}", self._decide(hook))
            if self._has_still(hook):
                self._write_still(hook)

    def _established(self, hook: Hook) -> Iterator[str]:
        if hook is Hook.INPUT:
            yield 'iifname "lo" accept'
        if hook is Hook.OUTPUT:
            yield 'oifname "lo" accept'
        if self._has_still(hook):
            yield f"ct state established ct label {LABEL} goto still_{hook}"
        yield "ct state established accept"
        yield "ct state related meta l4proto { 1, 58 } accept"
        if hook is Hook.OUTPUT and any(map(self._has_still, Hook)):
            yield "ct state related tcp flags & rst == rst accept"  # what chain `ended` sends
        if hook is not Hook.FORWARD:
            yield f"icmpv6 type {{ {ND} }} ip6 hoplimit 255 accept"
            yield f"icmpv6 type {{ {MLD} }} ip6 saddr {{ ::, fe80::/10 }} accept"
        yield "ct state invalid drop"

    def _served(self, hook: Hook) -> Iterator[str]:
        """DHCP, whose packets have no addresses of a zone yet."""
        gateway = self.program.position.gateway
        served = [a.device for a in gateway.attachments if a.zone in gateway.dhcp_zones]
        asking = [interface.name for interface in gateway.interfaces if interface.dhcp]
        for devices, serving in ((served, True), (asking, False)):
            if devices and hook is not Hook.FORWARD:
                yield from _dhcp(hook, sorted(devices), serving)

    def _classified(self, hook: Hook) -> Iterator[str]:
        yield f"meta mark set meta mark & 0x{self.marks.kept:08x}"
        own = (self.program.places.own, 0)
        if hook is Hook.OUTPUT:
            yield f"meta mark set meta mark | 0x{self.marks.source(own):08x}"
            yield "jump find_destination"
            return
        yield from self._own_sources()
        yield "jump find_source"
        yield from self._not_spoofed()
        if hook is Hook.INPUT:
            yield f"meta mark set meta mark | 0x{self.marks.destination(own):08x}"
        else:
            yield "jump find_destination"

    def _decide(self, hook: Hook) -> Iterator[str]:
        for phase in Phase:
            yield from lookups(hook, self.program.levels, phase, self.marks)
        if hook is Hook.FORWARD and self.program.intra:
            yield f"meta mark & 0x{self.marks.mask(Level(1, 1)):08x} @intra goto accepted"
        yield "goto refuse"

    # -- connections whose permission may end ----------------------------------------------------

    def _has_still(self, hook: Hook) -> bool:
        reply = {Hook.INPUT: Hook.OUTPUT, Hook.OUTPUT: Hook.INPUT, Hook.FORWARD: Hook.FORWARD}[hook]
        return bool(self._still_levels(hook) or self._still_levels(reply))

    def _still_levels(self, hook: Hook) -> list[tuple[Slot, Level]]:
        present = {each.name for each in self.table.sets}
        levels = self.program.levels
        return [
            (slot, level)
            for at, slot, certain in sorted(levels)
            if at is hook and slot.phase is Phase.ALLOW and not certain and still_name(slot) in present
            for level in levels[at, slot, certain]
        ]

    def _write_still(self, hook: Hook) -> None:
        """Look the opener's packet up again, whichever way this one goes."""
        other = {Hook.INPUT: Hook.OUTPUT, Hook.OUTPUT: Hook.INPUT, Hook.FORWARD: Hook.FORWARD}[hook]
        clear = f"meta mark set meta mark & 0x{self.marks.kept:08x}"
        self.table.chain(
            f"still_{hook}",
            [clear, f"ct direction original goto still_{hook}_original", f"goto still_{hook}_reply"],
        )
        for direction, opened, finder in (("original", hook, "find"), ("reply", other, "find_reply")):
            port = "dport" if direction == "original" else "sport"
            checks = [
                f"{lookup_key(slot, self.marks, level, port)} vmap @{still_name(slot)}"
                for slot, level in self._still_levels(opened)
            ]
            self.table.chain(
                f"still_{hook}_{direction}", [*self._opened(opened, finder), *checks, "goto ended"]
            )

    def _opened(self, hook: Hook, finder: str) -> Iterator[str]:
        own = (self.program.places.own, 0)
        if hook is Hook.OUTPUT:
            yield f"meta mark set meta mark | 0x{self.marks.source(own):08x}"
        else:
            yield f"jump {finder}_source"
        if hook is Hook.INPUT:
            yield f"meta mark set meta mark | 0x{self.marks.destination(own):08x}"
        else:
            yield f"jump {finder}_destination"

    # -- what becomes of a packet ----------------------------------------------------------------

    def write_verdicts(self) -> None:
        kept = self.marks.kept
        self.table.chain("accepted", [f"meta mark set meta mark & 0x{kept:08x}", "accept"])
        if any(self._has_still(hook) for hook in Hook):
            self.table.chain(
                "ended", ["meta l4proto 6 reject with tcp reset", "reject with icmpx type admin-prohibited"]
            )
        if self.program.intra:
            pairs = (f"0x{self.marks.pair((n, 0), (n, 0)):08x}" for n in self.program.intra)
            self.table.set("intra", "mark", pairs, comment="zones whose hosts may talk among themselves")
        spoofed = f'{LOG_RATE} log prefix "segc deny spoofed "'
        unknown = f'{LOG_RATE} log prefix "segc deny unknown "'
        self.table.chain("refuse_spoofed", [spoofed, "drop"], comment="a source where it cannot come from")
        if self._unseen() or not any(area.external for area in self.program.places.areas):
            self.table.chain("refuse_unknown", [unknown, "drop"], comment="an address of no zone")
        self._write_logs()
        silent = [area for area in self.program.places.areas if not area.gateway and self._drops(area)]
        drops = [f"0x{self.marks.source((area.number, 0)):08x}{comment(area.name)}" for area in silent]
        rules = ["reject with icmpx type admin-prohibited"]
        if drops:
            self.table.set("silent", "mark", drops, comment="zones whose refused packets get no answer")
            rules.insert(0, f"meta mark & 0x{self.marks.mask(Level(1, 0)):08x} @silent drop")
        self.table.chain("refuse_now", rules)

    def _drops(self, area: Area) -> bool:
        return self.program.policy.zones[area.name].refuse == "drop"

    def _write_logs(self) -> None:
        """A chain a pair of zones, so that the log names both; for very many zones one a source zone."""
        areas = [(area.number, area.name) for area in self.program.places.areas]
        areas.append((self.program.places.own, "gateway"))
        pairs = [(a, b) for a in areas for b in areas if a != b or a[1] in self.program.policy.zones]
        elements: list[str] = []
        if len(pairs) <= MAX_PAIR_LOGS:
            level = Level(1, 1)
            for (a, source), (b, destination) in pairs:
                chain = self._log(f"{source}.to.{destination}", f"{source}>{destination}")
                elements.append(f"0x{self.marks.pair((a, 0), (b, 0)):08x} : jump {chain}")
        else:
            level = Level(1, 0)
            for number, source in areas:
                chain = self._log(f"{source}", f"{source}>")
                elements.append(f"0x{self.marks.source((number, 0)):08x} : jump {chain}")
        self.table.set("denied", "mark : verdict", elements)
        lookup = f"meta mark & 0x{self.marks.mask(level):08x} vmap @denied"
        self.table.chain("refuse", [lookup, "goto refuse_now"])

    def _log(self, name: str, text: str) -> str:
        prefix = f"segc deny {text}"[:PREFIX_LENGTH] + " "
        return self.table.chain(f"denied_{name}", [f"{LOG_RATE} log prefix {quoted(prefix)}"])


def _dhcp(hook: Hook, devices: list[str], serving: bool) -> Iterator[str]:
    names = ", ".join(f'"{device}"' for device in devices)
    incoming = hook is Hook.INPUT
    match = f"{'iifname' if incoming else 'oifname'} {{ {names} }}"
    to_server = incoming == serving
    v4 = "udp sport 68 udp dport 67" if to_server else "udp sport 67 udp dport 68"
    v6 = "udp sport 546 udp dport 547" if to_server else "udp sport 547 udp dport 546"
    yield f"{match} meta nfproto ipv4 {v4} accept"
    yield f"{match} ip6 saddr fe80::/10 {v6} accept"
