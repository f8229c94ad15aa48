"""Proves that a ruleset says what the policy says: nothing less, nothing more.

The text is read into a model of its own (`text`, `rules`), packets are followed through it (`walk`,
`events`), and every decision is compared with the policy as sets (`hooks`, `judge`, `still`, `nat`). No code
is shared with what wrote the ruleset. Linear in elements and in flows x places of their ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segc.policy.model import Gateway, Policy
from segc.proof.atoms import members
from segc.proof.boxes import WHOLE
from segc.proof.events import Reader
from segc.proof.form import malformed
from segc.proof.hooks import HookProof
from segc.proof.judge import Judge
from segc.proof.matching import Matching
from segc.proof.meaning import FRESH, Meaning, Role
from segc.proof.model import (
    ALL_BITS,
    Chain,
    Mark,
    Problem,
    Ruleset,
    UnreadableError,
)
from segc.proof.nat import prove_nat
from segc.proof.numbers import Numbers, numbered, written
from segc.proof.recent import unsound
from segc.proof.refusals import Refusals
from segc.proof.still import judge_still
from segc.proof.times import Clock
from segc.proof.walk import EITHER, Walker
from segc.proof.ways import End, Ended, Place, Placing, State
from segc.space.intervals import normalize
from segc.space.prefixes import EVERYTHING
from segc.space.words import quote

FILTERS = {name: ("filter", name, "filter", "drop") for name in FRESH}
TRANSLATORS = {
    "prerouting": ("nat", "prerouting", "dstnat", "accept"),
    "postrouting": ("nat", "postrouting", "srcnat", "accept"),
}
UNTOUCHED = Ended(State(), End("accept", "", 0, 0))


def compare(policy: Policy, gateway: Gateway, rules: Ruleset) -> list[Problem]:
    """Everything in which a gateway's ruleset differs from the policy; nothing where they are equal."""
    problems: list[Problem] = []
    try:
        problems += malformed(rules)
        problems += unsound(rules)
        problems += _Proof(policy, gateway, rules).run()
    except UnreadableError as error:
        problems.append(error.problem)
    return problems


