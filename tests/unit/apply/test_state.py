"""The state directory: who may write to it, as scripts in it are run by root, and what it makes of damage."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from segc.apply import control, durable
from segc.apply.control import recover
from segc.apply.errors import ApplyError, RolledBackError
from segc.apply.generation import Meta
from segc.apply.state import State

META = Meta(1, None, "gw", "0" * 64, "root", 0, "", "0.1.0", "boot")


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    former = os.umask(0)
    yield
    os.umask(former)


def test_nothing_is_left_for_others_to_write(tmp_path: Path) -> None:
    state = State(tmp_path / "a/state")
    with state.locked():
        state.record(META, {"build/ruleset.nft": "", "revert/revert.sh": ""})
        state.point("current", 1)
        state.write("kernel.json", {})
    found = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    assert len(found) > 8
    assert [path for path in found if path.stat().st_mode & 0o022] == []


@pytest.mark.parametrize("name", [".", "generations"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    state = State(tmp_path / "state")
    with state.locked():
        pass
    (state.root / name).chmod(mode)
    with (
        pytest.raises(ApplyError, match=r"others than root can write to .*; nothing was changed"),
        state.locked(),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with state.locked():
        pass
    os.chown(state.root, 12345, -1)
    with pytest.raises(ApplyError, match="others than root"), state.locked():
        pass


def test_the_number_of_what_was_lost_is_not_given_again(tmp_path: Path) -> None:
    """Its successor would be told to have ended as it did."""
    state = State(tmp_path / "state")
    with state.locked():
        state.record(META, {"build/ruleset.nft": ""})
        state.end(2, "lost with its files")
        assert state.next_number() == 3


def test_what_was_lost_is_not_confirmed_as_what_stands_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_refuse_unless_held", lambda generation: None)
    state = State(tmp_path / "state")
    with state.locked():
        state.record(META, {})
        for name, number in (("confirmed", 1), ("current", 2), ("pending", 2)):
            state.point(name, number)
        for _ in range(2):
            with pytest.raises(RolledBackError, match="lost with its files"):
                control.confirm(state)
        control.answer(state)
        assert control.confirm(state).number == 1


@pytest.mark.parametrize("sizes", ["null", "[]", "7", '{"build/ruleset.nft": null}', '"x"'])
def test_what_a_generation_says_of_itself_is_told_as_damage(tmp_path: Path, sizes: str) -> None:
    state = State(tmp_path / "state")
    with state.locked():
        folder = state.record(META, {}).folder
    text = (folder / "meta.json").read_text()
    (folder / "meta.json").write_text(text.replace('"sizes": {}', f'"sizes": {sizes}'))
    with pytest.raises(ApplyError, match=r"generation 1 in .* is damaged, see `meta.json`"):
        state.generation(1)


@pytest.mark.parametrize("name", ["meta.json", "build/manifest.json"])
def test_what_nests_without_end_is_told_as_damage(tmp_path: Path, name: str) -> None:
    state = State(tmp_path / "state")
    with state.locked():
        folder = state.record(META, {"build/manifest.json": "[" * 100_000}).folder
    if name == "meta.json":
        (folder / name).write_text("[" * 100_000)
    with pytest.raises(ApplyError, match=r"generation 1 in .* is damaged, see `meta.json`"):
        state.generation(1)


def test_a_small_file_that_nests_without_end_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "window.json").write_text("[" * 100_000)
    assert State(tmp_path).read("window.json") == {}


def test_the_folder_that_a_first_apply_makes_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written in it is on the disk only once each folder above has it."""
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync", synced.append)
    with State(tmp_path / "a/b").locked():
        pass
    assert {tmp_path, tmp_path / "a", tmp_path / "a/b"} <= set(synced)
    synced.clear()
    with State(tmp_path / "a/b").locked():
        pass
    assert not synced


def test_what_cannot_be_put_right_on_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    state = State(tmp_path / "state")
    with state.locked():
        state.record(META, {})
        state.point("pending", 1)
        monkeypatch.setattr(durable, "write_file", full)
        with pytest.raises(ApplyError, match="cannot be written: no space left on device; what an apply"):
            recover(state)
    assert state.pointer("pending") == 1
