"""What the session agent tells of its transactions."""

from __future__ import annotations

import resource
from pathlib import Path

from segc.apply import tally
from segc.apply.tally import Tally


def test_a_transaction_that_cannot_be_told_of_was_made_all_the_same(tmp_path: Path) -> None:
    """The agent took it for one that the kernel refused, and on a full disk filled its sets for ever."""
    told = Tally(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        told.add()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tally._made(tmp_path) == 0
    told.add()
    assert tally._made(tmp_path) == 2
