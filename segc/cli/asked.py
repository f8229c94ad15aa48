"""The words of a question on the command line, as addresses, services and sessions of a policy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import click

from segc.diagnostics.suggest import did_you_mean
from segc.identity.names import person
from segc.policy import calendar
from segc.policy.claims import Claims
from segc.policy.model import Policy, Zone
from segc.space.addresses import Address, address, read_address
from segc.space.prefixes import EVERYTHING, PrefixSet, parse_prefixes, union
from segc.space.services import ANY_SERVICE, ServiceSet, parse_service

# What stands for the internet: hosts of documentation (RFC 5737, RFC 9637), else some public address.
EXAMPLES = union(map(parse_prefixes, ("198.51.100.1", "203.0.113.1", "3fff::1", "2001:db8:ffff::1")))
PUBLIC = union(map(parse_prefixes, ("1.0.0.1-9.255.255.255", "2000::1-3ffe:ffff::")))


class Place(NamedTuple):
    """An end of a packet: an address a family; `chosen` where the word left a choice."""

    word: str
    addresses: Mapping[int, Address]
    chosen: bool = False


def ends(policy: Policy, source_word: str, destination_word: str) -> tuple[Place, Place]:
    """Both ends of a packet, with two addresses where a zone leaves the choice; click.UsageError."""
    source = _place(policy, source_word)
    destination = _place(policy, destination_word, source)
    return source if destination.chosen else _place(policy, source_word, destination), destination


def _place(policy: Policy, word: str, other: Place | None = None) -> Place:
    """The end that `10.0.0.1`, `zone`, `zone.host` or `gateway name` stands for; click.UsageError if none."""
    kind, _, name = word.partition(" ")
    if kind == "gateway":
        return _gateway(policy, word, name.strip())
    if word[:1].isdigit() or ":" in word:
        try:
            family, value = read_address(word)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        return Place(word, {family: address(value, family)})
    zone_name, dot, host_name = word.partition(".")
    zone = policy.zones.get(zone_name)
    if zone is None:
        raise click.UsageError(_no_zone(policy, word if " " in word else zone_name))
    return _host(zone, word, host_name) if dot else _member(policy, zone, other)


def _no_zone(policy: Policy, name: str) -> str:
    kind, blank, named = name.partition(" ")
    if name in policy.sets:
        return f"`{name}` is a set: name a zone, a host or an address of it"
    if name in policy.gateways:
        return f"`{name}` is a gateway: write `gateway {name}`"
    if blank and kind in ("group", "user"):
        return f"`{name}` is not a place: name where they sit, and say who with `--{kind} {named}`"
    if (blank and kind == "tag") or name == "any":
        return f"`{name}` is many places: name a zone, a host or an address of them"
    near = did_you_mean(name, policy.zones)
    return f"there is no zone `{name}`: {near or 'write an address, `zone`, `zone.host` or `gateway NAME`'}"


def _gateway(policy: Policy, word: str, name: str) -> Place:
    gateway = policy.gateways.get(name)
    if gateway is None:
        known = ", ".join(f"`{each}`" for each in policy.gateways)
        raise click.UsageError(f"there is no gateway `{name}`: there is {known}")
    if not gateway.own:
        raise click.UsageError(
            f"the policy gives the gateway `{name}` no address: add `address ZONE ADDRESS/LENGTH` to it"
        )
    return Place(word, _firsts(gateway.own))


def _host(zone: Zone, word: str, name: str) -> Place:
    host = next((each for each in zone.hosts if each.name == name), None)
    if host is None:
        names = [each.name for each in zone.hosts]
        near = did_you_mean(name, names)
        known = f"its hosts are {', '.join(f'`{each}`' for each in names)}" if names else "it names no host"
        raise click.UsageError(f"the zone `{zone.name}` has no host `{name}`: {near or known}")
    return Place(word, _firsts(host.space))


def _member(policy: Policy, zone: Zone, other: Place | None) -> Place:
    """An address that stands for the zone: not that of the other end, no gateway's, no host's, none that a
    flow singles out, as far as there is one; of each family."""
    if not zone.space:
        raise click.UsageError(f"the zone `{zone.name}` has no address")
    hosts = union(host.space for host in zone.hosts)
    there = union(parse_prefixes(str(each)) for each in (other.addresses.values() if other else ()))
    taken = union([hosts, there, *(gateway.own for gateway in policy.gateways.values())])
    parts = {part.space for flow in policy.flows for end in flow.ends for part in end.parts}
    singled_out = union([taken, *(space for space in parts if not zone.space <= space)])
    likely = PUBLIC if zone.external else EVERYTHING - _edges(zone.space)
    wanted = (EXAMPLES - singled_out, likely - singled_out, likely - taken, EVERYTHING - taken)
    spaces = [zone.space & each for each in (*wanted, EVERYTHING - there, EVERYTHING)]
    firsts = [_firsts(space) for space in spaces]
    free = {family: next(each[family] for each in firsts if family in each) for family in zone.space.families}
    return Place(zone.name, free, chosen=True)


def _edges(space: PrefixSet) -> PrefixSet:
    """First and last addresses: a network's own and its broadcast address (RFC 919, RFC 4291 2.6.1)."""
    ends = {family: [(v, v) for pair in space.ranges(family) for v in sorted(set(pair))] for family in (4, 6)}
    return PrefixSet(v4=tuple(ends[4]), v6=tuple(ends[6]))


