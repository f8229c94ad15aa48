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


@pytest.mark.parametrize(
    ("arguments", "state"), [((".",), "."), ((".",), "state"), ((), "sub/state"), (("policy.seg", "."), "x")]
)
def test_what_is_kept_does_not_lie_in_the_policy(
    tmp_path: Path, arguments: tuple[str, ...], state: str
) -> None:
    policy(tmp_path)
    done = segc("apply", *arguments, "--state-dir", state, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"`{state}` lies in the folder `.` of the policy" in " ".join(done.stderr.split())
    assert [each.name for each in tmp_path.iterdir()] == ["policy.seg"]
