"""Who may write to the state directory: scripts in it are run by root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from segc.apply.errors import ApplyError
from segc.apply.generation import Meta
from segc.apply.state import State


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    former = os.umask(0)
    yield
    os.umask(former)


def test_nothing_is_left_for_others_to_write(tmp_path: Path) -> None:
    state = State(tmp_path / "a/state")
    with state.locked():
        meta = Meta(1, None, "gw", "0" * 64, "root", 0, "", "0.1.0", "boot")
        state.record(meta, {"build/ruleset.nft": "", "revert/revert.sh": ""})
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
