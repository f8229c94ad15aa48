"""From the policy to the program of one gateway. Linear in flows x places of their ends x service parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from segc.cache import FORGETFUL, Memo, key
from segc.enforcement.layout import (
    Layout,
    lay_out,
    pack,
    phase_of,
    service_parts,
    unpack,
)
from segc.enforcement.places import Place, PlaceFinder, Places, number_places
from segc.enforcement.program import Cell, Cells, Grant, Hook, Level, LevelKey, PlainCell, Program, Rule, Slot
from segc.policy.model import End, Flow, Gateway, Part, Policy, Subject
from segc.policy.topology import Position, position
from segc.space.prefixes import PrefixSet

LEVELS = tuple(Level(source, destination) for source in (2, 1, 0) for destination in (2, 1, 0))


class Side(NamedTuple):
    """A place that an end holds, with who must be there and who must not."""

    place: Place
    subject: Subject | None
    without: tuple[Subject, ...]


def lower(policy: Policy, gateway: Gateway, memo: Memo = FORGETFUL, context: str = "") -> Program:
    """The program of `gateway`: its zones and other gateways numbered, its flows laid out as cells.

    The plain flows of a file are laid out once: `context` names all definitions of the policy in `memo`.
    """
    seen = position(policy, gateway)
    places = places_of(policy, seen)
    if context:
        context = key(context, gateway.name, places.fingerprint())
    return _Lowering(policy, seen, places).program(memo, context)


def places_of(policy: Policy, seen: Position) -> Places:
    """The places that flows tell apart where `seen` stands."""
    ends = dict.fromkeys(chain.from_iterable(flow.ends for flow in policy.flows))
    spaces = [piece.space for end in ends for piece in _pieces(end)]
    return number_places(policy, seen, dict.fromkeys(spaces))


class _Piece(NamedTuple):
    space: PrefixSet
    subject: Subject | None
    without: tuple[Subject, ...]


def _pieces(end: End) -> Iterator[_Piece]:
    for part in end.parts:
        yield from _split(part) if part.unless else (_Piece(part.space, part.subject, ()),)


def _split(part: Part) -> list[_Piece]:
    """The part cut along the spaces in which `unless` applies."""
    pieces = [_Piece(part.space, part.subject, ())]
    for subject, space in part.unless:
        inside = [p._replace(space=p.space & space, without=(*p.without, subject)) for p in pieces]
        outside = [p._replace(space=p.space - space) for p in pieces]
        pieces = [piece for piece in inside + outside if piece.space]
    return pieces


class _Lowering:
    def __init__(self, policy: Policy, seen: Position, places: Places) -> None:
        self.policy, self.position, self.places = policy, seen, places
        self.finder = PlaceFinder(places)
        self.zone_names = {area.number: area.name for area in places.areas if not area.gateway}
        self.sides: dict[int, tuple[Side, ...]] = {}
        self.pairs: dict[tuple[int, int], bool] = {}
        self.cells: dict[Slot, dict[Cell, dict[Rule, None]]] = defaultdict(dict)
        self.levels: dict[LevelKey, set[Level]] = defaultdict(set)

    def program(self, memo: Memo, context: str) -> Program:
        plain: dict[str, list[int]] = {}
        used: list[int] = []
        for index, flow in enumerate(self.policy.flows):
            if flow.certain:
                plain.setdefault(flow.span.path, []).append(index)
            elif self._add(flow, index):
                used.append(index)
        cells: dict[Slot, list[PlainCell]] = {}
        for path, indices in plain.items():
            layout = self._layout(path, indices, memo, context)
            used += [indices[number] for number in layout.flows]
            for level_key, found in layout.levels.items():
                self.levels[level_key] |= found
            for slot, of_file in layout.cells.items():
                cells.setdefault(slot, []).extend(
                    [(s, d, first, last, indices[flow]) for s, d, first, last, flow in of_file]
                )
        return self._program(tuple(sorted(used)), cells)

    def _layout(self, path: str, indices: Sequence[int], memo: Memo, context: str) -> Layout:
        packed = memo.get(path, "layout", context)
        if packed is not None:
            return unpack(packed)
        flows = [self.policy.flows[index] for index in indices]
        layout = lay_out(flows, self._places, self._hook)
        memo.put(path, "layout", context, pack(layout))
        return layout

    def _program(self, enforced: tuple[int, ...], plain: Mapping[Slot, Sequence[PlainCell]]) -> Program:
        cells = {slot: _frozen(found) for slot, found in self.cells.items()}
        rules = {rule for table in cells.values() for found in table.values() for rule in found}
        return Program(
            policy=self.policy,
            position=self.position,
            places=self.places,
            enforced=enforced,
            plain=plain,
            cells=cells,
            levels={
                slot: tuple(level for level in LEVELS if level in used) for slot, used in self.levels.items()
            },
            intra=self._intra(),
            grants=tuple(sorted({grant for rule in rules for grant in rule.grants})),
            opening=_held_for(rules, self.policy.flows, "allow"),
            closing=_held_for(rules, self.policy.flows, "deny"),
        )

    def _add(self, flow: Flow, index: int) -> bool:
        """Lay out a flow with conditions; False where this gateway has no part in it."""
        phase = phase_of(flow)
        found = False
        for source in self._sides(flow.source):
            for destination in self._sides(flow.destination):
                hook = self._hook(source.place, destination.place)
                if hook is None:
                    continue
                found = True
                rule = _rule(index, flow, source, destination)
                level = Level.of(source.place, destination.place)
                for kind, protocol, first, last in service_parts(flow.services):
                    slot = Slot(phase, kind, protocol)
                    self.levels[hook, slot, False].add(level)
                    cell = Cell(source.place, destination.place, first, last)
                    self.cells[slot].setdefault(cell, {})[rule] = None
        return found

    def _places(self, end: End) -> list[Place]:
        return [side.place for side in self._sides(end)]

    def _sides(self, end: End) -> tuple[Side, ...]:
        known = self.sides.get(id(end))
        if known is None:
            known = self.sides[id(end)] = tuple(dict.fromkeys(self._find_sides(end)))
        return known

    def _find_sides(self, end: End) -> Iterator[Side]:
        for piece in _pieces(end):
            for place in self.finder.places(piece.space):
                yield Side(place, piece.subject, piece.without)
        for name in end.gateways:
            if name == self.position.gateway.name:
                yield Side((self.places.own, 0), None, ())
            else:
                yield from (Side((a.number, 0), None, ()) for a in self.places.areas if a.gateway == name)

    def _hook(self, source: Place, destination: Place) -> Hook | None:
        """Where the gateway meets traffic between these places; None where it cannot."""
        own = self.places.own
        if own in (source[0], destination[0]):
            if source[0] == destination[0]:
                return None
            return Hook.OUTPUT if source[0] == own else Hook.INPUT
        pair = (source[0], destination[0])
        if pair not in self.pairs:
            self.pairs[pair] = self._between(*pair)
        return Hook.FORWARD if self.pairs[pair] else None

    def _between(self, source: int, destination: int) -> bool:
        names = self.zone_names.get(source), self.zone_names.get(destination)
        if names[0] is None or names[1] is None:
            return True  # everywhere, or another gateway, whose place in the net is not known by zone
        return self.position.stands_between(names[0], names[1])

    def _intra(self) -> tuple[int, ...]:
        zones = self.policy.zones
        open_zones = (
            area for area in self.places.areas if not area.gateway and not zones[area.name].isolated
        )
        return tuple(area.number for area in open_zones)


def _rule(index: int, flow: Flow, source: Side, destination: Side) -> Rule:
    if not (source.subject or destination.subject or source.without or destination.without):
        return Rule(index)
    conditions = flow.conditions
    return Rule(
        index,
        source=Grant(source.subject, conditions.mfa, conditions.postures) if source.subject else None,
        destination=Grant(destination.subject, False, ()) if destination.subject else None,
        source_without=tuple(Grant(subject, False, ()) for subject in source.without),
        destination_without=tuple(Grant(subject, False, ()) for subject in destination.without),
    )


def _frozen(found: Mapping[Cell, Mapping[Rule, None]]) -> Cells:
    return {cell: tuple(rules) for cell, rules in found.items()}


def _held_for(rules: Iterable[Rule], flows: Sequence[Flow], action: str) -> frozenset[Grant]:
    """The grants that flows of this action ask for, or that those of the other one must not find."""
    found: set[Grant | None] = set()
    for rule in rules:
        flow = flows[rule.flow]
        if not flow.staged:
            without = rule.source_without + rule.destination_without
            found.update((rule.source, rule.destination) if flow.action == action else without)
    return frozenset(grant for grant in found if grant)
