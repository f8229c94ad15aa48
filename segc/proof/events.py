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
from segc.proof.guards import ANY, WITH_PORTS, Guard, Service
from segc.proof.model import (
    Effect,
    Element,
    Lookup,
    Mark,
    Match,
    Rule,
    Ruleset,
    Table,
    UnreadableError,
    Verdict,
)
from segc.proof.numbers import Numbers
from segc.proof.rules import TYPES
from segc.proof.times import ALWAYS, Line
from segc.proof.walk import MAX_DEPTH
from segc.proof.who import Grant, Literal
from segc.space.protocols import PORT_PROTOCOLS
from segc.space.services import domain
from segc.space.words import quote

ICMP = {"icmp type": 1, "icmpv6 type": 58}
TERMINAL = ("accept", "drop", "reject")


class Event(NamedTuple):
    guard: Guard
    effects: tuple[Effect, ...]
    verdict: str  # accept, refuse …, continue; `exit` where the chain is left for good
    at: tuple[int, ...]
    line: int


@dataclass
class Reader:
    """Reads the events of one way into the chains that ask the mark.

    `port` is the side that a service is told by, `who` what the names of session sets stand for, `ends` the
    fields that sessions are asked for, and `refusal` words the chains that refuse.
    """

    rules: Ruleset
    numbers: Numbers
    port: str
    who: dict[str, tuple[int, Grant]]
    ends: dict[str, str]
    refusal: Callable[[str, Reader], str]
    _known: dict[tuple[str, int], tuple[Event, ...]] = field(default_factory=dict)
    _harmless: dict[str, bool] = field(default_factory=dict)

    def decision(self, name: str, index: int) -> tuple[Event, ...]:
        """The events of all that a packet meets from there on."""
        if index == 0 and self.harmless(name):
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
            for at, rule in enumerate(beginning(chain.rules[index:], self.ends)):
                looked = any(isinstance(item, Lookup) for item in rule.items)
                (found if looked else direct).extend(self._rule(rule, (at,), depth))
            known = self._known[name, index] = (*found, *_merged(direct))
            _nothing_after_exits(known)
        return known

    def _rule(self, rule: Rule, at: tuple[int, ...], depth: int) -> Iterator[Event]:
        guards = self._guards(rule)
        effects = tuple(item for item in rule.items if isinstance(item, Effect))
        lookups = [item for item in rule.items if isinstance(item, Lookup)]
        verdict = next((item for item in rule.items if isinstance(item, Verdict)), Verdict("continue"))
        marks = [item for item in rule.items if isinstance(item, Mark)]
        if len(lookups) > 1 or len(marks) > 1 or (marks and verdict.kind != "accept"):
            raise UnreadableError("this rule is not understood", rule.line)
        word = self.numbers.accepted(marks) if verdict.kind == "accept" else ""
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
        table = self._table(lookup, "counter", rule.line)
        ends = list(self._then(guard, effects, verdict, word, at, rule.line, depth))
        if len(ends) != 1 or ends[0].guard != guard:
            raise UnreadableError("what follows the counter is not understood", rule.line)
        (end,) = ends
        counters: dict[str, tuple[Effect, ...]] = {}
        for found, element in self._found(table, lookup):
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
        for found, element in self._found(self._table(lookup, "verdict", rule.line), lookup):
            both = guard.both(found)
            if both is not None:
                assert isinstance(element.value, Verdict)
                by_verdict.setdefault(element.value, []).append((both, element.line))
        for verdict, guards in by_verdict.items():
            if verdict.kind in ("jump", "goto"):
                yield from self._led(guards, effects, verdict, at, depth)
            else:
                for each, line in guards:
                    word = self.numbers.accepted([]) if verdict.kind == "accept" else ""
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
        if self.harmless(name):
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

    @property
    def everything(self) -> Guard:
        return Guard(self.numbers.sources, self.numbers.destinations)

    # -- what a rule matches ---------------------------------------------------------------------

    def _guards(self, rule: Rule) -> list[Guard]:
        guards = [self.everything]
        line: Line = ()
        for item in rule.items:
            if isinstance(item, Match):
                if item.field.name in ("meta time", "meta day", "meta hour"):
                    line += (item,)
                else:
                    more = list(self._match(item, rule.line))
                    met = (guard.both(each) for guard in guards for each in more)
                    guards = [each for each in met if each is not None]
        return [guard._replace(times=frozenset((line,))) for guard in guards] if line else guards

    def _match(self, match: Match, line: int) -> Iterator[Guard]:
        name = match.field.name
        if name == "meta mark" and isinstance(match.values, str) and not match.negated:
            yield from self._places(match.values, match.field.mask, line)
        elif name in self.ends and isinstance(match.values, str):
            family, grant = self._grant(match.values, name, line)
            literal = Literal(self.ends[name], grant, not match.negated)
            yield self.everything._replace(family=family, who=frozenset((literal,)))
        elif isinstance(match.values, tuple) and not match.negated:
            for first, last in match.values:
                yield from (
                    self.everything._replace(service=each) for each in self._services(name, first, last, line)
                )
        else:
            raise UnreadableError(f"`{name}` is not understood here", line)

    def _grant(self, name: str, field: str, line: int) -> tuple[int, Grant]:
        table, known = self.rules.tables.get(name), self.who.get(name)
        if table is None or known is None:
            raise UnreadableError(f"no claim of the policy goes by the name {quote('@' + name)}", line)
        if table.flags != {"timeout"} or table.key != (f"ipv{known[0]}_addr",) or table.value:
            raise UnreadableError(f"{quote('@' + name)} is not a set that sessions are kept in", table.line)
        if (" ip6 " in f" {field} ") != (known[0] == 6):
            raise UnreadableError(f"{quote('@' + name)} is of the other family", line)
        return known

    def _services(self, name: str, first: int, last: int, line: int) -> Iterator[Service]:
        protocol, _, what = name.partition(" ")
        if name == "meta l4proto":
            yield from ((number, *domain(number)[0]) for number in range(first, last + 1))
        elif name in ICMP:
            yield ICMP[name], first, last
        elif what == self.port and protocol == "th":
            yield WITH_PORTS, first, last
        elif what == self.port and protocol in PORT_PROTOCOLS:
            yield PORT_PROTOCOLS[protocol], first, last
        else:
            raise UnreadableError(f"`{name}` is not understood here", line)

    def _places(self, name: str, mask: int | None, line: int) -> Iterator[Guard]:
        table = self.rules.tables.get(name)
        if table is None or table.key != ("mark",) or table.value or table.flags:
            raise UnreadableError(f"{quote('@' + name)} is no set of marks", line)
        for element in table.elements:
            if places := self.numbers.places(mask, element.key[0][0], line):
                yield Guard(*places)

    # -- maps ------------------------------------------------------------------------------------

    def _table(self, lookup: Lookup, value: str, line: int) -> Table:
        table = self.rules.tables.get(lookup.map)
        types = tuple(TYPES.get(each.name) for each in lookup.fields)
        if table is None or table.key != types or table.value != value or "timeout" in table.flags:
            raise UnreadableError(f"{quote('@' + lookup.map)} is no map for this look-up", line)
        return table

    def _found(self, table: Table, lookup: Lookup) -> Iterator[tuple[Guard, Element]]:
        """The packets that find each element."""
        ways = [self._way(field.name, table.line) for field in lookup.fields]
        marks = [i for i, way in enumerate(ways) if way == "mark"]
        others = [i for i, way in enumerate(ways) if way != "mark"]
        if (
            len(marks) != 1
            or len(others) > 1
            or any(field.mask is not None for i, field in enumerate(lookup.fields) if i in others)
        ):
            raise UnreadableError(f"the key of {quote('@' + table.name)} is not understood", table.line)
        mask, places = lookup.fields[marks[0]].mask, self.numbers.places
        for element in table.elements:
            found = places(mask, element.key[marks[0]][0], element.line)
            if found is None:
                continue
            services: Iterable[Service] = (ANY,)
            if others:
                services = self._services(
                    lookup.fields[others[0]].name, *element.key[others[0]], element.line
                )
            for service in services:
                yield Guard(*found, service), element

    def _way(self, name: str, line: int) -> str:
        if name == "meta mark":
            return "mark"
        if name not in TYPES or name in self.ends or (name.startswith("meta ") and name != "meta l4proto"):
            raise UnreadableError(f"`{name}` is not understood in a key", line)
        return "service"

    def harmless(self, name: str) -> bool:
        """Whether nothing that a chain leads to accepts or counts: then it refuses."""
        if name not in self._harmless:
            self._harmless[name] = True  # a loop is found by whoever follows it
            chain = self.rules.chains.get(name)
            items = [item for rule in chain.rules for item in rule.items] if chain else []
            self._harmless[name] = (
                bool(items) and self._ends(name) and all(map(self._item_is_harmless, items))
            )
        return self._harmless[name]

    def _ends(self, name: str) -> bool:
        """Whether the last rule of a chain decides without a condition, or goes to one that does."""
        chain = self.rules.chains.get(name)
        last = chain.rules[-1].items if chain and chain.rules else ()
        match last:
            case (Verdict("drop" | "reject"),):
                return True
            case (Verdict("goto", target),):
                return self._ends(target)
        return False

    def _item_is_harmless(self, item: object) -> bool:
        if isinstance(item, Verdict):
            return item.kind in ("drop", "reject", "continue", "return") or (
                item.kind in ("jump", "goto") and self._leads_nowhere(item.target)
            )
        if isinstance(item, Lookup):
            table = self.rules.tables.get(item.map)
            return (
                not item.counts
                and table is not None
                and all(
                    isinstance(each.value, Verdict) and self._item_is_harmless(each.value)
                    for each in table.elements
                )
            )
        return not (isinstance(item, Effect) and item.kind in ("counter", "label"))

    def _leads_nowhere(self, name: str) -> bool:
        chain = self.rules.chains.get(name)
        return chain is not None and all(
            self._item_is_harmless(i) for rule in chain.rules for i in rule.items
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
