"""The nftables backend: the program of a gateway as a ruleset for `nft -f`.

Only `table inet segc` is touched. The text is the same to the byte for the same program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from segc import __version__
from segc.backends.nftables.cells import CellWriter
from segc.backends.nftables.classes import ClassWriter
from segc.backends.nftables.conditions import FAMILIES, grant_name, season_elements
from segc.backends.nftables.document import NAME_LENGTH, Table, plain
from segc.backends.nftables.hooks import HookWriter
from segc.backends.nftables.labels import Labels
from segc.backends.nftables.marks import MarkLayout, layout, longest_run
from segc.backends.nftables.nat import write_nat
from segc.backends.nftables.verdicts import VerdictWriter
from segc.diagnostics.model import Diagnostic, finding
from segc.enforcement.program import Program
from segc.source import Span
from segc.space.words import quote

HEAD = """\
#!/usr/sbin/nft -f
# Ruleset of gateway {gateway}
# Written by segc {version} from the policy {digest}. Edit the policy, not this file.
# Needs nftables 1.0.2 and Linux 5.15, or newer. Packet mark bits in use while deciding: {mark}.

table inet segc
delete table inet segc

"""
PAIRED_LENGTH = NAME_LENGTH // 4  # of zones, hosts and gateways: chains are called after two of them


def render(program: Program, digest: str, place: Callable[[Span], str]) -> tuple[str, tuple[Diagnostic, ...]]:
    """The ruleset, or findings of what it cannot express; `place` words a span for comments."""
    problems = tuple(_too_long(program))
    marks = layout(program.places, program.position.gateway.mark)
    if marks is None:
        return "", (*problems, _mark_too_narrow(program))
    if problems:
        return "", problems
    return _text(program, marks, digest, place), ()


def _text(program: Program, marks: MarkLayout, digest: str, place: Callable[[Span], str]) -> str:
    table = build_table(program, marks, place)
    head = HEAD.format(
        gateway=program.position.gateway.name,
        version=__version__,
        digest=digest,
        mark=f"0x{0xFFFFFFFF & ~marks.kept:08x}",
    )
    return head + table.text("inet", "segc")


def build_table(program: Program, marks: MarkLayout, place: Callable[[Span], str]) -> Table:
    table = Table()
    _write_sessions(program, table)
    CellWriter(program, marks, table, Labels(program, place)).write()
    hooks = HookWriter(program, marks, table)
    classes = ClassWriter(program, marks, table)
    classes.write()
    unknown = bool(classes.unseen) or not any(area.external for area in program.places.areas)
    VerdictWriter(program, marks, table).write(unknown, hooks.has_still())
    hooks.write()
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


def _too_long(program: Program) -> Iterator[Diagnostic]:
    policy = program.policy
    for flow in program.flows():
        yield from _check_length("flow", flow.id, flow.span, NAME_LENGTH)
    for zone in policy.zones.values():
        yield from _check_length("zone", zone.name, zone.span, PAIRED_LENGTH)
        for host in zone.hosts:
            yield from _check_length("host", f"{zone.name}.{host.name}", host.span, PAIRED_LENGTH)
    for gateway in policy.gateways.values():
        yield from _check_length("gateway", gateway.name, gateway.span, PAIRED_LENGTH)


def _check_length(kind: str, name: str, span: Span | None, limit: int) -> Iterator[Diagnostic]:
    if len(name) > limit:
        yield finding(
            "SEG501",
            f"the name of {kind} {quote(name)} is too long for nftables",
            span,
            f"{len(name)} characters" + ", with its zone's name" * (kind == "host"),
            help=f"here it can have at most {limit} characters: shorten it",
        )


def _mark_too_narrow(program: Program) -> Diagnostic:
    places, gateway = program.places, program.position.gateway
    needed, given = 2 * (places.zone_bits + places.class_bits), longest_run(gateway.mark)[1]
    return finding(
        "SEG502",
        f"gateway `{gateway.name}` needs {needed} neighbouring bits of the packet mark, "
        f"and its `mark` 0x{gateway.mark:08x} has {given} in a row",
        gateway.span,
        f"{len(places.areas)} zones, up to {2**places.class_bits - 1} classes of addresses within one",
        notes=("the ruleset holds the source and the destination of a packet in its mark while it decides",),
        help="widen its `mark`, in one piece; or let hosts share sets, or enforce fewer zones on one gateway",
    )
