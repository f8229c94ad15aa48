"""What the chains that ask the mark do, as a list of events: packets, what is done to them, and the verdict.

An element of a map is an event, and so is a rule of a chain that elements lead to. Of the events that a
packet meets, the first with a verdict decides; the order is kept in `at`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from segc.proof.atoms import Rectangle
from segc.proof.beginning import beginning
from segc.proof.guards import Guard
from segc.proof.harmless import Harmless
from segc.proof.matching import Matching
from segc.proof.model import (
    Effect,
    Lookup,
    Mark,
    Rule,
    UnreadableError,
    Verdict,
)
from segc.proof.times import ALWAYS
from segc.proof.walk import MAX_DEPTH
from segc.space.words import quote

TERMINAL = ("accept", "drop", "reject")


class Event(NamedTuple):
    guard: Guard
    effects: tuple[Effect, ...]
    verdict: str  # accept, refuse …, continue; `exit` where the chain is left for good
    at: tuple[int, ...]
    line: int


@dataclass
class Reader:
    """Reads the events of one way into the chains that ask the mark; `refusal` words those that refuse."""

    matching: Matching
    refusal: Callable[[str, Reader], str]
    _known: dict[tuple[str, int], tuple[Event, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules, self.everything = self.matching.rules, self.matching.everything
        self._numbers = self.matching.numbers
        self._harmless = Harmless(self.rules)

    def decision(self, name: str, index: int) -> tuple[Event, ...]:
        """The events of all that a packet meets from there on."""
        if index == 0 and self._harmless.chain(name):
            return (Event(self.everything, (), self.refusal(name, self), (0,), self.rules.chains[name].line),)
        return self.events(name, index)

    def events(self, name: str, index: int = 0, depth: int = 0) -> tuple[Event, ...]:
        """All that happens from one rule of a chain on, whoever comes there."""
        known = self._known.get((name, index))
        if known is None:
            chain = self.rules.chains.get(name)
            if chain is None or depth > MAX_DEPTH:
                raise UnreadableError(f"no chain {quote(name)} can be followed")
            direct: list[Event] = []
            found: list[Event] = []
            for at, rule in enumerate(beginning(chain.rules[index:], self.matching.ends)):
                looked = any(isinstance(item, Lookup) for item in rule.items)
                (found if looked else direct).extend(self._rule(rule, (at,), depth))
            known = self._known[name, index] = (*found, *_merged(direct))
            _nothing_after_exits(known)
        return known

    def _rule(self, rule: Rule, at: tuple[int, ...], depth: int) -> Iterator[Event]:
        guards = self.matching.guards(rule)
        effects = tuple(item for item in rule.items if isinstance(item, Effect))
        lookups = [item for item in rule.items if isinstance(item, Lookup)]
        verdict = next((item for item in rule.items if isinstance(item, Verdict)), Verdict("continue"))
        marks = [item for item in rule.items if isinstance(item, Mark)]
        if len(lookups) > 1 or len(marks) > 1 or (marks and verdict.kind != "accept"):
            raise UnreadableError("this rule is not understood", rule.line)
        word = self._numbers.accepted(marks) if verdict.kind == "accept" else ""
        for guard in guards:
            if not lookups:
                yield from self._then(guard, effects, verdict, word, at, rule.line, depth)
            elif lookups[0].counts:
                yield from self._counted(rule, guard, effects, lookups[0], verdict, word, at, depth)
            elif verdict.kind == "continue":
                yield from self._mapped(rule, guard, effects, lookups[0], at, depth)
            else:
                raise UnreadableError("this rule is not understood", rule.line)

    def _then(
        self,
        guard: Guard,
        effects: tuple[Effect, ...],
        verdict: Verdict,
        word: str,
        at: tuple[int, ...],
        line: int,
        depth: int,
    ) -> Iterator[Event]:
        """The events of a verdict on packets of `guard`."""
        if verdict.kind in ("jump", "goto"):
            yield from self._led([(guard, line)], effects, verdict, at, depth)
        elif verdict.kind in ("dnat", "masquerade"):
            raise UnreadableError(f"`{verdict.kind}` is not understood here", line)
        else:
            yield Event(guard, effects, word or f"{verdict.kind} {verdict.target}".strip(), at, line)

    def _counted(
        self,
        rule: Rule,
        guard: Guard,
        effects: tuple[Effect, ...],
        lookup: Lookup,
        verdict: Verdict,
        word: str,
        at: tuple[int, ...],
        depth: int,
    ) -> Iterator[Event]:
        table = self.matching.table(lookup, "counter", rule.line)
        ends = list(self._then(guard, effects, verdict, word, at, rule.line, depth))
        if len(ends) != 1 or ends[0].guard != guard:
            raise UnreadableError("what follows the counter is not understood", rule.line)
        (end,) = ends
        counters: dict[str, tuple[Effect, ...]] = {}
        for found, element in self.matching.found(table, lookup):
            both = guard.both(found)
            if both is not None:
                name = str(element.value)
                if name not in counters:
                    counters[name] = (Effect("counter", name), *end.effects)
                yield Event(both, counters[name], end.verdict, at, element.line)

    def _mapped(
        self,
        rule: Rule,
        guard: Guard,
        effects: tuple[Effect, ...],
        lookup: Lookup,
        at: tuple[int, ...],
        depth: int,
    ) -> Iterator[Event]:
        """Elements that lead to one chain are taken together, as the chain is read once."""
        by_verdict: dict[Verdict, list[tuple[Guard, int]]] = {}
        for found, element in self.matching.found(self.matching.table(lookup, "verdict", rule.line), lookup):
            both = guard.both(found)
            if both is not None:
                assert isinstance(element.value, Verdict)
                by_verdict.setdefault(element.value, []).append((both, element.line))
        for verdict, guards in by_verdict.items():
            if verdict.kind in ("jump", "goto"):
                yield from self._led(guards, effects, verdict, at, depth)
            else:
                for each, line in guards:
                    word = self._numbers.accepted([]) if verdict.kind == "accept" else ""
                    yield from self._then(each, effects, verdict, word, at, line, depth)

    def _led(
        self,
        guards: Sequence[tuple[Guard, int]],
        effects: tuple[Effect, ...],
        verdict: Verdict,
        at: tuple[int, ...],
        depth: int,
    ) -> Iterator[Event]:
        """What happens to packets of the guards in the chain that they are led to."""
        name = verdict.target
        if self._harmless.chain(name):
            word = self.refusal(name, self)
            yield from (Event(guard, effects, word, at, line) for guard, line in guards)
            return
        inner = self.events(name, 0, depth + 1)
        if verdict.kind == "jump":
            inner = tuple(event for event in inner if event.verdict != "exit")
        exact: dict[Rectangle, list[tuple[Guard, int]]] = {}
        for guard, line in guards:
            exact.setdefault(guard[:2], []).append((guard, line))
        for event in inner:
            own = exact.get(event.guard[:2])
            for guard, line in guards if own is None else own:
                both = guard.both(event.guard)
                if both is not None:
                    shown = event.line if own is not None else line
                    yield Event(both, effects + event.effects, event.verdict, at + event.at, shown)
        if verdict.kind == "goto" and not any(self._final(event) for event in inner):
            yield from (Event(guard, effects, "exit", (*at, len(inner)), line) for guard, line in guards)

    def _final(self, event: Event) -> bool:
        return (
            event.guard == self.everything
            and event.verdict not in ("continue", "exit")
            and not any(effect.kind in ("limit", "rate", "over") for effect in event.effects)
        )


def _nothing_after_exits(events: Sequence[Event]) -> None:
    """A `goto` leaves the chain that it stands in, so no later rule of it may wait for the same packets."""
    for out in [event for event in events if event.verdict == "exit"]:
        for event in events:
            if event.at > out.at and event.guard.both(out.guard) is not None:
                raise UnreadableError(
                    "this is never reached, as a `goto` before leaves the chain", event.line
                )


def _merged(events: Iterable[Event]) -> Iterator[Event]:
    """Rules of one chain that differ in time or family only are one event."""
    times: dict[tuple[object, ...], list[Event]] = {}
    for event in events:
        times.setdefault((event.guard._replace(times=ALWAYS), event.effects, event.verdict), []).append(event)
    families: dict[tuple[object, ...], list[Event]] = {}
    for group in times.values():
        lines = frozenset(line for event in group for line in event.guard.times)
        event = group[0]._replace(guard=group[0].guard._replace(times=lines))
        key = event.guard._replace(family=0), event.effects, event.verdict
        families.setdefault(key, []).append(event)
    for group in families.values():
        if {event.guard.family for event in group} >= {4, 6}:
            yield group[0]._replace(guard=group[0].guard._replace(family=0))
        else:
            yield from group
