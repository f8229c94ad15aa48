"""What each hook does before and beside the flows: the ways of a packet, held to what the policy says.

The policy's side is a list as well: the first entry that holds a packet says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from segc.policy.model import Gateway
from segc.proof.boxes import EVERY, Box, left, meet
from segc.proof.meaning import FRESH, LABEL, LOOMING, REPLY, Meaning, Role
from segc.proof.model import ALL_BITS, Effect, Problem
from segc.proof.numbers import written
from segc.proof.recent import FIELD
from segc.proof.walk import Walker
from segc.proof.ways import Ended, Refusal, State
from segc.space.addresses import address_text
from segc.space.intervals import Intervals, normalize
from segc.space.prefixes import parse_prefixes
from segc.space.protocols import ICMPV6_TYPES, PROTOCOL_NAMES

LOG_RATE = Effect("rate", "5/second burst 20")
DROP: Refusal = ((), "drop", "")
SPOOFED: Refusal = ((LOG_RATE, Effect("log", "segc deny spoofed ")), "drop", "")
UNKNOWN: Refusal = ((LOG_RATE, Effect("log", "segc deny unknown ")), "drop", "")
ACCEPT: Refusal = ((), "accept", "")
RECENT: Box = {"protocol": ((6, 6), (17, 17)), FIELD: ((1, 1),)}
UNASKED = "unasked"  # no packet is like this, so that anything may become of it
Outcome = Refusal | Role | str
Row = tuple[Box, Outcome]
ESTABLISHED, RELATED, INVALID = (((number, number),) for number in (1, 2, 3))
NEIGHBOURS = ("nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert")
LISTENERS = ("mld-listener-query", "mld-listener-report", "mld-listener-done", "mld2-listener-report")
LINK_LOCAL = parse_prefixes("fe80::/10").v6
UNSPECIFIED: Intervals = ((0, 0),)


@dataclass
class HookProof:
    meaning: Meaning
    walker: Walker
    keep: int
    problems: list[Problem] = field(default_factory=list)

    def prove(self, hook: str, ended: list[Ended]) -> Iterator[tuple[Role, Ended]]:
        """Compares the ways through a hook; yields those that ask the mark, with what they are to decide."""
        wanted = list(followed(self._rows(hook)))
        for way in ended:
            for state, outcome in wanted:
                if outcome == UNASKED or outcome == self._outcome(way):
                    continue
                box = meet(way.state.box, state.box)
                rest = None if box is None else left(box, (*way.state.apart, *state.apart))
                if rest is None:
                    continue
                if isinstance(outcome, Role) and way.end.kind == "decide":
                    yield outcome, way
                else:
                    self._report(hook, way, rest, outcome)

    def _outcome(self, way: Ended) -> Outcome:
        if way.end.kind != "accept":
            return way.refusal
        keep, add, places = written(way.state.mark, self.walker.placed)
        if add or places or keep not in (ALL_BITS, self.keep):
            return (), "accept", "with a mark that is left behind"
        return way.state.effects, "accept", way.end.target

    def _report(self, hook: str, way: Ended, rest: Box, outcome: Outcome) -> None:
        does = "asks the flows" if way.end.kind == "decide" else outcome_text(self._outcome(way))
        message = f"the hook `{hook}` treats packets otherwise than it should"
        packet = packet_text(rest, self.walker)
        self.problems.append(Problem(message, way.end.line, packet, outcome_text(outcome), does))

    # -- what the policy says --------------------------------------------------------------------

    def _rows(self, hook: str) -> Iterator[Row]:
        gateway = self.meaning.gateway
        if hook != "forward":
            yield from self._unclassed(hook, gateway)
        for role, box in _asked_again(hook):
            yield {**box, **RECENT}, ACCEPT if self.meaning.asks_again(role) else UNASKED
        if hook != "output":
            yield {"family": ((4, 4),), "saddr4": gateway.own.v4}, SPOOFED
            yield {"family": ((6, 6),), "saddr6": gateway.own.v6}, SPOOFED
            arrival = "arrival" if self.meaning.position.by_interface else "known saddr"
            yield from self._refused(arrival, SPOOFED)
            yield from self._refused(arrival, UNKNOWN)
            if not self.meaning.seen:
                yield EVERY, UNKNOWN
        yield from self._standing(hook)
        if FRESH[hook].destination:
            yield from self._refused("known daddr", UNKNOWN)
            if not self.meaning.seen:
                yield EVERY, UNKNOWN
        yield EVERY, FRESH[hook]

    def _refused(self, field: str, refusal: Refusal, box: Box = EVERY) -> Iterator[Row]:
        number = self.walker.refusals.get(refusal)
        if number is not None:
            yield {**box, field: ((number, number),)}, refusal

    def _unclassed(self, hook: str, gateway: Gateway) -> Iterator[Row]:
        """The gateway itself, its neighbours, and DHCP: what has no address of a zone, or none yet."""
        device = "iifname" if hook == "input" else "oifname"
        icmp = {"family": ((6, 6),), "protocol": ((58, 58),)}
        yield {device: self._devices(["lo"])}, ACCEPT
        yield {**icmp, "type": _types(NEIGHBOURS), "hoplimit": ((255, 255),)}, ACCEPT
        yield {**icmp, "type": _types(LISTENERS), "saddr6": normalize(UNSPECIFIED + LINK_LOCAL)}, ACCEPT
        serving = [each.device for each in gateway.attachments if each.zone in gateway.dhcp_zones]
        asking = [each.name for each in gateway.interfaces if each.dhcp]
        for devices, serves in ((serving, True), (asking, False)):
            to_server = serves == (hook == "input")
            where = {device: self._devices(devices), "protocol": ((17, 17),)}
            for family, ports in ((4, (68, 67)), (6, (546, 547))):
                source, target = ports if to_server else ports[::-1]
                box = {
                    **where,
                    "family": ((family, family),),
                    "sport": ((source, source),),
                    "dport": ((target, target),),
                }
                yield box if family == 4 else {**box, "saddr6": LINK_LOCAL}, ACCEPT

    def _devices(self, names: list[str]) -> Intervals:
        return normalize((n, n) for n in map(self.walker.number, names))

    def _standing(self, hook: str) -> Iterator[Row]:
        """Connections that stand, errors that belong to them, and what belongs to none."""
        for role, box in _asked_again(hook):
            if self.meaning.asks_again(role):
                if FRESH[hook].destination:
                    yield from self._refused("known daddr", UNKNOWN, box)
                yield box, role
            else:
                yield box, UNASKED
        yield {"state": ESTABLISHED}, ACCEPT
        yield {"state": RELATED, "protocol": ((1, 1),), "type": ((5, 5),)}, DROP
        yield {"state": RELATED, "protocol": ((1, 1), (58, 58))}, ACCEPT
        if hook == "output":
            ending = any(self.meaning.asks_again(role) for hook in FRESH for role, _ in _asked_again(hook))
            yield {"state": RELATED, "protocol": ((6, 6),), "rst": ((1, 1),)}, ACCEPT if ending else UNASKED
        yield {"state": INVALID}, DROP


def _asked_again(hook: str) -> Iterator[tuple[Role, Box]]:
    """Packets of connections that may have to end, in either direction, and what they are."""
    for label, lasting in ((LABEL, False), (LOOMING, True)):
        for number, role in enumerate((FRESH[hook]._replace(still=True), REPLY[hook])):
            box = {"state": ESTABLISHED, f"label {label}": ((1, 1),), "direction": ((number, number),)}
            yield role._replace(lasting=lasting), box


def _types(names: tuple[str, ...]) -> Intervals:
    return normalize((ICMPV6_TYPES[name], ICMPV6_TYPES[name]) for name in names)


def followed(rows: Iterator[Row]) -> Iterator[tuple[State, Outcome]]:
    state: State | None = State()
    for box, outcome in rows:
        if state is None:
            return
        if not all(box.values()):
            continue
        met = state.within(box)
        if met is not None:
            yield met, outcome
        state = state.beyond(box)


def outcome_text(outcome: Outcome) -> str:
    if isinstance(outcome, Role):
        return "asks the flows" + (" again" if outcome.still else "")
    if isinstance(outcome, str):
        return outcome
    effects, kind, target = outcome
    logs = "".join(f", logged as `{effect.value}`" for effect in effects if effect.kind == "log")
    return f"{kind} {target}".strip() + logs


def packet_text(box: Box, walker: Walker) -> str:
    """One packet of a box: what it is, and what else is asked of it."""
    family = box.get("family", ((4, 4),))[0][0]
    ends = [_address(box, side, family) for side in ("saddr", "daddr")]
    protocol = box.get("protocol", ((6, 6),))[0][0]
    value = box.get("dport", box.get("type", ((1, 1),)))[0][0]
    words = [f"{ends[0]} -> {ends[1]} {PROTOCOL_NAMES.get(protocol, f'proto/{protocol}')}/{value}"]
    names = {number: name for name, number in walker.devices.items()}
    for device, word in (("iifname", "in by"), ("oifname", "out by")):
        if device in box:
            words.append(f"{word} {names.get(box[device][0][0], 'another device')}")
    if "state" in box:
        words.append(("new", "established", "related", "invalid", "untracked")[box["state"][0][0]])
    return ", ".join(words)


def _address(box: Box, side: str, family: int) -> str:
    found = box.get(f"{side}{family}")
    return address_text(found[0][0], family) if found else "anybody"
