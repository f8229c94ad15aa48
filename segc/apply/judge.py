"""Many packets judged by one policy: `segc.trace`, with only the flows and zones that may matter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from segc.policy.claims import Situation
from segc.policy.model import End, Flow, Policy
from segc.space.addresses import Address
from segc.space.prefixes import PrefixSet
from segc.trace import Decision, Location, Packet, holds, locate, trace


class Judge:
    """Each packet is asked of the flows between the ends that hold it.

    Where one address between two edges of the policy's sets lies, they all do: the first packet from there
    costs O(ends + zones), others O(log edges) and what is between.
    """

    def __init__(self, policy: Policy, situation: Situation) -> None:
        self._policy, self._situation = policy, situation
        self._between: dict[tuple[End, End], list[tuple[int, Flow]]] = {}
        for number, flow in enumerate(policy.flows):
            self._between.setdefault((flow.source, flow.destination), []).append((number, flow))
        self._sources = tuple(dict.fromkeys(source for source, _ in self._between))
        self._destinations = tuple(dict.fromkeys(destination for _, destination in self._between))
        spaces = [*_spaces(policy), *_parts(self._sources), *_parts(self._destinations)]
        self._edges = {version: _edges(spaces, version) for version in (4, 6)}
        self._places: dict[tuple[int, int], tuple[Location, list[End], list[End]]] = {}
        self._known: dict[Packet, Decision] = {}

    def decide(self, packet: Packet) -> Decision:
        found = self._known.get(packet)
        if found is None:
            found = self._known[packet] = trace(self._policy_of(packet), packet, self._situation)
        return found

    def _policy_of(self, packet: Packet) -> Policy:
        """The policy as far as this packet meets it."""
        (source, sources, _), (destination, _, destinations) = map(
            self._place, (packet.source, packet.destination)
        )
        numbered = [each for pair in product(sources, destinations) for each in self._between.get(pair, ())]
        return replace(
            self._policy,
            flows=tuple(flow for _, flow in sorted(numbered, key=lambda each: each[0])),
            zones={each: self._policy.zones[each] for each in (source.zone, destination.zone) if each},
        )

    def _place(self, address: Address) -> tuple[Location, list[End], list[End]]:
        stretch = address.version, bisect_right(self._edges[address.version], int(address))
        found = self._places.get(stretch)
        if found is None:
            place = locate(self._policy, address)
            sources = [end for end in self._sources if holds(end, place)]
            destinations = [end for end in self._destinations if holds(end, place)]
            found = self._places[stretch] = (place, sources, destinations)
        return found


def _edges(spaces: Iterable[PrefixSet], version: int) -> list[int]:
    """Where one of them begins, or has just ended."""
    ranges = (each for space in spaces for each in space.ranges(version))
    return sorted({edge for first, last in ranges for edge in (first, last + 1)})


def _spaces(policy: Policy) -> Iterator[PrefixSet]:
    """What `locate` looks up whose an address is; of which host of a zone, nobody asks here."""
    yield from (gateway.own for gateway in policy.gateways.values())
    yield from (zone.space for zone in policy.zones.values())


def _parts(ends: Iterable[End]) -> Iterator[PrefixSet]:
    """What `holds` does."""
    return (part.space for end in ends for part in end.parts)
