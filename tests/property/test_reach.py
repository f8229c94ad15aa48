"""Random small policies: matrix, questions, chains and promises are what trying every packet gives.

The oracle is that of the conflict checks; chains are searched there one host at a time.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from segc.analysis.conflicts.context import Context
from segc.analysis.promises import check_nevers, check_workflows
from segc.analysis.reach.grants import Grant, gap_of
from segc.analysis.reach.matrix import Matrix
from segc.analysis.reach.places import Place
from segc.analysis.reach.questions import chains, one_hop, question_of
from segc.policy.model import Flow, Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.prefixes import parse_prefixes
from segc.syntax.parse import parse
from tests.property.atoms import ATOMS, EXISTS, PACKETS, SERVICES
from tests.property.test_conflicts import (
    COMMON,
    EXAMPLES,
    FACTS,
    GATEWAY,
    INVENTORY,
    MOMENTS,
    PLACES,
    SESSIONS,
    Oracle,
    Part,
    Spec,
    decide,
    parts,
    people,
    read,
    specs,
)

ADDRESSES = {
    ("a", "h", 4): "10.0.1.2", ("a", "", 4): "10.0.1.3", ("a", "", 6): "2001:db8:1::2",
    ("b", "h", 4): "10.0.2.2", ("b", "h", 6): "2001:db8:2::2",
    ("b", "", 4): "10.0.2.1", ("b", "", 6): "2001:db8:2::1",
    ("c", "six", 6): "2001:db8:3::2", ("c", "", 4): "10.0.3.1", ("c", "", 6): "2001:db8:3::1",
}  # fmt: skip
FEWER = settings(COMMON, max_examples=max(1, EXAMPLES // 4))
EVERYTHING = Part(("any", GATEWAY))
Triple = tuple[int, int, str]  # place, place, atom
Session = tuple[str | None, tuple[str, ...]]


@st.composite
def questions(draw: st.DrawFn) -> Spec:
    ends = draw(parts()), draw(parts())
    open_end = draw(st.sampled_from(["source", "destination", "", ""]))
    source, destination = (
        EVERYTHING if open_end == side else end
        for side, end in zip(("source", "destination"), ends, strict=True)
    )
    services = draw(st.sampled_from(["any", "any", *sorted(SERVICES)]))
    return Spec("allow", True, source, destination, services)


@st.composite
def policies(draw: st.DrawFn) -> list[Spec]:
    """Sometimes with two denies that take nothing for good alone, and all of a flow together."""
    found = draw(specs())
    if draw(st.booleans()):
        one = draw(st.sampled_from(found))
        who = draw(st.sampled_from(["group g1", "group g3", 'user "u3"']))
        halves = draw(
            st.sampled_from(
                [
                    ((one.source, "from 2026-03-02"), (one.source, "until 2026-03-02")),
                    ((Part((), who), ""), (Part(("any",), unless=who), "")),
                ]
            )
        )
        denies = [
            Spec("deny", False, part, one.destination, one.services, when=when) for part, when in halves
        ]
        found += denies[: draw(st.integers(1, 2))]
    return found


class Brute:
    """What is open, by trying: `oracle` holds the flows of a policy and, last, a question."""

    def __init__(self, found: list[Spec], asked: Spec) -> None:
        self.specs, self.asked = found, asked
        self.oracle = Oracle([*found, asked])
        self.allows = [i for i, s in enumerate(found) if s.verb == "allow" and not s.staged]
        self.allowed = self.oracle.allowed(self.allows)

    def triples(self, rows: list[int], asked: Spec) -> set[Triple]:
        """The traffic of a question that `rows` leave to somebody at some time."""
        found = set()
        for cell, row in zip(self.oracle.cells, rows, strict=True):
            bits = row and row & asked.at(cell)
            found |= {(*cell[:2], atom) for atom in atoms_of(bits)} if bits else set()
        return found

    def of_statement(self, index: int | None, asked: Spec) -> set[Triple]:
        opened = self.oracle.open if index is None else self.oracle.rows[index]
        return self.triples([x & ~y for x, y in zip(opened, self.oracle.denied, strict=True)], asked)

    def always(self, triple: Triple) -> bool:
        """Whether everybody may send it at any time."""
        mask = atom_mask(triple[2])
        rows = zip(self.oracle.cells, self.allowed, strict=True)
        return all(row & mask == mask for cell, row in rows if cell[:2] == triple[:2])


def atoms_of(bits: int) -> str:
    return "".join(atom for atom in ATOMS if bits & atom_mask(atom))


@cache
def atom_mask(atom: str) -> int:
    """The bits of an atom: all moments and facts."""
    size = len(MOMENTS) * len(FACTS)
    return ((1 << size) - 1) << (ATOMS.index(atom) * size)


def exists(pair: tuple[int, int]) -> str:
    return EXISTS[PLACES[pair[0]][2]]


class Places:
    """The class of each place; and by `hosts` one for all that the same hosts may have, as no statement or
    zone tells them apart."""

    def __init__(self, context: Context, found: list[Spec]) -> None:
        survey = context.survey
        self.classes: dict[int, int] = {}
        self.hosts: dict[int, int] = {}
        for number, place in enumerate(PLACES):
            if place[0] == GATEWAY:
                node = next((i for i, name in survey.gateways.items() if name == "gw"), None)
            else:
                address = parse_prefixes(ADDRESSES[place])
                node = next((i for i, space in enumerate(survey.spaces) if address <= space), None)
            if node is not None:
                self.classes[number] = node
        ends = [end for spec in found for end in (spec.source, spec.destination)]
        first: dict[tuple[object, ...], int] = {}
        for number, node in self.classes.items():
            told = (PLACES[number][0], *(number in end.places for end in ends))
            self.hosts[number] = first.setdefault(told, node)
        self.host = {node: self.hosts[number] for number, node in self.classes.items()}

    def triples(self, grants: list[Grant]) -> set[Triple]:
        found = set()
        for grant, (here, there) in product(grants, product(self.classes, repeat=2)):
            box = grant.box
            if not (box.source >> self.classes[here] & 1 and box.destination >> self.classes[there] & 1):
                continue
            if PLACES[here][2] == PLACES[there][2]:
                found |= {
                    (here, there, atom)
                    for atom in exists((here, there))
                    if box.services.contains(*PACKETS[atom])
                }
        return found


@FEWER
@given(policies(), questions())
def test_one_hop_is_what_trying_finds(found: list[Spec], asked: Spec) -> None:
    policy, flows = read([*found, asked])
    context = Context(policy)
    brute, places = Brute(found, asked), Places(context, [*found, asked])
    grants = list(one_hop(context, question_of(context, flows[-1])))
    for index in brute.allows:
        mine = [grant for grant in grants if grant.by is flows[index]]
        assert places.triples(mine) == brute.of_statement(index, asked)
    zones = [grant for grant in grants if not isinstance(grant.by, Flow)]
    assert places.triples(zones) == brute.of_statement(None, asked)
    for grant in grants:
        assert not grant.always or all(map(brute.always, places.triples([grant])))
        gap = gap_of(grant.box, context)
        assert gap is not None
        decision = decide(context, gap)
        assert decision is None or decision.verdict == "allow"
        assert decision is None or not isinstance(grant.by, Flow) or grant.by in decision.statements


@FEWER
@given(policies())
def test_the_matrix_is_what_trying_finds(found: list[Spec]) -> None:
    policy, _ = read(found)
    matrix = Matrix(policy)
    anything = Spec("allow", True, EVERYTHING, EVERYTHING, "any")
    brute = Brute(found, anything)
    opened = brute.triples(brute.allowed, anything)
    for row, column in product([*map(zone, "abc"), gateway()], repeat=2):
        grants = matrix.cells.get((row, column), [])
        expected = {atom for here, there, atom in opened if (place(here), place(there)) == (row, column)}
        assert {a for a in ATOMS if any(g.box.services.contains(*PACKETS[a]) for g in grants)} == expected


@FEWER
@given(specs(), st.sampled_from(["group g1", "group g2", "group g3", "group g5"]))
def test_rows_of_groups_are_what_trying_finds(found: list[Spec], who: str) -> None:
    policy, _ = read(found)
    matrix = Matrix(policy)
    member = Spec("allow", True, Part((), who), EVERYTHING, "any")
    brute = Brute(found, member)
    expected = set()
    for index in brute.allows:
        if found[index].source.who and any(people_with(found[index].source, s) for s in least(who)):
            triples = brute.of_statement(index, member)
            expected |= {(place(there), atom) for _, there, atom in triples}
    row = Place("group", who.partition(" ")[2])
    got = {
        (column, atom)
        for (source, column), grants in matrix.cells.items()
        for grant, atom in product(grants, ATOMS)
        if source == row and grant.box.services.contains(*PACKETS[atom])
    }
    assert got == expected


def zone(name: str) -> Place:
    return Place("zone", name)


def gateway() -> Place:
    return Place("gateway", "gw")


def place(number: int) -> Place:
    name = PLACES[number][0]
    return gateway() if name == GATEWAY else zone(name)


def least(who: str) -> list[Session]:
    """The sessions that prove a subject and nothing that they need not."""
    proving = [SESSIONS[i] for i in people(Part((), who))]

    def more(one: Session, other: Session) -> bool:
        return one != other and other[0] in (None, one[0]) and set(other[1]) <= set(one[1])

    return [one for one in proving if not any(more(one, other) for other in proving)]


def people_with(part: Part, session: Session) -> bool:
    return SESSIONS.index(session) in people(part)


@FEWER
@example(  # only the list tells the host's address from others of its zone
    [Spec("allow", False, Part(("a.h",)), Part(("c.six", "c")), "any")],
    Spec("allow", True, Part(("a.h",)), EVERYTHING, "any"),
)
@given(policies(), questions())
def test_chains_are_as_short_as_trying_finds(found: list[Spec], asked: Spec) -> None:
    policy, flows = read([*found, asked])
    context = Context(policy)
    brute, places = Brute(found, asked), Places(context, [*found, asked])
    question = question_of(context, flows[-1])
    from_all, to_all = asked.source == EVERYTHING, asked.destination == EVERYTHING
    question = question._replace(from_all=from_all, to_all=to_all)
    reached = list(chains(context, question))
    assert len({each.node for each in reached}) == len(reached)
    expected = expected_lengths(brute, places, asked, from_all, to_all)
    lengths = {each.node: len(each.chain) for each in reached}
    assert lengths == {node: expected[host] for node, host in places.host.items() if host in expected}
    edges, host = edges_of(brute, places), places.host
    for each in reached:
        end = each.chain[0].source if from_all and not to_all else each.chain[-1].destination
        assert host[each.node] == host[end]
        for hop, after in zip(each.chain, each.chain[1:], strict=False):
            assert host[hop.destination] == host[after.source]
        assert all(edges[host[hop.source], host[hop.destination]] for hop in each.chain)


def edges_of(brute: Brute, places: Places) -> dict[tuple[int, int], bool]:
    anything = Spec("allow", True, EVERYTHING, EVERYTHING, "any")
    triples = brute.triples(brute.allowed, anything)
    return pairs_of(triples, places)


def pairs_of(triples: set[Triple], places: Places) -> dict[tuple[int, int], bool]:
    classes = places.hosts
    open_ = {(classes[a], classes[b]) for a, b, _ in triples if a in classes and b in classes}
    nodes = sorted(set(classes.values()))
    return {pair: pair in open_ for pair in product(nodes, repeat=2)}


def expected_lengths(
    brute: Brute, places: Places, asked: Spec, from_all: bool = False, to_all: bool = False
) -> dict[int, int]:
    """Breadth first, hop by hop, over classes as nodes."""
    wide = {
        "first": Spec("allow", True, asked.source, EVERYTHING, "any"),
        "last": Spec("allow", True, EVERYTHING, asked.destination, asked.services),
        "both": asked,
        "any": Spec("allow", True, EVERYTHING, EVERYTHING, "any"),
    }
    edges = {name: pairs_of(brute.triples(brute.allowed, spec), places) for name, spec in wide.items()}
    nodes = sorted(set(places.hosts.values()))
    gateways = {c for n, c in places.hosts.items() if PLACES[n][0] == GATEWAY}
    goal = {places.hosts[n] for n in asked.destination.places if n in places.hosts}
    if from_all and not to_all:
        return _distances(edges["last"], edges["any"], goal, gateways, nodes)
    start = {places.hosts[n] for n in asked.source.places if n in places.hosts}
    goal = set() if to_all else goal
    start -= goal
    middle = {n: 1 for n in nodes if n not in goal and any(edges["first"][s, n] for s in start)}
    waiting = deque(middle)
    while waiting:
        node = waiting.popleft()
        for n in nodes if node not in gateways else ():
            if n not in middle and n not in goal and edges["any"][node, n]:
                middle[n] = middle[node] + 1
                waiting.append(n)
    if to_all and asked.services == "any":
        return middle
    lengths = {n: 1 for n in nodes if any(edges["both"][s, n] for s in start)}
    for node, length in sorted(middle.items(), key=lambda each: each[1]):
        for n in nodes if node not in gateways else ():
            if n not in lengths and edges["last"][node, n]:
                lengths[n] = length + 1
    return lengths


def _distances(
    last: dict[tuple[int, int], bool],
    edges: dict[tuple[int, int], bool],
    goal: set[int],
    gateways: set[int],
    nodes: list[int],
) -> dict[int, int]:
    found = {n: 1 for n in nodes if n not in goal and any(last[n, g] for g in goal)}
    waiting = deque(found)
    while waiting:
        node = waiting.popleft()
        for n in nodes if node not in gateways else ():
            if n not in found and n not in goal and edges[n, node]:
                found[n] = found[node] + 1
                waiting.append(n)
    return found


def promise(found: list[Spec], text: str) -> Policy:
    file, broken = parse(
        SourceFile("p.seg", INVENTORY + "\n".join(spec.text for spec in found) + f"\n{text}\n")
    )
    assert not broken, broken
    return resolve([file])[0]


@FEWER
@given(policies(), questions())
def test_promises_are_what_trying_finds(found: list[Spec], asked: Spec) -> None:
    read([*found, asked])  # discards what does not resolve
    brute = Brute(found, asked)
    ends = f"{asked.source.text} -> {asked.destination.text} : {asked.services}"
    opened = brute.triples(brute.allowed, asked)
    direct = promise(found, f"never {ends}")
    statements = {label.span.line for each in check_nevers(direct) for label in each.secondary}
    by_flows = {i for i in brute.allows if brute.of_statement(i, asked)}
    first = INVENTORY.count("\n") + 1
    zones = {z.span.line for z in direct.zones.values()}
    assert {line - first for line in statements - zones} == by_flows
    same = direct.nevers[0].source is direct.nevers[0].destination
    assert bool(statements & zones) == bool(brute.of_statement(None, asked) and not same)

    blocked = list(check_workflows(promise(found, f"workflow w {{ {ends} }}")))
    whole = {(*p, atom) for p in asked.boxes for atom in SERVICES[asked.services] if atom in exists(p)}
    assert bool(blocked) == bool(whole - opened)

    through = promise(found, f"never {ends.replace('->', '~>', 1)}")
    context = Context(read([*found, asked])[0])
    told = {each.code for each in check_nevers(through)}
    assert ("SEG304" in told) == bool(expected_lengths(brute, Places(context, [*found, asked]), asked))
    sources, destinations = ({pair[side] for pair in asked.boxes} for side in (0, 1))
    assert ("SEG324" in told) == (sources <= destinations)
