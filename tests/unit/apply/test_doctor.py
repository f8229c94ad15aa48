"""What is made of what a host says, and that the trials try what rulesets are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from segc.apply.doctor import kernel
from segc.apply.doctor.features import TRIALS
from segc.apply.doctor.kernel import numbers
from segc.apply.doctor.model import Host
from segc.apply.doctor.others import foreign
from segc.apply.doctor.services import FIREWALLS, firewalls, managers
from segc.apply.state import State
from segc.compile import build
from segc.policy.resolve import resolve
from segc.workspace import load

SAMPLES = Path(__file__).parents[3] / "samples"
CONSTRUCTS = re.compile(
    r"\b(ct (?:original \w+|\w+)|meta (?:mark|time|hour|day|nfproto|l4proto)|fib \w+ type|vmap|counter name"
    r"|limit name|limit rate over|limit rate|log prefix|reject with \w+|dnat ip6?|snat|masquerade|redirect to"
    r"|flags (?:interval|timeout|dynamic)|hook \w+|queue|synproxy|dup to|notrack|tproxy|numgen|jhash|symhash"
    r"|socket|osf|quota|flow add)\b"
    r"|type iface_index [a-z0-9_ .]*[a-z]"  # keys of many parts, which not every nft can make
)
BESIDE = {"hook input", "hook output", "limit rate"}  # as `hook forward` and `limit rate over` are


def emitted() -> Iterator[str]:
    for sample in ("office", "clinic", "retail"):
        workspace = load([str(SAMPLES / sample)])
        policy, _ = resolve([tree for _, tree in workspace.files])
        assert policy is not None
        for artifact in build(policy, workspace.files).artifacts:
            if artifact.name == "ruleset.nft":
                yield re.sub(r'"[^"]*"|^\s*#.*', "", artifact.text, flags=re.MULTILINE)


def test_all_that_rulesets_are_made_of_is_tried() -> None:
    tried = set(CONSTRUCTS.findall("\n".join(trial.body.replace("; ", "\n") for trial in TRIALS)))
    needed = {construct for text in emitted() for construct in CONSTRUCTS.findall(text)}
    assert len(needed) > 20
    assert needed - tried <= BESIDE


def test_what_an_undoing_falls_back_on_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "SAFE_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = kernel.reserve(Host(State(tmp_path)))
    assert (found.state, found.what) == ("note", "`conntrack` is not installed")
    (tmp_path / "conntrack").touch(mode=0o755)
    assert list(kernel.reserve(Host(State(tmp_path)))) == []


def test_trials_have_names_of_their_own() -> None:
    assert len({trial.name for trial in TRIALS}) == len(TRIALS)


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("nftables v1.0.6 (Lester Gooch #5)\n  json: yes", (1, 0, 6)),
        ("6.1.0-18-amd64", (6, 1, 0)),
        ("5.15", (5, 15)),
        ("unknown", ()),
    ],
)
def test_versions(told: str, version: tuple[int, ...]) -> None:
    assert numbers(told) == version


def test_foreign_tables() -> None:
    hook = {"type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}
    chains = [
        {"family": "inet", "table": "segc", "name": "on_forward", **hook},
        {"family": "bridge", "table": "segc", "name": "on_forward", **hook},
        {"family": "inet", "table": "mine", "name": "plain"},
        {"family": "ip", "table": "segc", "name": "theirs", **hook},
    ]
    mine, theirs = foreign(
        json.dumps({"nftables": [{"metainfo": {}}, *({"chain": each} for each in chains)]})
    )
    assert (mine.name, mine.hooks, mine.decides) == ("mine", (), False)
    assert (theirs.family, theirs.decides) == ("ip", True)
    assert str(theirs.hooks[0]) == "forward (filter, priority 0, policy drop)"


def test_firewalls_that_run() -> None:
    assert [each.state for each in firewalls(set())] == ["ok"]
    found = list(firewalls({*FIREWALLS, "nftables"}))
    assert [each.state for each in found] == ["note"] * len(FIREWALLS)
    assert all(each.why and each.advice for each in found)


def test_services_that_set_up_links() -> None:
    (both,) = managers({"NetworkManager", "systemd-networkd"})
    (one,) = managers({"NetworkManager"})
    assert (both.state, one.state) == ("note", "note")
    assert [each.state for each in managers({"systemd-networkd"})] == ["ok"]
