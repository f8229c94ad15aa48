"""What becomes of packets that no flow lets through: logged with both zones' names, answered or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from segc.backends.nftables.cells import PREFIX_LENGTH
from segc.backends.nftables.document import Table, comment, quoted
from segc.backends.nftables.marks import MarkLayout
from segc.enforcement.program import Level, Program

MAX_PAIR_LOGS = 1024  # above, a chain a pair would take longer to load than the policy itself
LOG_RATE = "limit rate 5/second burst 20 packets"
ANSWERS = "limit rate over 1000/second burst 1000 packets drop"  # as many as the kernel's icmp_msgs_per_sec
REJECT = "reject with icmpx type admin-prohibited"


@dataclass
class VerdictWriter:
    program: Program
    marks: MarkLayout
    table: Table

    def write(self, unknown: bool, ended: bool) -> None:
        """`unknown`: addresses of no zone can come by; `ended`: connections may have to end."""
        self.table.chain("accepted", [f"{self.marks.clear()} accept"])
        if ended:
            self.table.chain("ended", ["meta l4proto 6 reject with tcp reset", REJECT])
        self._write_drop("spoofed", "a source where it cannot come from")
        if unknown:
            self._write_drop("unknown", "an address of no zone")
        self._write_logs()
        self.table.chain("refuse_now", [*self._silent(), ANSWERS, REJECT])

    def _write_drop(self, what: str, remark: str) -> None:
        log = f'{LOG_RATE} log prefix "segc deny {what} "'
        self.table.chain(f"refuse_{what}", [log, "drop"], comment=remark)

    def _silent(self) -> Iterator[str]:
        zones = self.program.policy.zones
        areas = [area for area in self.program.places.areas if not area.gateway]
        drops = [
            f"0x{self.marks.source((area.number, 0)):08x}{comment(area.name)}"
            for area in areas
            if zones[area.name].refuse == "drop"
        ]
        if drops:
            self.table.set("silent", "mark", drops, comment="zones whose refused packets get no answer")
            yield f"meta mark & 0x{self.marks.mask(Level(1, 0)):08x} @silent drop"

    def _write_logs(self) -> None:
        """A chain a pair of zones, so that the log names both; for very many zones one a source zone."""
        areas = [(area.number, area.name) for area in self.program.places.areas]
        areas.append((self.program.places.own, "gateway"))
        elements: list[str] = []
        if len(areas) ** 2 <= MAX_PAIR_LOGS:
            level = Level(1, 1)
            zones = self.program.policy.zones
            for (a, source), (b, destination) in product(areas, areas):
                if a == b and source not in zones:
                    continue
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