class _Proof:
    def __init__(self, policy: Policy, gateway: Gateway, rules: Ruleset) -> None:
        self.policy, self.gateway, self.rules = policy, gateway, rules
        self.walker = Walker(rules)
        self.problems: list[Problem] = []

    def run(self) -> list[Problem]:
        bases = self._bases()
        ended = {hook: self.walker.base(chain) for hook, chain in bases.items()}
        for hook in TRANSLATORS:
            ways = ended.pop(hook, []) or [UNTOUCHED]
            self.problems += prove_nat(self.policy, self.gateway, self.walker, hook, ways)
        placed = self.walker.placed
        first, *more = placed.values() or [()]
        classes = [place.space for place in first] or [EVERYTHING]
        self.meaning = Meaning(
            self.policy, self.gateway, classes, (p.space for places in more for p in places)
        )
        self.keep = self._keep()
        self._limits()
        for name, places in placed.items():
            self._places(name, places)
        self._decisions(ended)
        return self.problems

    def _bases(self) -> dict[str, Chain]:
        found: dict[str, Chain] = {}
        known = {**FILTERS, **TRANSLATORS}
        for chain in self.rules.chains.values():
            if chain.hook is None:
                continue
            if chain.hook.hook in found or tuple(chain.hook) != known.get(chain.hook.hook):
                words = "{} hook {} priority {}, policy {}".format(*chain.hook)
                raise UnreadableError(
                    f"the base chain {quote(chain.name)} is not expected: {words}", chain.line
                )
            found[chain.hook.hook] = chain
        lacking = [hook for hook in FILTERS if hook not in found]
        if lacking:
            raise UnreadableError(f"no chain stands at the hook `{lacking[0]}`")
        return found

    def _keep(self) -> int:
        """The bits of the mark that are not ours: every rule keeps the same, and the others are granted."""
        lines: dict[int, list[int]] = {}
        for chain in self.rules.chains.values():
            for rule in chain.rules:
                for item in rule.items:
                    if isinstance(item, Mark) and item.keep != ALL_BITS:
                        lines.setdefault(item.keep, []).append(rule.line)
        keep, *odd = sorted(lines, key=lambda each: -len(lines[each])) or [ALL_BITS]
        if odd:
            raise UnreadableError("it keeps other bits of the mark than the other rules do", lines[odd[0]][0])
        if ALL_BITS & ~keep & ~self.gateway.mark:
            self.problems.append(Problem("bits of the packet mark are written that are not granted"))
        return keep

    def _limits(self) -> None:
        for flow in self.policy.flows:
            name = f"flow_{flow.id}"
            if name in self.rules.limits:
                limit = flow.limit
                if limit is None or self.rules.limits[name] != (limit.rate, limit.unit, limit.rate):
                    self.problems.append(Problem(f"the limit {quote(name)} is not the flow's"))

    # -- places ----------------------------------------------------------------------------------

    def _places(self, name: str, places: tuple[Place, ...]) -> None:
        """Addresses of zones that the gateway sees are told apart, all others refused."""
        arrives = any(place.devices not in ((), WHOLE) for place in places)
        for place in places:
            bits = self.meaning.atoms.bits(place.space)
            if place.write is None:
                if bits & self.meaning.seen:
                    self._misplaced(place, bits & self.meaning.seen, "is refused as unknown")
                continue
            if bits & ~self.meaning.seen:
                self._misplaced(place, bits & ~self.meaning.seen, "belongs to no zone that the gateway sees")
            if arrives:
                self._arrival(place, bits)

    def _arrival(self, place: Place, bits: int) -> None:
        for devices in {self.meaning.devices_of[atom] for atom in members(bits & self.meaning.seen)}:
            wanted = normalize((number, number) for number in map(self.walker.number, devices))
            if place.devices != wanted:
                held = bits & self.meaning.devices[devices]
                listed = ", ".join(f"`{name}`" for name in sorted(devices))
                self._misplaced(place, held, f"can arrive on {listed} only, and other devices are accepted")

    def _misplaced(self, place: Place, bits: int, words: str) -> None:
        atom = (bits & -bits).bit_length() - 1
        address = self.meaning.atoms.spaces[atom].first()
        self.problems.append(Problem(f"`{address}` {words}", place.line))

    # -- decisions -------------------------------------------------------------------------------

    def _decisions(self, ended: dict[str, list[Ended]]) -> None:
        clock = Clock(self.rules)
        refusals = Refusals(self.meaning, self.problems)
        hooks = HookProof(self.meaning, self.walker, self.keep, self.problems)
        judged: set[object] = set()
        for hook, ways in ended.items():
            for role, way in hooks.prove(hook, ways):
                key = role, way.end, way.state.mark, way.state.effects
                if key in judged:
                    continue
                judged.add(key)
                reader = self._reader(role, way, refusals)
                events = reader.decision(way.end.target, way.end.rule)
                judge = Judge(self.meaning, clock, role, reader.everything, events, self.problems)
                if role.still:
                    judge_still(judge)
                else:
                    judge.judge()

    def _reader(self, role: Role, way: Ended, refusals: Refusals) -> Reader:
        if way.state.effects:
            raise UnreadableError("something is counted or logged before flows are asked", way.end.line)
        fields = (
            ("ct original ip{} saddr", "ct reply ip{} saddr") if role.still else ("ip{} saddr", "ip{} daddr")
        )
        sides = zip(fields, ("source", "destination"), strict=True)
        ends = {field.format(version): side for field, side in sides for version in ("", "6")}
        numbers = self._numbers(role, way)
        matching = Matching(self.rules, numbers, role.port, self.meaning.sets, ends)
        return Reader(matching, refusals.word)

    def _numbers(self, role: Role, way: Ended) -> Numbers:
        """The places that stand in the mark for the two ends of a packet."""
        keep, add, placings = written(way.state.mark, self.walker.placed)
        sides = [side for side in (role.source, role.destination) if side]
        by_side = dict(_sided(placings, sides))
        if sorted(by_side) != sorted(sides) or len(placings) != len(sides) or keep != self.keep:
            raise UnreadableError("the mark does not hold the two places of a packet", way.end.line)
        if bool(add) != (len(sides) == 1):
            raise UnreadableError("the mark does not hold the gateway's own place", way.end.line)
        ends = [
            self._values(by_side[side]) if side else {add: self.meaning.atoms.own}
            for side in (role.source, role.destination)
        ]
        return Numbers(ends[0], ends[1], keep)

    def _values(self, placing: Placing) -> dict[int, int]:
        return numbered(self.walker.placed[placing.chain], self.meaning.atoms)


def _sided(placings: Iterable[Placing], sides: Iterable[str]) -> Iterator[tuple[str, Placing]]:
    """The look-up of each address; one that places all addresses alike serves whichever is left."""
    free = [side for side in sides if side not in {placing.side for placing in placings}]
    for placing in placings:
        yield (free.pop(0) if placing.side == EITHER and free else placing.side), placing
