"""A state directory that somebody or a disk damaged: told in a sentence, and never a dead end."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.netns.applying import Host

OLD = "allow as web a -> b : tcp/443"
NEW = f"{OLD}\nallow as mail a -> c : tcp/25"
SHOWN = {
    OLD: "a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 no",
    NEW: "a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 yes",
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        host.apply(OLD)
        host.apply(NEW)
        yield host


def cut(name: str, kept: int = -40) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).unlink()  # generations share what both have
        (folder / name).write_bytes(content[:kept])

    return damage


def emptied(name: str) -> Callable[[Path], object]:
    return cut(name, 0)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "meta.json": cut("meta.json"),
    "meta.json of another type": lambda folder: (folder / "meta.json").write_text(
        json.dumps(json.loads((folder / "meta.json").read_text()) | {"when": "yesterday"})
    ),
    "meta.json of another node": lambda folder: (folder / "meta.json").write_text(
        json.dumps(json.loads((folder / "meta.json").read_text()) | {"node": "gx"})
    ),
    "ruleset.nft": cut("build/ruleset.nft"),
    "links.json": emptied("build/links.json"),
    "the policy": emptied("policy/policy.seg"),
    "all of it": shutil.rmtree,
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_generation_is_named_and_left_behind(host: Host, what: str) -> None:
    DAMAGES[what](host.state.generations / "2")
    words = "there is no generation 2" if what == "all of it" else "generation 2 in "
    for command in ("status", "verify", "rollback"):
        done = host.segc(command)
        assert words in done.stderr, done.stdout + done.stderr
        assert "bug" not in done.stderr
    assert "   1  " in host.segc("history").stdout
    host.apply(OLD)
    host.check(SHOWN[OLD])
    assert host.segc("verify").returncode == 0
    assert host.standing()[0] == 3
    refused = host.segc("rollback", "2")
    assert refused.returncode == 1
    assert words in refused.stderr
    assert host.segc("verify").returncode == 0


@pytest.mark.parametrize("what", ["meta.json", "ruleset.nft", "all of it"])
def test_what_waits_and_is_damaged_is_undone(host: Host, what: str) -> None:
    host.apply(OLD, "--confirm", "1h")
    DAMAGES[what](host.state.generations / "3")
    done = host.segc("status")
    assert done.returncode == 0, done.stderr
    assert "generation 2 " in done.stderr
    assert host.standing() == (2, 2, None)
    assert host.segc("verify", "--heal").returncode == 0
    host.now(NEW)
    host.check(SHOWN[NEW])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"confirm": true, "deadline": "soon", "boot": "?"}'])
def test_a_window_that_cannot_be_read_has_ended(host: Host, text: str) -> None:
    host.apply(OLD, "--confirm", "1h")
    (host.state.root / "window.json").write_text(text)
    done = host.segc("confirm")
    assert done.returncode == 5, done.stderr
    assert host.standing() == (2, 2, None)
    host.now(NEW)
    host.check(SHOWN[NEW])


def test_a_revert_does_not_take_an_empty_file_for_the_way_back(host: Host) -> None:
    host.apply(OLD, "--confirm", "1h")
    revert = host.state.generations / "3/revert"
    (revert / "inverse0.nft").write_text("")
    assert subprocess.run(["sh", str(revert / "revert.sh")]).returncode == 0
    assert host.marker() == (2,)
    host.now(NEW)
    host.check(SHOWN[NEW])


def test_a_revert_that_has_nothing_to_go_back_by_says_so(host: Host) -> None:
    host.apply(OLD, "--confirm", "1h")
    revert = host.state.generations / "3/revert"
    for name in ("inverse0.nft", "whole.nft"):
        (revert / name).write_text("")
    done = host.segc("rollback")
    assert done.returncode == 1
    assert f"run `sh {revert}/revert.sh` as root" in done.stderr
    assert host.standing() == (3, 2, 3)
