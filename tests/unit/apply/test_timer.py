"""The watch over what waits for its confirmation."""

from __future__ import annotations

from pathlib import Path

import pytest

from segc.apply import timer
from segc.apply.errors import ApplyError
from segc.apply.generation import Meta
from segc.apply.state import State

META = Meta(1, None, "gw", "0" * 64, "root", 0, "", "0.1.0", "boot")


def test_a_watch_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be had, for instance; an apply undoes what it has begun, and says so."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "setsid").write_text("#!/bin/sh\nexit 1\n")
    (programs / "setsid").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setattr(timer, "SYSTEMD", tmp_path / "no systemd")
    state = State(tmp_path / "state")
    with state.locked():
        generation = state.record(META, {})
        with pytest.raises(ApplyError, match="no watch could be started"):
            timer.arm(state, generation, 60, True)
        assert not timer.window(state)


@pytest.mark.parametrize("content", ['{"unit": 7}', '{"pid": "self"}', '{"token": [], "pid": 1}', "{" * 9000])
def test_of_a_watch_that_nobody_can_read_somebody_waits_for_it_all_the_same(
    tmp_path: Path, content: str
) -> None:
    state = State(tmp_path)
    (tmp_path / "window.json").write_text(content)
    assert timer.window(state) == {}
    assert timer.waits(state)
    assert timer.remaining(state) is None
    timer.disarm(state)
    assert not timer.waits(state)
