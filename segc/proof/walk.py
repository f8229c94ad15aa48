"""Follows a packet that may be anything through chains, until something decides or a mark is looked up.

Each rule splits the packets that reach it into those that it matches and the others, so that the ends of
all ways are disjoint, and as many as there are rules. A chain that looks addresses up does not split them by
address: what becomes of a packet there counts as one more field of it, and `placed` holds which addresses
lead to what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce

from segc.proof.boxes import EVERY, WHOLE, Box, domain, meet
from segc.proof.model import (
    Chain,
    Effect,
    Field,
    Item,
    Lookup,
    Mark,
    Match,
    Rule,
    Ruleset,
    UnreadableError,
    Verdict,
)
from segc.proof.places import target_spaces
from segc.proof.recent import FIELD, asked
from segc.proof.ways import End, Ended, Place, Placing, Refusal, State, Way
from segc.space.intervals import Intervals, intersect, normalize, subtract
from segc.space.prefixes import PrefixSet
from segc.space.protocols import PORT_PROTOCOLS
from segc.space.words import quote

EITHER = "address"
LIMITS = ("limit", "rate", "over")
MAX_DEPTH = 16  # NFT_JUMP_STACK_SIZE
ADDRESSES = {"ip saddr": "saddr4", "ip daddr": "daddr4", "ip6 saddr": "saddr6", "ip6 daddr": "daddr6"}
PLAIN = {
    "meta nfproto": "family",
    "meta l4proto": "protocol",
    "ct state": "state",
    "ct direction": "direction",
    "ct status": "translated",
    "fib daddr type": "local",
}


@dataclass
class Walker:
    """Remembers the devices and refusals it met as numbers, and what the chains of look-ups do."""

    rules: Ruleset
    devices: dict[str, int] = field(default_factory=dict)
    refusals: dict[Refusal, int] = field(default_factory=dict)
    placed: dict[str, tuple[Place, ...]] = field(default_factory=dict)

    def number(self, device: str) -> int:
        return self.devices.setdefault(device, len(self.devices))

    def base(self, chain: Chain) -> list[Ended]:
        """All ways through a base chain; its policy ends those that nothing else did."""
        assert chain.hook is not None
        way = self.follow(chain.name, State())
        return way.ended + [Ended(out, End(chain.hook.policy, "", 0, chain.line)) for out in way.out]

    def follow(self, name: str, state: State, depth: int = 0) -> Way:
        chain = self.chain(name, depth)
        way = Way([], [], depth)
        if side := self._placing(chain):
            self._place(chain, side, state, way)
            return way
        states = [state]
        for index, rule in enumerate(chain.rules):
            if states and asks_mark(rule):
                way.ended.extend(Ended(each, End("decide", name, index, rule.line)) for each in states)
                return way
            states = [after for each in states for after in self._rule(rule, each, way)]
        way.out.extend(states)
        return way

    def chain(self, name: str, depth: int = 0) -> Chain:
        found = self.rules.chains.get(name)
        if found is None:
            raise UnreadableError(f"there is no chain {quote(name)}")
        if depth > MAX_DEPTH:
            raise UnreadableError(f"the chain {quote(name)} leads back to itself", found.line)
        return found

    def _rule(self, rule: Rule, state: State, way: Way) -> Iterator[State]:
        """The states that go on to the next rule."""
        guard = self.guards(rule)
        met = None if guard is None else state.within(guard)
        if guard is None or met is None:
            yield state
            return
        missed = state.beyond(guard)
        if missed is not None:
            yield missed
        yield from self._do(rule, met, way)

    def guards(self, rule: Rule) -> Box | None:
        """What a rule matches; None where that is nothing."""
        guard: Box | None = EVERY
        for item in rule.items:
            if isinstance(item, Match) and guard is not None:
                guard = meet(guard, self.guard(item, rule.line))
        return guard

    def _do(self, rule: Rule, state: State, way: Way) -> Iterator[State]:
        if not _only_logs(rule):
            raise UnreadableError("what is beyond the limit goes on, and is not followed", rule.line)
        for item in rule.items:
            if isinstance(item, Effect):
                state = state._replace(effects=(*state.effects, item))
            elif isinstance(item, Mark):
                state = state._replace(mark=(*state.mark, item))
            elif isinstance(item, Verdict):
                yield from self._verdict(item, rule, state, way)
                return
            elif isinstance(item, Lookup):
                raise UnreadableError("a look-up is not understood here", rule.line)
        yield state

    def _verdict(self, verdict: Verdict, rule: Rule, state: State, way: Way) -> Iterator[State]:
        if verdict.kind == "continue":
            yield state
        elif verdict.kind == "return":
            way.out.append(state)
        elif verdict.kind in ("jump", "goto"):
            inner = self.follow(verdict.target, state, way.depth + 1)
            way.ended.extend(inner.ended)
            if verdict.kind == "jump":
                yield from inner.out
            else:
                way.out.extend(inner.out)
        else:
            way.ended.append(Ended(state, End(verdict.kind, verdict.target, 0, rule.line)))

    # -- what a rule matches ---------------------------------------------------------------------

    def guard(self, match: Match, line: int) -> Box:
        """The packets that one expression matches, with what nft takes for granted beside it."""
        box = self._guard(match, line)
        return {field: intersect(values, domain(field)) for field, values in box.items()}

    def _guard(self, match: Match, line: int) -> Box:
        name = match.field.name
        if way := asked(match):
            family, number = 6 if way.ip == "ip6" else 4, PORT_PROTOCOLS[way.protocol]
            return {"family": ((family, family),), "protocol": ((number, number),), FIELD: ((1, 1),)}
        values = self._values(match, line)
        if name in ADDRESSES:
            family = 6 if name.startswith("ip6") else 4
            return {"family": ((family, family),), ADDRESSES[name]: values}
        if name in PLAIN:
            return {PLAIN[name]: values}
        if name in ("iifname", "oifname"):
            return {name: values}
        if name == "ip6 hoplimit":
            return {"family": ((6, 6),), "hoplimit": values}
        if name == "ct label":
            return {f"label {values[0][0]}": ((1, 1),)}
        protocol, _, what = name.partition(" ")
        if what == "rst":
            return {"protocol": ((6, 6),), "rst": values}
        if what == "type":
            number = {"icmp": 1, "icmpv6": 58}[protocol]
            return {"protocol": ((number, number),), "type": values}
        if what in ("sport", "dport"):
            numbers = PORT_PROTOCOLS.values() if protocol == "th" else (PORT_PROTOCOLS[protocol],)
            return {"protocol": tuple((n, n) for n in sorted(numbers)), what: values}
        raise UnreadableError(f"`{name}` is not understood here", line)

    def _values(self, match: Match, line: int) -> Intervals:
        if isinstance(match.values, frozenset):
            values: Intervals = tuple(sorted((n, n) for n in map(self.number, match.values)))
        elif isinstance(match.values, str):
            values = self.members(match.values, line)
        else:
            values = match.values
        return subtract(WHOLE, values) if match.negated else values

    def members(self, name: str, line: int) -> Intervals:
        """The values in a set that the ruleset itself fills."""
        table = self.rules.tables.get(name)
        if table is None or table.value or len(table.key) != 1 or "timeout" in table.flags:
            raise UnreadableError(f"{quote('@' + name)} is not understood here", line)
        return normalize(element.key[0] for element in table.elements)

    # -- places ----------------------------------------------------------------------------------

    def _place(self, chain: Chain, side: str, state: State, way: Way) -> None:
        """Ways through a chain of look-ups, as if what became of the address were a field of the packet."""
        places = self.places(chain, side, way.depth)
        name = known(side, places)
        refused = {each.refusal: each for place in places for each in place.refusals}
        for refusal, each in refused.items():
            number = self.refusals.setdefault(refusal, len(self.refusals) + 1)
            if met := state.within({name: ((number, number),)}):
                effects = (*state.effects, *each.state.effects)
                way.ended.append(Ended(met._replace(effects=effects), each.end))
        if any(place.write for place in places) and (met := state.within({name: ((0, 0),)})):
            way.out.append(met._replace(mark=(*state.mark, Placing(chain.name, side))))

    def _placing(self, chain: Chain) -> str:
        """Which address a chain looks up, if it does: either where it places all addresses alike."""
        match chain.rules[0].items if chain.rules else ():
            case (Lookup((asked,), _, False),) if asked.name in ADDRESSES:
                return ADDRESSES[asked.name][:-1]
            case (Verdict("goto", target),) if len(chain.rules) == 1 and target in self.rules.chains:
                last = self.rules.chains[target].rules[-1:]
                return EITHER if last and isinstance(last[0].items[-1], Mark) else ""
        return ""

    def places(self, chain: Chain, side: str, depth: int) -> tuple[Place, ...]:
        found = self.placed.get(chain.name)
        if found is None:
            targets = target_spaces(self.rules, chain, side)
            found = tuple(self._target(each, space, depth) for each, space in targets.items())
            self.placed[chain.name] = found
        return found

    def _target(self, name: str, space: PrefixSet, depth: int) -> Place:
        way = self.follow(name, State(), depth + 1)
        line = self.chain(name).line
        if not way.out:
            return Place(space, None, (), tuple(way.ended), line)
        (out, *more) = way.out
        if more or len(out.mark) != 1 or not isinstance(out.mark[0], Mark) or out.effects:
            raise UnreadableError(f"the chain {quote(name)} does not say where an address is", line)
        refused = [each.get("iifname", WHOLE) for each in (out.box, *out.apart)]
        if any(set(each) - {"iifname"} for each in (out.box, *out.apart)):
            raise UnreadableError(f"the chain {quote(name)} is not understood", line)
        devices = reduce(subtract, refused)
        return Place(space, out.mark[0], devices, tuple(way.ended), line)


def known(side: str, places: tuple[Place, ...]) -> str:
    """The name of the field: `arrival` where the device matters."""
    return "arrival" if any(place.devices not in ((), WHOLE) for place in places) else f"known {side}"


def _only_logs(rule: Rule) -> bool:
    """Whether the limit of a rule, if it has one, bounds nothing but its log."""
    limits = [n for n, item in enumerate(rule.items) if isinstance(item, Effect) and item.kind in LIMITS]
    return not limits or [_kind(item) for item in rule.items[limits[0] :]] == ["rate", "log"]


def _kind(item: Item) -> str:
    return item.kind if isinstance(item, Effect | Verdict) else ""


def asks_mark(rule: Rule) -> bool:
    return any(each.name == "meta mark" for item in rule.items for each in _fields(item))


def _fields(item: Item) -> tuple[Field, ...]:
    if isinstance(item, Lookup):
        return item.fields
    return (item.field,) if isinstance(item, Match) else ()
