"""The nftables backend: the program of a gateway as a ruleset for `nft -f`.

Only `table inet segc` is touched. The text is the same to the byte for the same program.
"""

from __future__ import annotations

from collections.abc import Callable

from segc import __version__
from segc.backends.nftables.asked_again import AskedAgain
from segc.backends.nftables.cells import CellWriter
from segc.backends.nftables.classes import ClassWriter
from segc.backends.nftables.conditions import FAMILIES, grant_name, season_elements
from segc.backends.nftables.document import Table, plain
from segc.backends.nftables.hooks import HookWriter
from segc.backends.nftables.labels import Labels
from segc.backends.nftables.marks import MarkLayout, layout
from segc.backends.nftables.nat import write_nat
from segc.backends.nftables.verdicts import VerdictWriter
from segc.enforcement.program import Program
from segc.source import Span

HEAD = """\
#!/usr/sbin/nft -f
# Ruleset of gateway {gateway}
# Written by segc {version} from the policy {digest}. Edit the policy, not this file.
# Needs nftables 1.0.2 and Linux 5.15, or newer. Packet mark bits in use while deciding: {mark}.

table inet segc
delete table inet segc

"""


def render(program: Program, digest: str, place: Callable[[Span], str]) -> str:
    """The ruleset of a gateway that is within the limits (`limits`); `place` words a span for comments."""
    gateway = program.position.gateway
    marks = layout(program.places, gateway.mark)
    assert marks is not None
    head = HEAD.format(
        gateway=gateway.name, version=__version__, digest=digest, mark=f"0x{0xFFFFFFFF & ~marks.kept:08x}"
    )
    return head + build_table(program, marks, place).text("inet", "segc")


def build_table(program: Program, marks: MarkLayout, place: Callable[[Span], str]) -> Table:
    table = Table()
    _write_sessions(program, table)
    CellWriter(program, marks, table, Labels(program, place)).write()
    asked_again = AskedAgain(program, marks, table)
    classes = ClassWriter(program, marks, table)
    classes.write()
    unknown = bool(classes.unseen) or not any(area.external for area in program.places.areas)
    VerdictWriter(program, marks, table).write(unknown, asked_again.ever)
    HookWriter(program, marks, table, asked_again).write()
    write_nat(program.policy, program.position.gateway, table, place)
    return table


def _write_sessions(program: Program, table: Table) -> None:
    """Sets that sessions fill at run time; empty, nobody is in a group."""
    for grant in program.grants:
        needs = [*(["mfa"] if grant.mfa else []), *(f"posture {name}" for name in grant.postures)]
        words = f"{grant.subject}".replace('"', "") + (f" with {', '.join(needs)}" if needs else "")
        for protocol, family in FAMILIES:
            type_ = "ipv4_addr" if protocol == "ip" else "ipv6_addr"
            table.set(f"who{family}_{grant_name(grant)}", type_, flags="timeout", comment=plain(words)[:120])
    zones = {flow.conditions.schedule.timezone for flow in program.flows() if flow.conditions.schedule}
    for zone in sorted(zones):
        for name, elements in season_elements(zone):
            table.set(name, "meta time", elements, flags="interval", typeof=True)
