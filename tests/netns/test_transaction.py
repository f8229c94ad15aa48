"""Whatever two rulesets there are: the transactions from one to the other leave what a full load leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from itertools import permutations
from pathlib import Path

import pytest

from segc.apply import host, live
from segc.apply.commands import Commands
from segc.apply.direct import direct
from segc.apply.elements import transact
from segc.apply.renumbering import renumbered
from segc.apply.ruleset import Ruleset, SetText, read_ruleset
from segc.apply.transaction import MARKER, change, marker, read_both, rebuild
from tests.netns.namespace import Namespace, nft, require_throwaway
from tests.netns.policy import compile_path, compile_text
from tests.netns.site import GATEWAY, ZONES

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
BASE = "allow as web a -> b : tcp/443\nallow as files a -> c : tcp/1000-2000, udp/5-9"
STATEMENTS = {
    "base": BASE,
    "a port more": f"{BASE}\nallow as more a -> b : tcp/80",
    "another range": BASE.replace("1000-2000", "1500-2500"),
    "ranges that touch": BASE.replace("1000-2000", "1000-1499, tcp/1501-2000"),
    "ranges of more protocols": f"{BASE}\nallow as lots a -> b : udp/1-65535, sctp/5-9, udplite/1-9, tcp/7-9",
    "ranges within a zone": f"{BASE}\nallow as inside a -> a : udp/5-9",
    "a class more": f"{BASE}\ndeny as shut a.one -> c : tcp/1200",
    "a rate": f"{BASE}\nallow as slow b -> c : udp/7 limit 5/second",
    "another rate and a class": f"{BASE}\nallow as slow b.one -> c : udp/7 limit 50/second",
    "a group": f"{BASE}\nallow as staff-only group staff in a -> c : tcp/22 require mfa",
    "hours": f'{BASE}\nallow as nightly b -> a : tcp/9 when daily 22:00-04:00',
    "logged": BASE.replace("tcp/443", "tcp/443 log"),
    "no ports": f"{BASE}\nallow as gre a -> b : gre\nallow as ping a -> b : icmp/8, icmpv6/echo-request",
    "no ports and more": (
        f"{BASE}\nallow as gre a -> b : gre, esp\nallow as ping a -> b : icmp, icmpv6/echo-request"
        "\nallow as ping-too b -> a : icmp/echo-request, icmpv6/echo-request"
    ),
    "nothing": "",
    "everything": "allow as all any -> any : any",
}  # fmt: skip
PAIRS = [
    *((("base"), other) for other in STATEMENTS if other != "base"),
    *((other, "base") for other in STATEMENTS if other != "base"),
]
PAIRS += [
    ("a class more", "another rate and a class"),
    ("a rate", "another rate and a class"),
    ("a group", "hours"),
]


@cache
def ruleset(name: str) -> str:
    sample, _, gateway = name.partition(" ")
    if (SAMPLES / sample).exists():
        return compile_path(SAMPLES / sample).ruleset(gateway)
    return compile_text(ZONES, GATEWAY % "", STATEMENTS[name]).ruleset()


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace.create()
    yield made
    made.close()


def carry_out(transactions: tuple[Commands, ...]) -> None:
    for each in transactions:
        host.load("\n".join(each) + "\n")


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda name: name)
def test_a_change_leaves_what_a_full_load_leaves(namespace: Namespace, before: str, after: str) -> None:
    def work() -> None:
        nft(ruleset(before))
        carry_out(change(read_ruleset(ruleset(before)), read_ruleset(ruleset(after))))
        assert live.items() == live.items_of(ruleset(after))

    namespace.call(work)


@pytest.mark.parametrize(
    ("before", "after"),
    list(permutations(("office gw1", "clinic gw", "retail hq"), 2)),
    ids=lambda name: name,
)
def test_from_one_sample_to_another(namespace: Namespace, before: str, after: str) -> None:
    def work() -> None:
        nft(ruleset(before))
        old, new = read_ruleset(ruleset(before)), read_ruleset(ruleset(after))
        assert renumbered(old, new)
        carry_out(change(old, new))
        assert live.items() == live.items_of(ruleset(after))
        carry_out((rebuild(read_ruleset(live.skeleton()), old),))
        assert live.items() == live.items_of(ruleset(before))

    namespace.call(work)


EVERY = [*permutations(STATEMENTS, 2), *permutations(("office gw1", "clinic gw", "retail hq"), 2)]


@pytest.mark.parametrize(("before", "after"), EVERY, ids=lambda name: name)
def test_what_both_have_need_not_be_read(before: str, after: str) -> None:
    old, new = ruleset(before), ruleset(after)
    less, whole = read_both(old, new), (read_ruleset(old), read_ruleset(new))
    assert change(*less) == change(*whole)
    assert change(*reversed(less)) == change(*reversed(whole))


DIRECT = [
    *permutations(("base", "a port more"), 2),
    *permutations(("base", "another range", "ranges that touch"), 2),
    ("another range", "ranges of more protocols"),
    ("ranges of more protocols", "base"),
    *permutations(("no ports", "no ports and more"), 2),
]
NFT = [["nft"], *([str(each)] for each in sorted(ROOT.glob(".cache/nft-*/nft")))]


@pytest.mark.parametrize("program", NFT, ids=lambda argv: argv[0].rpartition(".cache/")[2])
@pytest.mark.parametrize(("before", "after"), DIRECT, ids=lambda name: name)
def test_what_needs_no_nft_is_what_nft_would_make_of_it(before: str, after: str, program: list[str]) -> None:
    """Comments and markers are the same as well, by whichever nft lists them."""
    old, new = read_both(ruleset(before), ruleset(after))
    (commands,) = change(old, new)
    swap = marker(2, "segc: 5d0c, see segc history") + f"delete chain inet segc {MARKER}1\n"
    transaction = "\n".join((*commands, swap))

    def by_nft() -> None:
        _run(program, transaction)

    def directly() -> None:
        changes = direct(transaction, old.sets)
        assert changes
        transact(changes)

    start = ruleset(before) + marker(1, "former")
    assert _afterwards(program, start, by_nft) == _afterwards(program, start, directly)


def _afterwards(program: list[str], start: str, way: Callable[[], None]) -> str:
    def work() -> str:
        _run(program, start)
        way()
        return subprocess.run(
            [*program, "-n", "list", "table", "inet", "segc"], capture_output=True, text=True
        ).stdout

    with closing(Namespace.create()) as namespace:
        listing = namespace.call(work)
    assert listing
    return listing


def _run(program: list[str], text: str) -> None:
    require_throwaway()
    subprocess.run([*program, "-f", "-"], input=text, text=True, check=True)


@pytest.mark.parametrize(
    "command",
    [
        "add element inet segc own4 { 10.0.0.1-10.0.0.9 }",
        "add rule inet segc here accept",
        'add rule inet segc here tcp dport 5-70000 counter name "flow_web" goto accepted',
        "add rule inet segc here tcp dport 5 goto accepted",
        'add rule inet segc here th dport 5-9 counter name "flow_web" goto accepted',
        'add rule inet segc here tcp dport 5-9 counter name "flow_web" accept',
        "add chain inet segc hooked { type filter hook input priority 0; }",
        "add counter inet segc some { packets 1 bytes 2 }",
        "delete set inet segc own4",
        "add element inet segc season { 1-2 }",
        "add element inet segc own4 { 10.0.0.0/8 }",
        "add element inet segc own4 { lo }",
        "add element inet other own4 { 10.0.0.1 }",
        "nonsense",
    ],
)
def test_what_is_not_simple_is_left_to_nft(command: str) -> None:
    sets = read_ruleset(ruleset("base")).sets
    assert direct("flush set inet segc own4", sets)
    assert not direct(f"flush set inet segc own4\n{command}", sets)


def test_sets_with_flags_are_left_to_nft() -> None:
    command = "add element inet segc from4 { 10.0.0.1 : goto from_a }"
    type_ = "type ipv4_addr : verdict"
    assert direct(command, {"from4": SetText("map", (type_,))})
    assert not direct(command, {"from4": SetText("map", (type_, "flags interval"))})


def test_a_change_is_small_where_little_changes() -> None:
    old, new = read_ruleset(ruleset("base")), read_ruleset(ruleset("a port more"))
    ((*commands,),) = change(old, new)
    assert [command.split()[:2] for command in commands] == [["add", "counter"], ["add", "element"]]


def test_the_first_transaction_alone_enforces_what_is_new(namespace: Namespace) -> None:
    """What follows only tidies up, so a crash in between is no half state."""
    old, new = read_ruleset(ruleset("base")), read_ruleset(ruleset("a class more"))
    first, *rest = change(old, new)
    assert len(rest) == 2
    asked = {
        word
        for command in first
        if command.startswith("add rule")
        for word in command.split()
        if word[0] == "@"
    }
    filled = {name for name, each in new.sets.items() if each.elements and name in old.sets}
    assert {f"@next/{name}" for name in filled} <= asked | {"@next/intra"}
    assert not asked & {f"@{name}" for name in filled}


def test_what_has_the_same_numbers_is_not_renumbered() -> None:
    def read(name: str) -> Ruleset:
        return read_ruleset(ruleset(name))

    assert not renumbered(read("base"), read("a port more"))
    assert not renumbered(read("base"), read("ranges that touch"))
    assert renumbered(read("base"), read("a class more"))


@pytest.mark.parametrize("text", ["table inet segc {\n\tnonsense\n}", "table inet segc {\n\tchain\n}"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no line of a ruleset that segc wrote"):
        read_ruleset(text)
