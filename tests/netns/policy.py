"""From a policy to a gateway that enforces it in a namespace: its devices, routes, ruleset and sessions."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

from segc.backends.nftables.conditions import grant_name
from segc.backends.nftables.limits import limits
from segc.backends.nftables.render import render
from segc.compile import digest, place_namer
from segc.diagnostics.model import Severity
from segc.enforcement.lower import lower
from segc.enforcement.program import Program
from segc.policy.claims import NOBODY, Claims, Situation
from segc.policy.model import Limit, Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.addresses import Address, address
from segc.space.prefixes import PrefixSet
from segc.syntax.parse import parse
from segc.trace import Packet, locate, trace
from tests.netns.harness import Gateway, InterfaceSpec, Probe
from tests.netns.namespace import run

LEASED = ("100.64.0.2/30", "2001:db8:ffff:ffff::2/64")  # what a DHCP server would hand out
USUAL_STRANGERS = tuple(map(ip_address, ("198.51.100.7", "2001:db8:ffff::7")))
NEVER_LIMITED = Limit(10**6, "second")
WHOLE_WEEK: dict[str, Any] = {"days": tuple(range(7)), "start": 0, "end": 1440}
Sessions = Mapping[Address, Claims]


@dataclass(frozen=True)
class Compiled:
    """A policy and what the nftables backend makes of it."""

    policy: Policy
    files: tuple[SourceFile, ...]

    @cached_property
    def programs(self) -> dict[str, Program]:
        return {name: lower(self.policy, gateway) for name, gateway in self.policy.gateways.items()}

    def ruleset(self, gateway: str | None = None) -> str:
        """The text for one gateway; AssertionError where the target cannot express it."""
        problems = tuple(limits(self.policy))
        assert not problems, problems
        return render(self.program(gateway), digest(self.files), place_namer(self.files))

    def program(self, gateway: str | None = None) -> Program:
        return next(iter(self.programs.values())) if gateway is None else self.programs[gateway]

    def unlimited(self) -> Compiled:
        """The same policy with limits too high to be reached: they are still there, and still conditions."""
        flows = (replace(flow, limit=NEVER_LIMITED) if flow.limit else flow for flow in self.policy.flows)
        return Compiled(replace(self.policy, flows=tuple(flows)), self.files)

    def at_all_hours(self) -> Compiled:
        """The same policy with every `when` a whole week long."""
        flows = tuple(
            replace(flow, conditions=flow.conditions._replace(schedule=old._replace(**WHOLE_WEEK)))
            if (old := flow.conditions.schedule)
            else flow
            for flow in self.policy.flows
        )
        return Compiled(replace(self.policy, flows=flows), self.files)


def compile_files(files: Sequence[SourceFile]) -> Compiled:
    trees = []
    for source in files:
        tree, found = parse(source)
        assert not found, found
        trees.append(tree)
    policy, diagnostics = resolve(trees)
    errors = [each for each in diagnostics if each.severity is Severity.ERROR]
    assert not errors, errors
    return Compiled(policy, tuple(files))


def compile_text(*texts: str) -> Compiled:
    """A policy of one file a text."""
    return compile_files([SourceFile(f"part{i}.seg", text) for i, text in enumerate(texts)])


def compile_path(path: Path) -> Compiled:
    found = [path] if path.is_file() else sorted(path.rglob("*.seg"))
    return compile_files([SourceFile(str(file), file.read_text()) for file in found])


def interfaces(program: Program) -> dict[str, InterfaceSpec]:
    """The gateway's devices, each with its addresses and a route to every zone behind it."""
    gateway = program.position.gateway
    zones = program.policy.zones
    if gateway.implicit:
        names = {f"zone{i}": name for i, name in enumerate(sorted(zones))}
        return {device: _spec(program, [name], ()) for device, name in names.items()}
    dynamic = {interface.name for interface in gateway.interfaces if interface.dhcp}
    attached = {a.device: a.zone for a in gateway.attachments}
    static = {i.name: tuple(map(str, i.addresses)) for i in gateway.interfaces}
    specs = {}
    for device in attached:
        addresses = [str(each) for each in gateway.addresses.get(attached[device], ())]
        addresses += static.get(device, ())
        addresses += LEASED if device in dynamic else ()
        behind = [zone for zone, devices in program.position.devices.items() if min(devices) == device]
        specs[device] = _spec(program, behind, addresses)
    return specs


def _spec(program: Program, zones: Iterable[str], addresses: Sequence[str]) -> InterfaceSpec:
    found = [program.policy.zones[name] for name in zones]
    routes = [p for zone in found if not zone.external for f in (4, 6) for p in zone.space.prefixes(f)]
    return InterfaceSpec(addresses, routes, default=any(zone.external for zone in found))


def device_of(program: Program, zone: str) -> str:
    """The device on which packets of a zone arrive."""
    if program.position.gateway.implicit:
        return f"zone{sorted(program.policy.zones).index(zone)}"
    return min(program.position.devices[zone])


def raise_gateway(program: Program, ruleset: str) -> Gateway:
    gateway = Gateway(interfaces(program))
    try:
        gateway.load(ruleset)
    except BaseException:
        gateway.close()
        raise
    return gateway


