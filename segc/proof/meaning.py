"""What the policy says at one gateway: each flow as products of places, with who must be there.

This is the reference that the ruleset is held to. It is computed from the resolved policy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from segc.policy.model import Conditions, End, Flow, Gateway, Policy, Subject
from segc.policy.topology import Position, position
from segc.proof.atoms import Atoms, Rectangle, members
from segc.proof.who import NOBODY, Grant, Literal, Who, set_name
from segc.space.intervals import Intervals, normalize
from segc.space.prefixes import PrefixSet
from segc.space.services import ANY_SERVICE, ServiceSet

LABEL = "119"  # the connection label of flows whose permission may end before they do
LOOMING = "118"  # and that of connections to which a deny may come
ECHOES = {1: {8: 0, 13: 14, 15: 16, 17: 18}, 58: {128: 129, 139: 140}}  # requests and replies of conntrack


class Product(NamedTuple):
    """Every packet from `source` to `destination` while `who` holds; `flow` may then decide it."""

    flow: Flow
    who: Who
    source: int
    destination: int

    @property
    def fleeting(self) -> bool:
        """Whether the permission may end before a connection does."""
        return bool(self.who) or self.flow.conditions.timed

    @property
    def looming(self) -> bool:
        """Whether it may come to forbid what stands."""
        return bool(self.who) or self.flow.conditions.starts


class Role(NamedTuple):
    """A decision: at which hook a connection was opened, and where its two addresses are now.

    An address is `saddr`, `daddr` or, for the gateway itself, nothing. `port` is the side that tells the
    service. A connection that stands (`still`) is looked up again, its replies with both ends exchanged;
    one whose permission lasts (`lasting`) only among denies.
    """

    opened: str
    source: str
    destination: str
    port: str
    still: bool
    lasting: bool = False


FRESH = {
    "forward": Role("forward", "saddr", "daddr", "dport", False),
    "input": Role("input", "saddr", "", "dport", False),
    "output": Role("output", "", "daddr", "dport", False),
}
REPLY = {
    "forward": Role("forward", "daddr", "saddr", "sport", True),
    "input": Role("output", "", "saddr", "sport", True),
    "output": Role("input", "daddr", "", "sport", True),
}


class Meaning:
    def __init__(
        self, policy: Policy, gateway: Gateway, classes: Iterable[PrefixSet], more: Iterable[PrefixSet]
    ) -> None:
        """`classes` partition all addresses as the ruleset does first, `more` are its other sets."""
        self.policy, self.gateway = policy, gateway
        self.position: Position = position(policy, gateway)
        self.others = [each for each in policy.gateways.values() if each.name != gateway.name]
        cuts = [*more, *(zone.space for zone in policy.zones.values()), *(each.own for each in self.others)]
        ends = {id(end): end for flow in policy.flows for end in flow.ends}.values()
        cuts += [space for end in ends for space in _spaces(end)]
        self.atoms = Atoms([space - gateway.own for space in classes], cuts)
        self._products: dict[str, list[tuple[Flow, list[Product]]]] = {}
        self._forms: dict[tuple[int, str, bool, tuple[str, ...]], list[tuple[Who, int]]] = {}

    # -- where -----------------------------------------------------------------------------------

    @cached_property
    def foreign(self) -> dict[str, int]:
        """The places of other gateways' addresses, by gateway."""
        return {each.name: self.atoms.bits(each.own) for each in self.others}

    @cached_property
    def gateways(self) -> int:
        return _or(self.foreign.values())

    @cached_property
    def zones(self) -> dict[str, int]:
        """The places of each zone that the gateway sees."""
        bits = self.atoms.bits
        return {
            name: bits(self.policy.zones[name].space) & ~self.gateways
            for name in sorted(self.position.devices)
        }

    @cached_property
    def devices(self) -> dict[frozenset[str], int]:
        """The places by the devices that their packets may arrive on, other gateways' with their zones'."""
        found: dict[frozenset[str], int] = {}
        for name, devices in self.position.devices.items():
            found[devices] = found.get(devices, 0) | self.atoms.bits(self.policy.zones[name].space)
        return found

    @cached_property
    def devices_of(self) -> dict[int, frozenset[str]]:
        return {atom: devices for devices, bits in self.devices.items() for atom in members(bits)}

    @cached_property
    def seen(self) -> int:
        return _or(self.devices.values())

    @cached_property
    def names(self) -> dict[int, str]:
        """What the log calls each place."""
        found = {atom: name for name, bits in self.zones.items() for atom in members(bits)}
        for name, bits in self.foreign.items():
            found.update((atom, f"gateway.{name}") for atom in members(bits & self.seen))
        return found

    def crossed(self, source: int, destination: int) -> Iterator[Rectangle]:
        """What of a product the gateway stands between: it is asked for no other packets."""
        if (source | destination) & self.atoms.own:
            yield source, destination
            return
        for name, bits in self.zones.items():
            if source & bits and destination & self._across(name):
                yield source & bits, destination & self._across(name)
        if source & self.gateways and destination:
            yield source & self.gateways, destination

    def _across(self, name: str) -> int:
        known = self._crossings.get(name)
        if known is None:
            stands = self.position.stands_between
            near = (bits for other, bits in self.zones.items() if stands(name, other))
            known = self._crossings[name] = _or(near) | self.gateways
        return known

    @cached_property
    def _crossings(self) -> dict[str, int]:
        return {}

    # -- what ------------------------------------------------------------------------------------

    def products(self, opened: str) -> list[tuple[Flow, list[Product]]]:
        """What each flow decides at a hook where connections are opened, if anything."""
        if opened not in self._products:
            found = ((flow, self._flow_products(flow, FRESH[opened])) for flow in self.policy.flows)
            self._products[opened] = [(flow, products) for flow, products in found if products]
        return self._products[opened]

    def fleeting(self, role: Role) -> list[Product]:
        """What opens connections that may have to end, as far as they come by here."""
        return list(self._standing(role, "allow", lambda product: product.fleeting))

    def looming(self, role: Role) -> list[Product]:
        """What may come to forbid connections that stand, as far as they come by here."""
        return list(self._standing(role, "deny", lambda product: product.looming))

    def asks_again(self, role: Role) -> bool:
        """Whether connections of a role that stand are looked up again."""
        return bool(self.looming(role) if role.lasting else self.fleeting(role))

    def _standing(self, role: Role, action: str, changes: Callable[[Product], bool]) -> Iterator[Product]:
        still = role._replace(still=True)
        for flow, products in self.products(role.opened):
            if flow.action == action and not flow.staged:
                found = filter(changes, products)
                yield from (p for p in found if served(flow.services, still) != {} and self._crosses(p))

    def _crosses(self, product: Product) -> bool:
        return any(self.crossed(product.source, product.destination))

    def _flow_products(self, flow: Flow, role: Role) -> list[Product]:
        atoms, conditions = self.atoms, flow.conditions
        here, there = (atoms.own if not side else self.seen for side in (role.source, role.destination))
        return [
            Product(flow, a | b if a and b else a or b, source & here, destination & there)
            for a, source in self._form(flow.source, "source", conditions.mfa, conditions.postures)
            if source & here
            for b, destination in self._form(flow.destination, "destination", False, ())
            if destination & there
        ]

    def _form(self, end: End, side: str, mfa: bool, postures: tuple[str, ...]) -> list[tuple[Who, int]]:
        """An end as places by who must be there and who must not."""
        key = id(end), side, mfa, postures
        found = self._forms.get(key)
        if found is None:
            by_who: dict[Who, int] = {}
            for part in end.parts:
                held = NOBODY if part.subject is None else _held(side, part.subject, mfa, postures)
                pieces = {held: self.atoms.bits(part.space) & ~self.gateways}
                for subject, space in part.unless:
                    pieces = _cut(pieces, _without(side, subject), self.atoms.bits(space))
                for who, bits in pieces.items():
                    by_who[who] = by_who.get(who, 0) | bits
            own = (
                self.atoms.own if name == self.gateway.name else self.foreign[name] for name in end.gateways
            )
            by_who[NOBODY] = by_who.get(NOBODY, 0) | _or(own)
            found = self._forms[key] = [(who, bits) for who, bits in by_who.items() if bits]
        return found

    @cached_property
    def sets(self) -> dict[str, tuple[int, Grant]]:
        """What the names of session sets stand for."""
        grants = {literal.grant for flow in self.policy.flows for literal in _literals(flow)}
        return {set_name(family, grant): (family, grant) for grant in sorted(grants) for family in (4, 6)}


