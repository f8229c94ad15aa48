"""A policy from afar: which ends hold which zones, and which flows hang on each end.

All addresses are split into *cells*, which no end tells apart; the *rest* of a zone is its largest cell in
each family: what is left when the hosts that somebody names are taken away. Built once, in
O(ends log ends + flows) and the cells of each end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain

from segc.analysis.conflicts.atoms import Services, bits, mask_of
from segc.analysis.relation import own_addresses
from segc.policy.limits import DEFAULTS
from segc.policy.model import End, Flow, Policy, Zone
from segc.space import intervals
from segc.space.partition import partition
from segc.space.prefixes import PrefixSet, union
from segc.space.services import ANY_SERVICE, ServiceSet

WHOLE = 3 << 16  # the ports of TCP, UDP and SCTP
BOUNDARY = WHOLE // 100  # what opens fewer is no part of an open boundary
PORTED = (6, 17, 132)  # TCP, UDP, SCTP
SMALL_ON_PURPOSE = frozenset({"regulated", "guest", "mgmt", "ot"})


class Outline:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.limits = {**DEFAULTS, **policy.limits}
        self.own = own_addresses(policy)
        self.zones = tuple(policy.zones.values())
        self.by_source: dict[End, list[Flow]] = {}
        self.by_destination: dict[End, list[Flow]] = {}
        for flow in policy.flows:
            self.by_source.setdefault(flow.source, []).append(flow)
            self.by_destination.setdefault(flow.destination, []).append(flow)
        self.ends = tuple(dict.fromkeys(chain(self.by_source, self.by_destination)))
        self._classify()

    def _classify(self) -> None:
        named = [zone.space - self.own for zone in self.zones]
        numbers: dict[PrefixSet, int] = {}
        self._parts: dict[End, list[int]] = {}
        for end in self.ends:
            found = self._parts[end] = []
            for part in end.parts:
                space = part.space - self.own if self.own else part.space
                if space not in numbers:
                    numbers[space] = len(self.zones) + len(numbers)
                    named.append(space)
                found.append(numbers[space])
        parts = partition(named)
        self.spaces = tuple(each.space for each in parts)
        held: list[list[int]] = [[] for _ in named]
        for index, each in enumerate(parts):
            for number in each.members:
                held[number].append(index)
        self.cells = held[: len(self.zones)]  # of each zone
        self.masks = [mask_of(cells) for cells in held]
        self.zone_at = {index: zone for zone, cells in enumerate(self.cells) for index in cells}
        self.rests = tuple(map(self._rest, range(len(self.zones))))
        self._gateway_bits = {name: 1 << len(self.spaces) + i for i, name in enumerate(self.policy.gateways)}
        gateways = sum(self._gateway_bits.values())
        self.families = {
            family: gateways | mask_of([i for i, space in enumerate(self.spaces) if space.ranges(family)])
            for family in (4, 6)
        }

    def _rest(self, zone: int) -> dict[int, int]:
        """The largest cell of a zone by family."""
        found = {}
        for family in (4, 6):
            sizes = [(intervals.count(self.spaces[cell].ranges(family)), -cell) for cell in self.cells[zone]]
            size, cell = max(sizes, default=(0, 0))
            if size:
                found[family] = -cell
        return found

    @cached_property
    def inner(self) -> tuple[int, ...]:
        """The zones of the network itself, those that have any addresses."""
        return tuple(i for i, zone in enumerate(self.zones) if not zone.external and self.cells[i])

    @cached_property
    def external(self) -> int:
        """The mask of cells outside."""
        return sum(self.masks[i] for i, zone in enumerate(self.zones) if zone.external)

    def space_of(self, mask: int) -> PrefixSet:
        return union(self.spaces[cell] for cell in bits(mask) if cell < len(self.spaces))

    def rest_of(self, zone: int) -> PrefixSet:
        return union(self.spaces[cell].only(family) for family, cell in self.rests[zone].items())

    # -- ends ------------------------------------------------------------------------------------------

    @cached_property
    def wide(self) -> dict[End, int]:
        """The cells that an end may ever hold; gateways have bits of their own above them."""
        return {end: self._mask(end, numbers) for end, numbers in self._parts.items()}

    @cached_property
    def open_to_all(self) -> dict[End, int]:
        """What an end holds while no session stands."""
        return {
            end: self._mask(end, [n for n, part in zip(numbers, end.parts, strict=True) if not part.subject])
            for end, numbers in self._parts.items()
        }

    @cached_property
    def wide_open(self) -> list[Flow]:
        """The allows of many ports."""
        many = min(self.limits["flow-ports"], BOUNDARY - 1)
        return [flow for flow in allows(self.policy.flows) if ports(flow.services) > many]

    @cached_property
    def services(self) -> Services:
        """The services of all flows, for their masks."""
        found = Services()
        found.number(ANY_SERVICE)
        for flow in self.policy.flows:
            found.number(flow.services)
        return found

    def by_part(self, end: End) -> list[int]:
        """The cells of each part of an end."""
        return [self.masks[number] for number in self._parts[end]]

    def _mask(self, end: End, numbers: Sequence[int]) -> int:
        if len(numbers) == 1 and not end.gateways:
            return self.masks[numbers[0]]  # the same object for all such ends
        mask = 0
        for number in numbers:
            mask |= self.masks[number]
        for name in end.gateways:
            mask |= self._gateway_bits[name]
        return mask

    @cached_property
    def holders(self) -> list[list[End]]:
        """The ends that may hold each cell."""
        return self.holders_in(self.wide)

    def holders_in(self, masks: Mapping[End, int]) -> list[list[End]]:
        found: list[list[End]] = [[] for _ in range(len(self.spaces) + len(self.policy.gateways))]
        by_mask: dict[int, list[End]] = {}
        for end, mask in masks.items():
            by_mask.setdefault(mask, []).append(end)
        for mask, ends in by_mask.items():
            for cell in bits(mask):
                found[cell] += ends
        return found

    def holding(self, zone: int) -> Iterator[End]:
        """The ends that may hold any address of a zone, each once."""
        yield from dict.fromkeys(chain.from_iterable(self.holders[cell] for cell in self.cells[zone]))

    def speaking_of(self, *zones: int) -> list[Flow]:
        """The flows with an end that may hold an address of one of the zones."""
        found: dict[Flow, None] = {}
        for zone in zones:
            for end in self.holding(zone):
                found.update(dict.fromkeys(self.by_source.get(end, ())))
                found.update(dict.fromkeys(self.by_destination.get(end, ())))
        return list(found)

    def small_on_purpose(self, zone: Zone) -> bool:
        return not SMALL_ON_PURPOSE.isdisjoint(zone.tags)


def allows(flows: Iterable[Flow]) -> Iterator[Flow]:
    """Those that open anything."""
    return (flow for flow in flows if flow.action == "allow" and not flow.staged)


def ports(services: ServiceSet) -> int:
    """TCP, UDP and SCTP ports."""
    count = 0
    for protocol, values in services.parts:
        if protocol in PORTED:
            for first, last in values:
                count += last - first + 1
    return count
