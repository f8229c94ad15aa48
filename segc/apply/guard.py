"""What no apply may cut: the access of those who manage a gateway, and the connection that one sits in."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from ipaddress import ip_address, ip_interface

from pyroute2 import IPRoute

from segc.apply.connections import at_home, policy_of
from segc.apply.errors import LockedOutError
from segc.apply.login import Login, login
from segc.apply.seen import Seen, observe, way_to
from segc.apply.state import State
from segc.apply.step import Step
from segc.apply.work import Work
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.claims import Situation
from segc.policy.model import Flow, Policy
from segc.policy.topology import position
from segc.source import Span
from segc.space.prefixes import PrefixSet, union
from segc.space.words import quote
from segc.trace import Packet, trace

TCP = 6
OVERRIDE = "to apply it all the same, for instance from a console: `--allow-lockout`"


def guard(state: State, policy: Policy, node: str, links: IPRoute) -> Callable[[Work], None]:
    """What `saga.apply` asks before it begins; LockedOutError names everybody who would be locked out.

    `policy` is seen from `connections.at_home`.
    """

    def refuse(work: Work) -> None:
        found = refusals(state, policy, node, links, work.steps, work.absent)
        if found:
            raise LockedOutError("somebody would be locked out; nothing was changed", found)

    return refuse


def refusals(
    state: State,
    policy: Policy,
    node: str,
    links: IPRoute,
    steps: Sequence[Step],
    absent: Collection[str],
) -> tuple[Diagnostic, ...]:
    """`lockouts` of the host that we are on: by what stands there, and the connection that we run in."""
    current = state.intact("current")
    former = at_home(policy_of(current.sources()), current.meta.node, links) if current else None
    return tuple(lockouts(policy, former, node, _remote(links), steps, observe(links), absent))


def unplugged(steps: Sequence[Step], links: IPRoute) -> tuple[str, ...]:
    """What the steps take from the connection that we run in, in words, whatever a policy says."""
    remote = _remote(links) if steps else None
    return tuple(_unplugged(remote, steps, observe(links))) if remote else ()


def _remote(links: IPRoute) -> Login | None:
    remote = login()
    if remote is None or remote.client.is_link_local:  # that is on every device
        return remote
    device, hop = way_to(links, str(remote.client))
    return remote._replace(device=device, hop=ip_address(hop) if hop else None)


def lockouts(
    policy: Policy,
    former: Policy | None,
    node: str,
    remote: Login | None,
    steps: Sequence[Step],
    seen: Seen,
    absent: Collection[str] = (),
) -> Iterator[Diagnostic]:
    """Who would be locked out of the gateway `node`, and by what (`SEG601`); nothing if nobody.

    `policy` and `former` are seen from `connections.at_home`, `absent` are devices of the policy that are
    not there. Access that depends on a session or an hour does not count: a guard that hopes is none.
    """
    yield from _denied_managers(policy, node)
    yield from _no_way_in(policy, node, absent)
    if former is not None and node in former.gateways:
        yield from _lost_managers(policy, former, node)
    if remote is not None and remote.server in policy.gateways[node].own:
        yield from _cut_off(policy, remote, node)
        for message in _unplugged(remote, steps, seen):
            yield _found(message, policy.gateways[node].span, "of this gateway")


def _managing(policy: Policy, node: str) -> list[Flow]:
    return [flow for flow in policy.flows if flow.kind == "manage" and node in flow.destination.gateways]


def _found(message: str, span: Span | None, label: str, *also: Label) -> Diagnostic:
    return finding("SEG601", message, span, label, also=also, help=OVERRIDE)


def _denied_managers(policy: Policy, node: str) -> Iterator[Diagnostic]:
    """A deny, whatever it asks for, that beats a `manage`."""
    for flow in _managing(policy, node):
        for deny in policy.flows:
            if deny.action != "deny" or deny.staged or node not in deny.destination.gateways:
                continue
            shut = deny.source.space & flow.source.space
            if deny.services & flow.services and shut:
                message = (
                    f"who manages `{node}` from {quote(flow.source.text)} would be denied: {_example(shut)}"
                )
                yield _found(message, deny.span, "this deny beats it", Label(flow.span, "what may manage"))


def _lost_managers(policy: Policy, former: Policy, node: str) -> Iterator[Diagnostic]:
    """Those who could manage until now, and no flow lets in any more."""
    for flow in _managing(former, node):
        if not flow.certain:
            continue
        let_in = PrefixSet()
        for other in policy.flows:
            allows = other.certain and other.action == "allow" and node in other.destination.gateways
            if allows and not flow.services - other.services:
                let_in = let_in | other.source.space
        lost = flow.source.space - let_in
        if lost:
            message = (
                f"{quote(flow.source.text)} can manage `{node}` now, and could no longer: {_example(lost)}"
            )
            yield _found(message, policy.gateways[node].span, "nothing here lets them in")


def _cut_off(policy: Policy, remote: Login, node: str) -> Iterator[Diagnostic]:
    packet = Packet(remote.client, remote.server, TCP, remote.port)
    decision = trace(policy, packet, Situation(at=int(time.time())))
    if decision.verdict == "deny":
        ends = f"{remote.client} to {remote.server} tcp/{remote.port}"
        span = decision.statements[0].span if decision.statements else policy.gateways[node].span
        label = "by this" if decision.statements else "no flow allows it"
        yield _found(f"your own connection, {ends}, would be cut", span, label)
    else:
        yield from _by_another_device(policy, remote, node, decision.source.zone or "")


def _by_another_device(policy: Policy, remote: Login, node: str, zone: str) -> Iterator[Diagnostic]:
    """Answers would leave by a device that packets of the zone may not arrive on."""
    ways = _ways(policy, node).get(zone)
    if remote.device and ways and remote.device not in ways:
        there = ", ".join(map(quote, sorted(ways)))
        message = f"your own connection comes in by {quote(remote.device)}, and would be cut"
        yield _found(message, policy.gateways[node].span, f"zone {quote(zone)} comes in by {there} only")


def _ways(policy: Policy, node: str) -> dict[str, frozenset[str]]:
    """By zone the devices that its packets may arrive on; nothing where that is not asked."""
    here = position(policy, policy.gateways[node])
    return dict(here.devices) if here.by_interface else {}


def _no_way_in(policy: Policy, node: str, absent: Collection[str]) -> Iterator[Diagnostic]:
    """Of the devices that those who manage could come in by, not one is there."""
    managing, ways = _managing(policy, node), _ways(policy, node)
    sources = union(flow.source.space for flow in managing)
    zones = [zone for zone in ways if policy.zones[zone].space & sources]
    devices = {device for zone in zones for device in ways[zone]}
    if devices and devices <= set(absent):
        message = f"nobody could manage `{node}`: there is no {', '.join(map(quote, sorted(devices)))}"
        yield _found(message, managing[0].span, "these would come in by there")


def _unplugged(remote: Login, steps: Sequence[Step], seen: Seen) -> Iterator[str]:
    """A device that carries the address one is connected to, or by which answers leave, loses it, a VLAN, or
    its place."""
    path = _path(remote, seen)
    for step in steps:
        if step.device in path and (step.disruptive or _leant_on(step, remote, seen, steps)):
            yield f"your own connection comes in by {quote(step.device)}: {step.what}"


def _leant_on(step: Step, remote: Login, seen: Seen, steps: Sequence[Step]) -> bool:
    """Whether an address goes that one is connected to, or the last whose network leads back."""
    address, back = step.withdrawn, remote.hop or remote.client
    if address is None:
        return False
    gone = {other.withdrawn for other in steps if other.device == step.device}
    stay = {ip_interface(each) for each in seen.addresses.get(step.device, ())} - gone
    leads = back in address.network and not any(back in each.network for each in stay)
    return address.ip == remote.server or leads


def _path(remote: Login, seen: Seen) -> set[str]:
    """The device with the server's address, the one by which answers leave, and those below them."""
    server = str(remote.server)
    path = {
        name
        for name in seen.links.keys() | seen.addresses.keys()
        if name == remote.device or server in {a.partition("/")[0] for a in seen.addresses.get(name, ())}
    }
    while more := {
        name
        for name, link in seen.links.items()
        if name not in path and (link.master in path or any(seen.links[p].parent == name for p in path))
    }:
        path |= more
    return path


def _example(space: PrefixSet) -> str:
    family = min(space.families)
    return f"for instance {space.only(family).first()}"
