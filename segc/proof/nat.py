"""Address translation: what is published and what is masqueraded, against the rules that do it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from segc.policy.model import Gateway, Policy, Publish
from segc.proof.boxes import EVERY, WHOLE, Box, left, meet
from segc.proof.hooks import ACCEPT, Outcome, Row, followed, outcome_text, packet_text
from segc.proof.model import Problem
from segc.proof.walk import Walker
from segc.proof.ways import Ended
from segc.space.addresses import address_text
from segc.space.intervals import Intervals, normalize, subtract
from segc.space.prefixes import PrefixSet, parse_prefixes, union

TARGET = re.compile(r"(ip6?) to (?:\[([^]]+)\]|([^:]+|[^[]+?))(?::(\d+))?")
FAMILIES = ((4, "ip"), (6, "ip6"))


def prove_nat(
    policy: Policy, gateway: Gateway, walker: Walker, hook: str, ended: list[Ended]
) -> list[Problem]:
    """What a translating hook does otherwise than the policy says."""
    rows = _prerouting(gateway, walker) if hook == "prerouting" else _postrouting(policy, gateway, walker)
    wanted = list(followed(iter([*rows, (EVERY, ACCEPT)])))
    problems: list[Problem] = []
    for way in ended:
        for state, outcome in wanted:
            box = meet(way.state.box, state.box)
            rest = None if box is None else left(box, (*way.state.apart, *state.apart))
            if rest is not None and outcome != (does := _outcome(way, rest)):
                words = outcome_text(outcome), outcome_text(does)
                message = f"the hook `{hook}` translates otherwise than it should"
                problems.append(Problem(message, way.end.line, packet_text(rest, walker), *words))
    return problems


def _outcome(way: Ended, box: Box) -> Outcome:
    """A target without a port keeps the packet's own, and one with the same port says the same."""
    effects, kind, target = way.refusal
    if way.state.mark:
        return effects, kind, f"{target} with a mark"
    match = TARGET.fullmatch(target) if kind == "dnat" else None
    if match is None or not match[4] or box.get("dport") != ((int(match[4]), int(match[4])),):
        return way.refusal
    return effects, kind, f"{match[1]} to {match[2] or match[3]}"


def _prerouting(gateway: Gateway, walker: Walker) -> Iterator[Row]:
    for publish in gateway.publishes:
        for family, protocol in FAMILIES:
            for first, last in publish.target.ranges(family):
                assert first == last, "the resolver publishes single machines only"
                for where in _outer(gateway, publish, family):
                    yield from _ports(publish, where, protocol, address_text(first, family))


def _ports(publish: Publish, where: Box, protocol: str, address: str) -> Iterator[Row]:
    number = ((publish.protocol, publish.protocol),)
    if publish.first == publish.target_first:
        ports = ((publish.first, publish.last),)
        yield {**where, "protocol": number, "dport": ports}, ((), "dnat", f"{protocol} to {address}")
        return
    host = f"[{address}]" if protocol == "ip6" else address
    for port in range(publish.first, publish.last + 1):
        target = f"{protocol} to {host}:{port - publish.first + publish.target_first}"
        yield {**where, "protocol": number, "dport": ((port, port),)}, ((), "dnat", target)


def _outer(gateway: Gateway, publish: Publish, family: int) -> Iterator[Box]:
    """Packets for the interface's own address; one that it asks DHCP for is known by elimination."""
    interface = gateway.interface(publish.interface)
    fixed = [*interface.addresses, *gateway.addresses.get(interface.zone or "", ())]
    outer: PrefixSet = union(parse_prefixes(str(address.ip)) for address in fixed)
    kind = {"family": ((family, family),)}
    if outer.ranges(family):
        yield {**kind, f"daddr{family}": outer.ranges(family)}
    if interface.dhcp:
        others: Intervals = subtract(WHOLE, (gateway.own - outer).ranges(family))
        yield {**kind, "local": ((1, 1),), f"daddr{family}": others}


def _postrouting(policy: Policy, gateway: Gateway, walker: Walker) -> Iterator[Row]:
    def devices(names: list[str]) -> Intervals:
        return normalize((number, number) for number in map(walker.number, names))

    masked: Outcome = ((), "masquerade", "")
    for publish in gateway.publishes:
        zone = next((each.name for each in policy.zones.values() if publish.target <= each.space), None)
        ports = ((publish.target_first, publish.target_first + publish.last - publish.first),)
        for name in [each.device for each in gateway.attachments if each.zone == zone]:
            turned: Box = {"iifname": devices([name]), "oifname": devices([name]), "translated": ((1, 1),)}
            for family, _ in FAMILIES:
                to = {"family": ((family, family),), f"daddr{family}": publish.target.ranges(family)}
                yield {**turned, **to, "protocol": ((publish.protocol,) * 2,), "dport": ports}, masked
    for interface in gateway.interfaces:
        names = [each.device for each in gateway.attachments if each.interface == interface.name]
        for family in interface.masquerade:
            yield {"oifname": devices(names), "family": ((family, family),)}, masked
