"""`segc apply`, as far as it comes without a change of the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.policies import policy, segc


@pytest.mark.parametrize("paths", [("plan.json", "."), ("policy.seg", "plan.json")])
def test_a_plan_is_applied_alone(tmp_path: Path, paths: tuple[str, ...]) -> None:
    policy(tmp_path)
    done = segc("apply", *paths, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "`plan.json` is a saved plan, which holds its policy: apply it alone" in done.stderr
