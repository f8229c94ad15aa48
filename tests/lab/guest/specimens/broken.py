"""Not collected by name: tests that the lab's own tests run in the guest, to see how their ends are told."""

from pathlib import Path

import pytest


def test_passes() -> None:
    assert Path("/proc/sys/kernel/osrelease").read_text().startswith("6.1.")


def test_fails() -> None:
    assert Path("/proc/1/comm").read_text() == "not this"


def test_skips() -> None:
    pytest.skip("for a reason")


def test_writes_to_the_host() -> None:
    Path(__file__).with_suffix(".written").write_text("in memory only")
    assert Path(__file__).with_suffix(".written").exists()


def test_kills_the_machine() -> None:
    Path("/proc/sysrq-trigger").write_text("c")
