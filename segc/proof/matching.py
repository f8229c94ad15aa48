"""Which packets the rules and elements that ask the mark are for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from segc.proof.guards import ANY, WITH_PORTS, Guard, Service
from segc.proof.model import Element, Lookup, Match, Rule, Ruleset, Table, UnreadableError
from segc.proof.numbers import Numbers
from segc.proof.rules import TYPES
from segc.proof.times import Line
from segc.proof.who import Grant, Literal
from segc.space.protocols import PORT_PROTOCOLS
from segc.space.services import domain
from segc.space.words import quote

ICMP = {"icmp type": 1, "icmpv6 type": 58}


@dataclass(frozen=True)
class Matching:
    """On one way into the chains that ask the mark.

    `port` is the side that a service is told by, `who` what the names of session sets stand for, and `ends`
    the fields that sessions are asked for.
    """

    rules: Ruleset
    numbers: Numbers
    port: str
    who: dict[str, tuple[int, Grant]]
    ends: dict[str, str]

    @property
    def everything(self) -> Guard:
        return Guard(self.numbers.sources, self.numbers.destinations)

    def guards(self, rule: Rule) -> list[Guard]:
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

    def table(self, lookup: Lookup, value: str, line: int) -> Table:
        table = self.rules.tables.get(lookup.map)
        types = tuple(TYPES.get(each.name) for each in lookup.fields)
        if table is None or table.key != types or table.value != value or "timeout" in table.flags:
            raise UnreadableError(f"{quote('@' + lookup.map)} is no map for this look-up", line)
        return table

    def found(self, table: Table, lookup: Lookup) -> Iterator[tuple[Guard, Element]]:
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
