"""Elements by netlink: what nft lists afterwards is what it lists when it has added the same ones itself."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from segc.apply.elements import (
    ACCEPT,
    DROP,
    Add,
    Change,
    Delete,
    Element,
    Flush,
    Renew,
    address_key,
    joined,
    jump,
    transact,
)
from segc.apply.host import RefusedByKernelError
from segc.apply.live import transactions
from segc.apply.rule import AddRule, FlushChain
from tests.netns.namespace import Namespace, nft

SETS = """table inet segc {
 counter web { }
 chain far { }
 set who4 { type ipv4_addr; flags timeout; }
 set who6 { type ipv6_addr; flags timeout; }
 set small { type ipv4_addr; size 2; flags timeout; }
 set ifs { type ifname; }
 map cells { type mark . inet_service : counter; }
 map ways { type ipv6_addr : verdict; }
}
"""
A, B, C = (address_key(f"10.8.0.{number}") for number in (6, 7, 8))


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace.create()
    made.call(lambda: nft(SETS))
    yield made
    made.close()


def listed(name: str, kind: str = "set") -> Any:
    """The elements as nft tells them, without the time that is left."""
    argv = ["nft", "-j", "list", kind, "inet", "segc", name]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    (content,) = (each[kind] for each in json.loads(told)["nftables"] if kind in each)
    return [_untimed(each) for each in content.get("elem", [])]


def _untimed(each: Any) -> Any:
    if isinstance(each, list):
        return [_untimed(part) for part in each]
    if isinstance(each, dict):
        return {key: _untimed(value) for key, value in each.items() if key != "expires"}
    return each


def mark(number: int, port: int) -> bytes:
    return joined(struct.pack("=I", number), struct.pack(">H", port))


EACH: dict[str, tuple[str, str, str, list[Element]]] = {
    "addresses with time and words": (
        "set",
        "who4",
        '10.8.0.6 timeout 1h comment "ana@acme.example", 10.8.0.7 timeout 90s250ms, 10.8.0.8',
        [
            Element(A, timeout=3_600_000, comment="ana@acme.example"),
            Element(B, timeout=90_250),
            Element(C),
        ],
    ),
    "the other family": (
        "set",
        "who6",
        '2001:db8:8::6 timeout 2s comment "bo"',
        [Element(address_key("2001:db8:8::6"), timeout=2000, comment="bo")],
    ),
    "names of devices": (
        "set",
        "ifs",
        '"lan0", "tun-0123456789"',
        [Element(b"lan0".ljust(16, b"\0")), Element(b"tun-0123456789".ljust(16, b"\0"))],
    ),
    "concatenations that lead to counters": (
        "map",
        "cells",
        '0x10a80000 . 80 comment "flows.seg:19" : "web", 0x10a80000 . 443 : "web"',
        [
            Element(mark(0x10A80000, 80), comment="flows.seg:19", data="web"),
            Element(mark(0x10A80000, 443), data="web"),
        ],
    ),
    "verdicts": (
        "map",
        "ways",
        "2001:db8::1 : accept, 2001:db8::2 : drop, 2001:db8::3 : jump far",
        [
            Element(address_key("2001:db8::1"), data=ACCEPT),
            Element(address_key("2001:db8::2"), data=DROP),
            Element(address_key("2001:db8::3"), data=jump("far")),
        ],
    ),
}


@pytest.mark.parametrize("what", EACH)
def test_nft_lists_the_same_as_when_it_adds_them_itself(namespace: Namespace, what: str) -> None:
    kind, name, text, elements = EACH[what]

    def work() -> None:
        transact([Add(name, elements)])
        ours = listed(name, kind)
        transact([Flush(name)])
        assert listed(name, kind) == []
        nft(f"add element inet segc {name} {{ {text} }}\n")
        theirs = listed(name, kind)
        assert len(ours) == len(text.split(", "))
        assert sorted(map(str, ours)) == sorted(map(str, theirs))
        transact([Delete(name, elements)])
        assert listed(name, kind) == []

    namespace.call(work)


def times(name: str) -> dict[str, tuple[int, int, str]]:
    """Timeout and what is left of it, in seconds, and the comment, by address."""
    argv = ["nft", "-j", "list", "set", "inet", "segc", name]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    (content,) = (each["set"] for each in json.loads(told)["nftables"] if "set" in each)
    found = (each["elem"] for each in content.get("elem", []))
    return {each["val"]: (each["timeout"], each["expires"], each.get("comment", "")) for each in found}


def test_what_is_left_of_the_time_can_be_given(namespace: Namespace) -> None:
    def work() -> None:
        transact([Add("who4", [Element(A, timeout=3_600_000, expires=1_800_500)])])
        timeout, left, _ = times("who4")["10.8.0.6"]
        assert timeout == 3600
        assert 1790 < left <= 1800

    namespace.call(work)


def test_a_renewed_element_has_the_new_time_and_words(namespace: Namespace) -> None:
    def work() -> None:
        transact([Add("who4", [Element(A, timeout=60_000, comment="ana")])])
        transact([Renew("who4", [Element(A, timeout=7_200_000, comment="bo"), Element(B, timeout=5000)])])
        found = times("who4")
        assert found["10.8.0.6"][0] == 7200
        assert found["10.8.0.6"][1] > 7000
        assert found["10.8.0.6"][2] == "bo"
        assert "10.8.0.7" in found

    namespace.call(work)


def test_one_that_is_not_there_can_be_passed_over(namespace: Namespace) -> None:
    def work() -> None:
        transact([Add("who4", [Element(A, timeout=60_000), Element(B, timeout=60_000)])])
        transact([Delete("who4", [Element(A), Element(C)], missing_ok=True)])
        assert list(times("who4")) == ["10.8.0.7"]

    namespace.call(work)


REFUSED: dict[str, tuple[list[Change], int, str]] = {
    "an element that is not there": (
        [Delete("who4", [Element(A), Element(C)])],
        errno.ENOENT,
        "`0x0a080008`",
    ),
    "no such set": ([Add("who5", [Element(A)])], errno.ENOENT, "`who5`"),
    "no such set to flush": ([Flush("who5")], errno.ENOENT, "`who5`"),
    "a rule for no chain": ([AddRule("nowhere", None, "far")], errno.ENOENT, "adding a rule to `nowhere`"),
    "no such chain to empty": ([FlushChain("nowhere")], errno.ENOENT, "flushing chain `nowhere`"),
    "a key of another length": ([Add("who4", [Element(b"abc")])], errno.EINVAL, "`0x616263`"),
    "a chain that is not there": (
        [Add("ways", [Element(address_key("::1"), data=jump("near"))])],
        errno.ENOENT,
        "`ways`",
    ),
    "a set that is full": ([Add("small", [Element(A), Element(B), Element(C)])], errno.ENFILE, "`small`"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_kernel_refuses_is_named_and_nothing_is_done(namespace: Namespace, what: str) -> None:
    changes, error, words = REFUSED[what]

    def work() -> None:
        transact([Add("who4", [Element(A, timeout=60_000)])])
        with pytest.raises(RefusedByKernelError) as refused:
            transact([Add("who6", [Element(address_key("::6"), timeout=1000)]), *changes])
        assert refused.value.error == error
        assert words in str(refused.value)
        assert list(times("who4")) == ["10.8.0.6"]
        assert times("who6") == times("small") == {}

    namespace.call(work)


def test_changes_are_carried_out_in_their_order(namespace: Namespace) -> None:
    def work() -> None:
        transact([Add("who4", [Element(A), Element(C)])])
        before = transactions()
        transact([Flush("who4"), Add("who4", [Element(B)])])
        assert listed("who4") == ["10.8.0.7"]
        assert transactions() == before + 1

    namespace.call(work)


@pytest.mark.parametrize("nothing", [[], [Add("who4", [])], [Delete("who4", [], missing_ok=True)]])
def test_nothing_to_do_is_no_transaction(namespace: Namespace, nothing: list[Change]) -> None:
    def work() -> None:
        before = transactions()
        transact(nothing)
        assert transactions() == before

    namespace.call(work)


def test_a_hundred_thousand_at_once(namespace: Namespace) -> None:
    people = [
        Element((0x0A000000 + number).to_bytes(4, "big"), timeout=60_000_000, comment=f"user{number}@x")
        for number in range(100_000)
    ]

    def work() -> None:
        before = transactions()
        transact([Add("who4", people)])
        assert transactions() == before + 1
        # A listing may leave out some while the hash table still grows; a deletion finds each.
        with pytest.raises(RefusedByKernelError, match="deleting `0x0a0186a0` in `who4`"):
            transact([Delete("who4", [*people, Element((0x0A000000 + len(people)).to_bytes(4, "big"))])])
        transact([Delete("who4", people[1:])])
        assert list(times("who4")) == ["10.0.0.0"]

    namespace.call(work)


@pytest.mark.parametrize("comment", ["x" * 400, "é" * 200])
def test_a_long_comment_is_cut_where_a_letter_ends(namespace: Namespace, comment: str) -> None:
    def work() -> None:
        transact([Add("who4", [Element(A, timeout=60_000, comment=comment)])])
        shown = times("who4")["10.8.0.6"][2]
        assert 100 < len(shown.encode()) < 128
        assert comment.startswith(shown)

    namespace.call(work)


def test_without_the_right_it_is_said(namespace: Namespace) -> None:
    script = (
        "from segc.apply.elements import Flush, transact\n"
        "try:\n transact([Flush('who4')])\nexcept Exception as error:\n print(error.error, error)"
    )
    argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", sys.executable, "-c", script]
    done = namespace.call(lambda: subprocess.run(argv, capture_output=True, text=True))
    assert done.stdout == f"{errno.EPERM} the kernel refused: operation not permitted\n", done.stderr
