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


@pytest.mark.parametrize("number", ["x", "0", "1.5", "1\x1b[m", "9" * 5000])
def test_what_is_no_number_of_a_generation(number: str) -> None:
    """It was called no valid integer range."""
    done = segc("rollback", number)
    assert done.returncode == 2
    assert "is no number of a generation: `segc history` lists them" in done.stderr
