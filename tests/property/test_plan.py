"""Pairs of random small policies: their difference is what deciding every packet in both finds.

Each side has an inventory of its own: zones, hosts, tags, groups, gateways and the time zone may change
between them. The oracle reads LANGUAGE's words over single addresses, services, sessions and moments, and
shares no code with segc. Every witness is put to `segc trace`'s own function in both policies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import product
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from segc.diagnostics.model import Severity
from segc.plan.access import access_changes
from segc.plan.align import align
from segc.plan.difference import Difference
from segc.plan.guards import Guard
from segc.plan.model import GAINS, LOSSES, Kind, Witness
from segc.plan.subjects import FORMER
from segc.plan.witness import claims
from segc.policy.claims import Situation
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.services import parse_service
from segc.syntax.parse import parse
from segc.trace import Decision, Packet, trace
from tests.property.atoms import ATOMS, EXISTS, PACKETS, SERVICES
from tests.property.ends import EndText, end_texts

EXAMPLES = int(os.environ.get("SEGC_EXAMPLES", "100"))
COMMON = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)

Address = IPv4Address | IPv6Address
GATEWAY = "gateway gw"  # an address of it that no policy names
PLACES: tuple[Address | str, ...] = (
    *map(ip_address, (
        "10.0.1.1", "10.0.1.2", "10.0.1.5", "10.0.2.1", "10.0.2.2", "10.0.2.5", "10.0.3.2", "10.9.9.9",
        "2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::2", "2001:db8:3::2", "2001:db8:9::9",
    )),
    GATEWAY,
)  # fmt: skip
USERS = (None, "u1", "u2")
SESSIONS = tuple(product(USERS, ((), ("d1",), ("d2",), ("d1", "d2"))))
FACTS = tuple(product((False, True), repeat=2))  # mfa, posture fit
TIMES = {
    "": (range(7), 0, 24, None, None),
    "when mon 00:00-12:00": ((0,), 0, 12, None, None),
    "when mon,tue 06:00-18:00": ((0, 1), 6, 18, None, None),
    "when sun 22:00-06:00": ((6,), 22, 6, None, None),
    "when daily 00:00-24:00": (range(7), 0, 24, None, None),
    "from 2026-03-02": (range(7), 0, 24, "2026-03-02", None),
    "when mon 00:00-12:00 until 2026-03-02": ((0,), 0, 12, None, "2026-03-02"),
}
ZONES = ("Europe/Berlin", "America/New_York", "UTC")


@cache
def on_time(when: str, zone: str, at: datetime) -> bool:
    days, start, end, first, last = TIMES[when]
    local = at.astimezone(ZoneInfo(zone))
    if (first and f"{local:%Y-%m-%d}" < first) or (last and f"{local:%Y-%m-%d}" > last):
        return False
    if start < end:
        return local.weekday() in days and start <= local.hour < end
    late, early = local.weekday() in days, (local.weekday() - 1) % 7 in days
    return (late and local.hour >= start) or (early and local.hour < end)


_hours = [datetime(2026, 2, 20, tzinfo=UTC) + timedelta(hours=n) for n in range(24 * 21)]
_signatures = {tuple(on_time(*pair, at) for pair in product(TIMES, ZONES)): at for at in _hours}
MOMENTS = tuple(_signatures.values())
SIZE = len(MOMENTS) * len(FACTS)


def bits_of(atoms: str, moments: frozenset[int], facts: frozenset[int]) -> int:
    """Services x moments x facts, as one number."""
    one = sum(1 << (at * len(FACTS) + fact) for at in moments for fact in facts)
    return sum(one << (ATOMS.index(atom) * SIZE) for atom in atoms)


network = cache(ip_network)
EVERY = frozenset(range(len(MOMENTS))), frozenset(range(len(FACTS)))


@dataclass(frozen=True)
class Inventory:
    timezone: str
    wide: bool  # zone a is a /29
    host: str  # of a
    own: str  # the gateway's address in a
    tagged: bool  # b
    isolated: bool  # c
    external: bool
    g1: tuple[str, ...]
    g3: str  # a directory
    nested: bool  # g2 holds g1

    @property
    def text(self) -> str:
        tag = "  tag t" if self.tagged else ""
        a, c = f"10.0.1.0/{29 if self.wide else 30}", "intra deny" if self.isolated else ""
        return "\n".join([
            f'timezone "{self.timezone}"',
            f"zone a {{ subnet {a}, 2001:db8:1::/126  host h = {self.host} {{ tag t }} }}",
            "zone b { subnet 10.0.2.0/29, 2001:db8:2::/126",
            f"         host h = 10.0.2.2, 2001:db8:2::2{tag}  intra deny }}",
            f"zone c {{ subnet 10.0.3.0/30, 2001:db8:3::/126  {c} }}",
            "zone net { external }" if self.external else "",
            f"group g1 {{ {' '.join(f'user {chr(34)}{user}{chr(34)}' for user in self.g1)} }}",
            f"group g2 {{ user \"u2\" {'group g1' if self.nested else ''} }}",
            f'group g3 from directory "{self.g3}"',
            "posture fit { edr = true }",
            f"gateway gw {{ interface e0 {{ zone a }} interface e1 {{ zone b }} interface e2 {{ zone c }}"
            f" {'interface e3 { zone net }' if self.external else ''}"
            f" {f'address a {self.own}/30' if self.own else ''} }}",
        ])  # fmt: skip

    def zone_of(self, place: Address | str) -> str | None:
        return zone_of(self.wide, self.external, place)

    def is_gateway(self, place: Address | str) -> bool:
        return place == GATEWAY or str(place) == self.own

    def holds(self, term: str, place: Address | str) -> bool:
        if self.is_gateway(place) or term == GATEWAY:
            return self.is_gateway(place) and term == GATEWAY
        zone, host_a, host_b = self.zone_of(place), self.host, ("10.0.2.2", "2001:db8:2::2")
        if term == "tag t":
            return str(place) == host_a or (zone == "b" and self.tagged)
        if term in ("a.h", "b.h"):
            return str(place) == host_a if term == "a.h" else str(place) in host_b
        if term.startswith("10."):
            return place in network(term)
        return zone is not None and term in ("any", zone)

    def neighbours(self, a: Address | str, b: Address | str) -> bool:
        """Whether two hosts may talk without a flow."""
        zone = self.zone_of(a)
        closed = {"b", "net"} | ({"c"} if self.isolated else set())
        ours = self.is_gateway(a) or self.is_gateway(b)
        return zone is not None and zone == self.zone_of(b) and zone not in closed and not ours

    def groups(self) -> dict[str, tuple[set[str], set[str]]]:
        listed, nested = set(self.g1), self.nested
        return {
            "g1": (listed, set() if listed else {" g1"}),
            "g2": ({"u2"} | (listed if nested else set()), {" g1"} if nested and not listed else set()),
            "g3": (set(), {self.g3}),
        }  # fmt: skip

    def proves(self, who: str, session: tuple[str | None, tuple[str, ...]]) -> bool:
        kind, _, name = who.replace('"', "").partition(" ")
        if kind == "user":
            return session[0] == name
        users, directories = self.groups()[name]
        return session[0] in users or bool(directories.intersection(session[1]))


@cache
def zone_of(wide: bool, external: bool, place: Address | str) -> str | None:
    if isinstance(place, str):
        return None
    subnets = {
        "a": (f"10.0.1.0/{29 if wide else 30}", "2001:db8:1::/126"),
        "b": ("10.0.2.0/29", "2001:db8:2::/126"),
        "c": ("10.0.3.0/30", "2001:db8:3::/126"),
    }
    for zone, prefixes in subnets.items():
        if any(place in network(prefix) for prefix in prefixes):
            return zone
    return "net" if external else None


class End(EndText):
    def holds(self, inventory: Inventory, place: Address | str, session) -> bool:
        if not any(inventory.holds(term, place) for term in self.terms or ("any",)):
            return False
        if inventory.is_gateway(place):
            return not self.who
        if self.who and not inventory.proves(self.who, session):
            return False
        return not (self.unless and inventory.proves(self.unless, session))


@dataclass(frozen=True)
class Statement:
    verb: str
    staged: bool
    source: End
    destination: End
    services: str
    mfa: bool = False
    fit: bool = False
    when: str = ""
    log: bool = False

    @property
    def text(self) -> str:
        needs = ", ".join(["mfa"] * self.mfa + ["posture fit"] * self.fit)
        words = ["staged"] * self.staged
        words += [self.verb, self.source.text, "->", self.destination.text, ":", self.services]
        words += [f"require {needs}"] if needs else []
        return " ".join([*words, self.when, "log" * self.log])

    def bits(self, zone: str) -> int:
        moments = frozenset(i for i, at in enumerate(MOMENTS) if on_time(self.when, zone, at))
        facts = frozenset(i for i, (mfa, fit) in enumerate(FACTS) if mfa >= self.mfa and fit >= self.fit)
        return bits_of(SERVICES[self.services], moments, facts)


@dataclass(frozen=True)
class Spec:
    inventory: Inventory
    statements: tuple[Statement, ...]

    @cached_property
    def policy(self) -> Policy:
        lines = [self.inventory.text, *(statement.text for statement in self.statements)]
        file, broken = parse(SourceFile("policy.seg", "\n".join(lines) + "\n"))
        assert not broken, (lines, broken)
        policy, findings = resolve([file])
        assume(not any(each.severity is Severity.ERROR for each in findings))
        return policy


PAIRS = [
    (a, b)
    for a, b in product(PLACES, repeat=2)
    if len({place.version for place in (a, b) if not isinstance(place, str)}) < 2
]


@cache
def real_bits(a: Address | str, b: Address | str) -> int:
    """Services that exist between two places."""
    families = {place.version for place in (a, b) if not isinstance(place, str)} or {4, 6}
    return bits_of("".join(atom for atom in ATOMS if any(atom in EXISTS[f] for f in families)), *EVERY)


Table = dict[str, list[int]]  # for each pair of places and of sessions, in order


def relations(spec: Spec, kept: list[int]) -> Table:
    """What is allowed, logged, and staged, as bits; only the sessions of `kept` are tried."""
    rows = [
        (
            each,
            each.bits(spec.inventory.timezone),
            held(spec, each.source, kept),
            held(spec, each.destination, kept),
        )
        for each in spec.statements
    ]
    found: Table = {name: [] for name in ("open", "logged", "allow", "deny")}
    for a, b in PAIRS:
        here = [(each, row, out[a], into[b]) for each, row, out, into in rows if out[a] and into[b]]
        for s, r in product(kept, repeat=2):
            decide(
                found,
                spec.inventory,
                (a, b),
                [(e, row) for e, row, out, into in here if s in out and r in into],
            )
    return found


def held(spec: Spec, end: End, kept: list[int]) -> dict[Address | str, set[int]]:
    return {p: {s for s in kept if end.holds(spec.inventory, p, SESSIONS[s])} for p in PLACES}


def decide(found: Table, inventory: Inventory, pair, rows) -> None:
    masks = dict.fromkeys(product(("allow", "deny"), (False, True)), 0)
    logs = {"allow": 0, "deny": 0}
    real = real_bits(*pair)
    if inventory.neighbours(*pair):
        masks["allow", False] = real
    for each, row in rows:
        masks[each.verb, each.staged] |= row & real
        logs[each.verb] |= row & real if each.log and not each.staged else 0
    denied = masks["deny", False]
    found["open"].append(masks["allow", False] & ~denied)
    found["logged"].append(logs["deny"] | logs["allow"] & ~denied)
    found["allow"].append(masks["allow", True])
    found["deny"].append(masks["deny", True])


def sessions_apart(*inventories: Inventory) -> list[int]:
    """One of all sessions that no group of either policy tells apart."""
    seen: dict[tuple[bool, ...], int] = {}
    for index, session in enumerate(SESSIONS):
        seen.setdefault(tuple(i.proves(who, session) for i in inventories for who in WHO), index)
    return list(seen.values())


# -- reading a difference --------------------------------------------------------------------------------


@cache
def guard_bits(guard: Guard, services: str) -> int:
    moments = frozenset(i for i, at in enumerate(MOMENTS) if _within(guard, at))
    facts = frozenset(i for i, pair in enumerate(FACTS) if _proved(guard, pair))
    return bits_of(services, moments, facts)


def _within(guard: Guard, at: datetime) -> bool:
    hours = guard.hours
    if not hours.first <= at.timestamp() < hours.last:
        return False
    for zone, week in hours.weeks:
        local = at.astimezone(ZoneInfo(zone))
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        if not any(first <= minute <= last for first, last in week):
            return False
    return True


def _proved(guard: Guard, pair: tuple[bool, bool]) -> bool:
    proved = {name for name, has in zip(("mfa", "posture fit"), pair, strict=True) if has}
    return guard.facts <= proved and not guard.lacks & proved


def is_one(subject, session, before: Inventory, after: Inventory) -> bool:
    former = subject.name.endswith(FORMER)
    return (before if former else after).proves(
        f"{subject.kind} {subject.name.removesuffix(FORMER)}", session
    )


def sits(who, session, before: Inventory, after: Inventory) -> bool:
    return all(is_one(each, session, before, after) for each in who.subjects) and not any(
        is_one(each, session, before, after) for each in who.without
    )


def holding(difference: Difference, mask: int) -> set[Address | str]:
    """A gateway is all addresses that it has in both policies, and those that none names."""
    space, ours = difference.space_of(mask), "gw" in difference.names_of(mask)
    found: set[Address | str] = {GATEWAY} if ours else set()
    for place in PLACES:
        if not isinstance(place, str) and (place in space or (ours and place in difference.own["gw"])):
            found.add(place)
    return found


# -- drawing ---------------------------------------------------------------------------------------------

WHERE = ["a", "b", "c", "a.h", "b.h", "tag t", "any", "10.0.2.0/30"]
WHO = ["group g1", "group g2", "group g3", 'user "u1"']


def ends() -> st.SearchStrategy[End]:
    return end_texts(End, WHERE, WHO, GATEWAY)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    source = draw(ends())
    asks = bool(source.who)
    return Statement(
        draw(st.sampled_from(["allow", "allow", "allow", "deny"])),
        draw(st.sampled_from([False, False, False, True])),
        source,
        draw(ends()),
        draw(st.sampled_from(sorted(SERVICES))),
        asks and draw(st.booleans()),
        asks and draw(st.booleans()),
        draw(st.sampled_from(["", "", "", *TIMES])),
        draw(st.sampled_from([False, False, False, True])),
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    wide = draw(st.booleans())
    return Inventory(
        draw(st.sampled_from(["Europe/Berlin", "Europe/Berlin", *ZONES])),
        wide,
        draw(st.sampled_from(["10.0.1.2", "10.0.1.5"] if wide else ["10.0.1.2"])),
        draw(st.sampled_from(["10.0.1.1", "10.0.1.1", ""])),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from([("u1",), ("u1", "u2"), ()])),
        draw(st.sampled_from(["d1", "d2"])),
        draw(st.booleans()),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Spec, Spec]:
    same = draw(inventories())
    other = draw(st.one_of(st.just(same), st.just(same), inventories()))
    shared = draw(st.lists(statements(), max_size=4))
    few = st.lists(statements(), max_size=draw(st.sampled_from([1, 1, 2])))
    return Spec(same, tuple(shared + draw(few))), Spec(other, tuple(draw(few) + shared))


def told_by(
    difference: Difference, both: tuple[Inventory, Inventory], kept: list[int]
) -> dict[Kind, list[int]]:
    """A difference as bits, in the order of `relations`."""
    size = len(kept) ** 2
    told = {kind: [0] * (len(PAIRS) * size) for kind in Kind}
    for cause, rectangles in difference.found.items():
        row = told[cause.kind]
        senders = [sits(cause.guard.source, SESSIONS[each], *both) for each in kept]
        receivers = [sits(cause.guard.destination, SESSIONS[each], *both) for each in kept]
        inside = [n for n, (s, r) in enumerate(product(senders, receivers)) if s and r]
        for source, destination, services in rectangles:
            sources, destinations = holding(difference, source), holding(difference, destination)
            held = difference.service_set(services)
            bits = guard_bits(cause.guard, "".join(n for n, atom in PACKETS.items() if held.contains(*atom)))
            for number, (a, b) in enumerate(PAIRS):
                if a in sources and b in destinations:
                    for index in inside:
                        here = bits & real_bits(a, b)
                        again = row[number * size + index] & here
                        assert not again or cause.kind in (Kind.STAGES, Kind.UNSTAGES), "told twice"
                        row[number * size + index] |= here
    return told


@COMMON
@given(pairs())
def test_the_difference_is_what_deciding_every_packet_finds(both: tuple[Spec, Spec]) -> None:
    before, after = both
    difference = Difference(align(before.policy, after.policy))
    inventories_ = before.inventory, after.inventory
    kept = sessions_apart(*inventories_)
    was, now = relations(before, kept), relations(after, kept)
    told = told_by(difference, inventories_, kept)
    for index in range(len(was["open"])):
        at = {name: (was[name][index], now[name][index]) for name in was}
        opened, closed = (after & ~before for before, after in (at["open"], at["open"][::-1]))
        here = {kind: row[index] for kind, row in told.items()}
        assert here[Kind.OPENS] ^ here[Kind.LOOSENS] == opened
        assert here[Kind.CLOSES] ^ here[Kind.TIGHTENS] == closed
        same = ~(opened | closed)
        old, new = at["logged"]
        assert (here[Kind.LOGS], here[Kind.UNLOGS]) == (new & ~old & same, old & ~new & same)
        (a, b), (c, d) = at["allow"], at["deny"]
        assert here[Kind.STAGES] == b & ~a | d & ~c
        assert here[Kind.UNSTAGES] == a & ~b | c & ~d


@COMMON
@given(pairs())
def test_every_witness_is_real(both: tuple[Spec, Spec]) -> None:
    before, after = both
    policies = before.policy, after.policy
    found, _ = access_changes(*policies, ({}, {}))
    for each in found:
        was, now = (decided(policy, each.witness, side) for side, policy in enumerate(policies))
        if was is None or now is None:
            continue  # a gateway without any known address
        if each.kind in GAINS | LOSSES:
            verdicts = ("deny", "allow") if each.kind in GAINS else ("allow", "deny")
            assert (was.verdict, now.verdict) == verdicts, each
        elif each.kind in (Kind.LOGS, Kind.UNLOGS):
            assert was.verdict == now.verdict, each
        flows = [{flow.id for flow in (*side.statements, *side.staged)} for side in (was, now)]
        assert each.statements
        assert any(statement.id in flows[statement.side == "after"] or not statement.id
                   for statement in each.statements), each  # fmt: skip


def decided(policy: Policy, found: Witness, side: int) -> Decision | None:
    if "gateway" in found.source + found.destination:
        return None
    protocol, _, argument = found.service.partition("/")
    service = parse_service(protocol, argument or None).first()
    packet = Packet(ip_address(found.source), ip_address(found.destination), *service)
    return trace(policy, packet, Situation(*claims(found, side), found.at))
