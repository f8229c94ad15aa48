"""Pipelines as a stranger would run them: `segc` is a command, and Git has no settings but the test's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.applying import Host
from tests.netns.conftest import missing

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a kernel is skipped where tests/netns would be."""
    mine = [i for i in items if i.path.is_relative_to(HERE) and i.get_closest_marker("kernel")]
    reason = missing() if mine else ""
    if reason and os.environ.get("SEGC_REQUIRE_KERNEL"):
        raise pytest.UsageError(f"SEGC_REQUIRE_KERNEL is set, but {reason}")
    for item in mine if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        yield host


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """The environment for that."""
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