def _held(side: str, subject: Subject, mfa: bool, postures: tuple[str, ...]) -> Who:
    return frozenset((Literal(side, Grant(subject, mfa, postures), True),))


def _without(side: str, subject: Subject) -> Who:
    return frozenset((Literal(side, Grant(subject, False, ()), False),))


def _cut(pieces: dict[Who, int], who: Who, space: int) -> dict[Who, int]:
    """The pieces with one more condition inside of a space."""
    found: dict[Who, int] = {}
    for held, bits in pieces.items():
        for key, part in ((held | who, bits & space), (held, bits & ~space)):
            if part:
                found[key] = found.get(key, 0) | part
    return found


def _literals(flow: Flow) -> Iterator[Literal]:
    conditions: Conditions = flow.conditions
    for end, side in ((flow.source, "source"), (flow.destination, "destination")):
        needs = (conditions.mfa, conditions.postures) if side == "source" else (False, ())
        for part in end.parts:
            if part.subject is not None:
                yield from _held(side, part.subject, *needs)
            for subject, _ in part.unless:
                yield from _without(side, subject)


def _spaces(end: End) -> Iterator[PrefixSet]:
    for part in end.parts:
        yield part.space
        yield from (space for _, space in part.unless)


def _or(numbers: Iterable[int]) -> int:
    found = 0
    for each in numbers:
        found |= each
    return found


Served = dict[int, Intervals]


def served(services: ServiceSet, role: Role) -> Served | None:
    """Ports and types by protocol, as packets of a role carry them; None for any service.

    A connection of ICMP is opened by a request, and its replies have a type of their own (conntrack).
    """
    if services == ANY_SERVICE:
        return None
    found = dict(services.parts)
    if role.still:
        for protocol in ECHOES.keys() & found.keys():
            found[protocol] = _echoes(protocol, found[protocol], role)
    return {protocol: values for protocol, values in found.items() if values}


def _echoes(protocol: int, values: Intervals, role: Role) -> Intervals:
    pairs = ECHOES[protocol].items()
    held = [(a, b) for a, b in pairs if any(low <= a <= high for low, high in values)]
    shown = [b if role.port == "sport" else a for a, b in held]
    return normalize((value, value) for value in shown)


def possible(protocol: int, role: Role) -> Intervals | None:
    """The types that packets of a role can have; None for all."""
    if not role.still or protocol not in ECHOES:
        return None
    return _echoes(protocol, ((0, 255),), role)
