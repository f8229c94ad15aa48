"""What chains that accept nothing do: refuse with an answer or without, and log between which zones.

Checked once for each chain and way in; the rest of the proof goes by the word for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segc.proof.atoms import Rectangle, members, uncovered
from segc.proof.events import Event, Reader
from segc.proof.guards import ANY, Guard
from segc.proof.meaning import Meaning
from segc.proof.model import Effect, Problem
from segc.space.words import quote

LOG_RATE = Effect("rate", "5/second burst 20")
ANSWER_RATE = Effect("over", "1000/second burst 1000")
REJECT = "reject icmpx type admin-prohibited"
RESET = "reject tcp reset"
PREFIX = 120  # characters of a log prefix
NOBODY = ""  # the name of addresses that no zone claims, where none is external
TCP = (6, 0, 65535)


@dataclass
class Refusals:
    """Words chains as `refuse`, `refuse quietly` (the log is another's) or `ended` (of what stood)."""

    meaning: Meaning
    problems: list[Problem]
    _words: dict[tuple[str, int], str] = field(default_factory=dict)

    def word(self, name: str, reader: Reader) -> str:
        key = name, id(reader)
        if key not in self._words:
            self._words[key] = self._read(name, reader)
        return self._words[key]

    def _read(self, name: str, reader: Reader) -> str:
        events = sorted(reader.events(name), key=lambda event: event.at)
        everything = reader.everything
        bare = [(event.guard, event.effects, event.verdict) for event in events]
        if bare == [(everything._replace(service=TCP), (), RESET), (everything, (), REJECT)]:
            return "ended"
        wrong = self._quietly(events, everything)
        if not wrong:
            return "refuse quietly"
        if events and bare[-1] == (everything, (), "refuse quietly"):
            wrong = self._logged(events[:-1], everything)
            if not wrong:
                return "refuse"
        self.problems.append(
            Problem(
                f"the chain {quote(name)} refuses otherwise than it should: {wrong}", self._line(name, reader)
            )
        )
        return "refuse" if events and bare[-1][2] == "refuse quietly" else "refuse quietly"

    @staticmethod
    def _line(name: str, reader: Reader) -> int:
        return reader.rules.chains[name].line

    def _quietly(self, events: Sequence[Event], everything: Guard) -> str:
        """No answer to the zones that get none, nor to more packets than the kernel would answer."""
        *silent, over, last = events if len(events) > 1 else (None, None)
        if over is None or last is None:
            return "it ends too soon"
        if (last.guard, last.effects, last.verdict) != (everything, (), REJECT):
            return "it does not end with an answer"
        if (over.guard, over.effects, over.verdict) != (everything, (ANSWER_RATE,), "drop"):
            return "it does not bound the answers"
        zones = self.meaning.policy.zones
        wanted = 0
        for name, bits in self.meaning.zones.items():
            wanted |= bits if zones[name].refuse == "drop" else 0
        found: list[Rectangle] = []
        for event in silent:
            assert event is not None
            if event.effects or event.verdict != "drop" or event.guard != Guard(*event.guard[:2]):
                return "something stands before the answer"
            found.append(event.guard[:2])
        product = wanted & everything.source, everything.destination
        if any(each[0] & ~wanted for each in found):
            return "a zone gets no answer that should get one"
        if any(a and b for a, b in uncovered(product, found)):
            return "a zone gets an answer that should get none"
        return ""

    def _logged(self, events: Sequence[Event], everything: Guard) -> str:
        """Each pair of zones has its line in the log, once."""
        area = 0
        found: list[Rectangle] = []
        for event in events:
            source, destination = event.guard[:2]
            if event.verdict != "continue" or event.guard != Guard(source, destination, ANY):
                return "something else stands before it"
            if event.effects not in self._lines(source, destination):
                return f"line {event.line} does not log the two zones as `segc deny FROM>TO`"
            area += source.bit_count() * destination.bit_count()
            found.append((source, destination))
        rest = uncovered(everything[:2], found)
        left = sum(a.bit_count() * b.bit_count() for a, b in rest)
        if area + left > everything.source.bit_count() * everything.destination.bit_count():
            return "something is logged twice"
        if any(self._speaks(*each) for each in rest):
            return "something is not logged"
        return ""

    def _lines(self, source: int, destination: int) -> list[tuple[Effect, ...]]:
        """What may be logged: both zones, or where there are very many the first."""
        sources, destinations = self._named(source), self._named(destination)
        if len(sources) != 1 or NOBODY in sources | destinations:
            return []
        ends = self._called(destinations.pop()) if len(destinations) == 1 else []
        texts = [f"segc deny {a}>{b}" for a in self._called(sources.pop()) for b in ("", *ends)]
        return [(LOG_RATE, Effect("log", text[:PREFIX] + " ")) for text in texts]

    def _called(self, name: str) -> list[str]:
        """A gateway whose addresses are seen on several devices has a name with a number for each."""
        if name in self.meaning.zones or name == "gateway":
            return [name]
        return [name, *(f"{name}.{number}" for number in range(2, len(self.meaning.devices) + 1))]

    def _named(self, bits: int) -> set[str]:
        own = {"gateway"} if bits & self.meaning.atoms.own else set()
        return own | {
            self.meaning.names.get(atom, NOBODY) for atom in members(bits & ~self.meaning.atoms.own)
        }

    def _speaks(self, source: int, destination: int) -> bool:
        """Whether packets can go between the places: another gateway does not write to itself through us."""
        pairs = self._named(source), self._named(destination)
        return bool(self.meaning.atoms.real(source, destination)) and not (
            pairs[0] == pairs[1] and len(pairs[0]) == 1 and next(iter(pairs[0])) not in self.meaning.zones
        )
