"""What is tried in a namespace here follows the rules of tests/netns: skipped where the kernel has none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.applying import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        yield host


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """An environment in which `segc` is a command, and Git knows only the test's own settings."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "segc"
    root = Path(__file__).parents[2]
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m segc "$@"\n')
    command.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "SSH_"))}
    return kept | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