def bind(gateway: Gateway, program: Program, sessions: Sessions, timeout: str = "") -> None:
    """Put what sessions prove into the sets of the ruleset, as the session agent would."""
    lines = []
    for grant in program.grants:
        for host, claims in sessions.items():
            if (
                claims.proves(grant.subject, program.policy)
                and claims.mfa >= grant.mfa
                and claims.postures.issuperset(grant.postures)
            ):
                element = f"{host} timeout {timeout}" if timeout else f"{host}"
                lines.append(f"add element inet segc who{host.version}_{grant_name(grant)} {{ {element} }}")
    gateway.load("\n".join(lines) + "\n")


def unbind(gateway: Gateway, program: Program, *hosts: str) -> None:
    """End the sessions of these addresses, and wait until that shows. One that was in no set is an error."""
    for host in map(ip_address, hosts):
        names = [f"who{host.version}_{grant_name(grant)}" for grant in program.grants]
        held = [name for name in names if str(host) in listed(gateway, "set", name)]
        assert held, f"{host} has no session"
        gateway.load("".join(f"delete element inet segc {name} {{ {host} }}\n" for name in held))
    wait_a_moment()


def wait_a_moment() -> None:
    """Until the kernel asks again about connections that it has asked about, which is half a second."""
    time.sleep(0.55)


def counter(gateway: Gateway, name: str) -> int:
    """How many packets a named counter has seen."""
    words = listed(gateway, "counter", name).split()
    return int(words[words.index("packets") + 1])


def listed(gateway: Gateway, kind: str, name: str) -> str:
    return run(gateway.namespace, ["nft", "list", kind, "inet", "segc", name]).stdout


# -- who is there to be tried ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that stands for its class; `device` is None for the gateway itself."""

    address: Address
    place: str
    zone: str | None
    device: str | None


def usable(host: Address) -> bool:
    """Whether a host can have the address: unicast, global scope."""
    if isinstance(host, IPv4Address):
        return 0x01000000 <= int(host) < 0xE0000000 and not host.is_loopback and not host.is_link_local
    return int(host) >> 125 == 1


def representatives(space: PrefixSet, avoid: frozenset[Address], rng: random.Random) -> Iterator[Address]:
    """Ends of the ranges of a class, and something between, of each family."""
    for family in (4, 6):
        near: dict[Address, None] = {}
        ranges = space.ranges(family)
        for first, last in [*ranges[:1], *ranges[-1:]]:
            for value in (first, first + 1, first + 2):
                near[address(min(value, last), family)] = None
            for value in (last, last - 1):
                near[address(max(value, first), family)] = None
        good = [each for each in near if usable(each) and each not in avoid]
        yield from dict.fromkeys([*good[:1], *good[-1:]])
        if not good and ranges:
            yield from (each for each in USUAL_STRANGERS if each.version == family and each in space)


def kernel_owned(program: Program) -> frozenset[Address]:
    """Addresses that the kernel keeps to itself: the gateway's, broadcast, subnet-router anycast."""
    found: set[Address] = set()
    for spec in interfaces(program).values():
        for text in spec.addresses:
            network = ip_network(text, strict=False)
            found.add(ip_address(text.split("/")[0]))
            found.add(network.broadcast_address if network.version == 4 else network.network_address)
    return frozenset(found)


def endpoints(program: Program, rng: random.Random) -> list[Endpoint]:
    """Representatives of every class that the gateway sees, of other gateways, and of itself."""
    avoid = kernel_owned(program)
    found = []
    for area in program.places.areas:
        spaces = [(each.name, each.space) for each in area.classes] or [(area.name, area.space)]
        for name, space in spaces:
            for host in representatives(space, avoid, rng):
                zone = _zone_of(program, host)
                if zone is not None:
                    found.append(Endpoint(host, name, zone, device_of(program, zone)))
        if area.external:
            found += [
                Endpoint(host, area.name, area.name, device_of(program, area.name))
                for host in USUAL_STRANGERS
                if host in area.space
            ]
    own = program.position.gateway.own
    found += [
        Endpoint(address(value, family), "the gateway", None, None)
        for family in (4, 6)
        for value, _ in own.ranges(family)
    ]
    return list(dict.fromkeys(found))


def _zone_of(program: Program, host: Address) -> str | None:
    """The visible zone of an address, be it a host's or another gateway's."""
    zones = program.policy.zones
    return next((name for name in program.position.devices if host in zones[name].space), None)


# -- what the policy says ------------------------------------------------------------------------------

OPENERS = {1: frozenset((8, 13, 15, 17)), 58: frozenset((128, 139, *range(130, 137), 143))}


def opens(protocol: int, value: int) -> bool:
    """Whether such a packet can be the first of a conversation: ICMP errors and answers cannot."""
    return protocol not in OPENERS or value in OPENERS[protocol]


def allowed(
    compiled: Compiled, probe: Probe, at: int, sessions: Sessions | None = None, *, gateway: str | None = None
) -> bool:
    """What `segc trace` says of a probe; False where its zones do not meet at this gateway."""
    sessions = sessions or {}
    source, destination = ip_address(probe.src), ip_address(probe.dst)
    if not opens(probe.number, probe.value):
        return False
    position = compiled.program(gateway).position
    zones = locate(compiled.policy, source).zone, locate(compiled.policy, destination).zone
    if zones[0] and zones[1] and not position.stands_between(zones[0], zones[1]):
        return False
    situation = Situation(sessions.get(source, NOBODY), sessions.get(destination, NOBODY), at)
    packet = Packet(source, destination, probe.number, probe.value)
    return trace(compiled.policy, packet, situation).verdict == "allow"