def _firsts(space: PrefixSet) -> dict[int, Address]:
    return {family: space.only(family).first() for family in sorted(space.families)}


def family_of(source: Place, destination: Place) -> int:
    """The family that both ends have, IPv4 before IPv6."""
    shared = source.addresses.keys() & destination.addresses.keys()
    if shared:
        return min(shared)
    one, other = (
        f"`{end.word}` has only IPv{'/'.join(str(family) for family in end.addresses)}"
        for end in (source, destination)
    )
    raise click.UsageError(f"no packet can go there: {one}, {other}")


def service(policy: Policy, word: str, family: int) -> ServiceSet:
    """The service that a name or `tcp/443` stands for, as far as it exists in the family."""
    found = ANY_SERVICE if word == "any" else policy.services.get(word) or _literal(policy, word)
    if not found.exist_in(family):
        raise click.UsageError(f"`{word}` does not exist in IPv{family}")
    return found.in_family(family)


def _literal(policy: Policy, word: str) -> ServiceSet:
    protocol, slash, argument = word.partition("/")
    try:
        return parse_service(protocol, argument if slash else None)
    except ValueError as error:
        if slash:
            named = f"the service `{protocol}` has its ports: write `{protocol}` alone"
            raise click.UsageError(named if protocol in policy.services else str(error)) from None
    near = did_you_mean(word, policy.services)
    if word.isdigit():
        near = f"did you mean `tcp/{word}` or `udp/{word}`?"
    raise click.UsageError(
        f"there is no service `{word}`: {near or 'name one of the policy, or write `tcp/443`'}"
    )


def session(
    policy: Policy, user: str | None, groups: Iterable[str], mfa: bool = False, postures: Iterable[str] = ()
) -> Claims:
    groups, postures = frozenset(groups), frozenset(postures)
    for what, names, known in (("group", groups, policy.groups), ("posture", postures, policy.postures)):
        for name in sorted(names - known.keys()):
            near = did_you_mean(name, known)
            listed = ", ".join(f"`{each}`" for each in known) or "none"
            raise click.UsageError(f"there is no {what} `{name}`: {near or f'the policy has {listed}'}")
    return Claims(None if user is None else person(user), groups, mfa, postures)


def moment(policy: Policy, text: str | None) -> int:
    """Unix seconds of local time in the policy's time zone; now without a text."""
    if text is None:
        return int(time.time())
    try:
        return calendar.parse_moment(text, policy.timezone)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(str(error)) from None
