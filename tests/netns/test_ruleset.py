"""A ruleset as a whole: how it loads, what it leaves alone, and what it is made of."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.netns.namespace import Namespace, nft, require_throwaway
from tests.netns.policy import compile_path, compile_text
from tests.netns.site import GATEWAY, ZONES
from tests.property.interpreter import Ruleset

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
SAMPLES = [
    ("minimal.seg", "router"),
    ("office", "gw1"),
    ("clinic", "gw"),
    ("retail", "hq"),
    ("retail", "west"),
]
UNSTEADY = ("handle", "metainfo")
OTHER_NFTS = sorted(path for path in ROOT.glob(".cache/nft-*/nft") if os.access(path, os.X_OK))
FOREIGN = """
table inet firewalld { set s_x { type ipv4_addr
 elements = { 192.0.2.1 }
 }
 chain c_f { type filter hook forward priority 10; policy accept
 counter name "seen" accept
 }
 counter seen { }
}
table ip segc { chain c_same_name { }
}
"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace.create("ruleset")
    yield made
    made.close()


@pytest.fixture(params=SAMPLES, ids="-".join)
def text(request: pytest.FixtureRequest) -> str:
    sample, gateway = request.param
    return compile_path(ROOT / "samples" / sample).ruleset(gateway)


def state(namespace: Namespace, *table: str, program: str = "nft") -> Any:
    """What the kernel holds, without handles, which count up with every load."""
    what = ("table", *table) if table else ("ruleset",)
    found = command(namespace, "-j", "--stateless", "list", *what, program=program)
    return without_handles(json.loads(found)["nftables"])


def without_handles(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: without_handles(value) for key, value in tree.items() if key not in UNSTEADY}
    return [without_handles(each) for each in tree] if isinstance(tree, list) else tree


def command(namespace: Namespace, *words: str, stdin: str = "", program: str = "nft", **env: str) -> str:
    def work() -> str:
        require_throwaway()
        done = subprocess.run(
            [program, *words], input=stdin, text=True, capture_output=True, env={**os.environ, **env}
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return done.stdout

    return namespace.call(work)


def test_it_loads_silently_and_twice_leaves_the_same(namespace: Namespace, text: str) -> None:
    assert command(namespace, "-c", "-f", "-", stdin=text) == ""
    assert state(namespace) == [{}]
    assert command(namespace, "-f", "-", stdin=text) == ""
    once = state(namespace, "inet", "segc")
    assert command(namespace, "-f", "-", stdin=text) == ""
    assert state(namespace, "inet", "segc") == once


def test_other_tables_are_left_alone(namespace: Namespace, text: str) -> None:
    namespace.call(partial(nft, FOREIGN))
    before = state(namespace)
    for _ in range(2):
        namespace.call(partial(nft, text))
    ours = ("inet", "segc")
    after = [each for each in state(namespace) if not is_of(each, *ours)]
    assert after == [each for each in before if not is_of(each, *ours)]
    assert len(after) > 5
    assert "flush" not in text


def is_of(entry: dict[str, dict[str, str]], family: str, table: str) -> bool:
    (kind, body), *_ = entry.items() if entry else [("", {})]
    return body.get("family") == family and body.get("name" if kind == "table" else "table") == table


def test_the_time_zone_of_whoever_loads_it_does_not_matter(text: str) -> None:
    found = []
    for zone in ("UTC", "Asia/Tokyo", "America/St_Johns"):
        namespace = Namespace.create(zone)
        command(namespace, "-f", "-", stdin=text, TZ=zone)
        # What the kernel got, read back by one reader: numbers are shown in the reader's own time zone.
        found.append(command(namespace, "--stateless", "-n", "-n", "-T", "list", "ruleset", TZ="UTC"))
        namespace.close()
    assert found[0] == found[1] == found[2]
    assert "table inet segc" in found[0]


@pytest.mark.parametrize("sample", SAMPLES, ids="-".join)
@pytest.mark.parametrize("program", OTHER_NFTS, ids=lambda path: path.parent.name)
def test_other_versions_of_nft_load_the_same(program: Path, sample: tuple[str, str]) -> None:
    """As many as have been fetched by tests/lab/fetch_nft.sh; all read back by the other one.

    Never in one namespace: nft 1.0.6 itself crashes on any set that 1.1.3 has made, ours or not.
    """
    if "nft-0." in program.parent.name:
        pytest.skip("older than what a ruleset says that it needs")
    text = compile_path(ROOT / "samples" / sample[0]).ruleset(sample[1])
    found = []
    for loader in ("nft", str(program)):
        namespace = Namespace.create(loader)
        command(namespace, "-c", "-f", "-", stdin=text, program=loader)
        for _ in range(2):
            command(namespace, "-f", "-", stdin=text, program=loader)
        found.append(state(namespace, "inet", "segc", program=str(program)))
        namespace.close()
    assert found[0] == found[1]


def test_a_range_more_moves_no_chain_of_another_pair() -> None:
    """People read differences, and what lies elsewhere has to be looked for."""

    def chains(*statements: str) -> list[str]:
        text = compile_text(ZONES, GATEWAY % "", "\n".join(statements)).ruleset()
        return re.findall(r"\tchain (allow_pairs/\S+) ", text)

    three = [f"allow as m{n} {pair} : tcp/10-20" for n, pair in enumerate(("a -> b", "b -> c", "c -> a"))]
    assert chains(*three) == chains(*three, "allow as a0 c -> a : tcp/30-40") != []


def test_more_flows_make_no_more_sets() -> None:
    """The number of sets and maps is what a load is quadratic in."""

    def sets(flows: int) -> int:
        statements = [
            f"allow 10.1.0.{n % 250} -> 10.2.0.{n % 240} : tcp/{n + 1}, udp/{n + 1}" for n in range(flows)
        ]
        return len(Ruleset(compile_text(ZONES, GATEWAY % "", "\n".join(statements)).ruleset()).maps)

    assert sets(20) == sets(900)
