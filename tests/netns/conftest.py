"""Kernel tests run where network namespaces and nft can be had: as root, or under `unshare -Urn`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.netns.namespace import Namespace

HERE = Path(__file__).parent
NO_KERNEL_NEEDED = {"test_wire.py"}


def missing() -> str:
    """Why no gateway can be raised here, empty if one can."""
    for program in ("nft", "ip"):
        if shutil.which(program) is None:
            return f"`{program}` is not installed"
    try:
        Namespace.create().close()
    except OSError as error:
        return f"no network namespace can be made: {error.strerror} (try as root, or under `unshare -Urn`)"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [
        item for item in items if item.path.is_relative_to(HERE) and item.path.name not in NO_KERNEL_NEEDED
    ]
    reason = missing() if mine else ""
    if reason and os.environ.get("SEGC_REQUIRE_KERNEL"):
        raise pytest.UsageError(f"SEGC_REQUIRE_KERNEL is set, but {reason}")
    for item in mine:
        item.add_marker(pytest.mark.kernel)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
