"""What the GitHub Action runs on a pull request, and plans within the environment of a Git hook."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.policies import BROKEN, CLEAN

ROOT = Path(__file__).parents[2]
WIDER = CLEAN + "allow hr -> internet : tcp/8443\n"


@pytest.fixture
def top(tmp_path: Path, program: dict[str, str]) -> Path:
    """A repository whose `main` holds CLEAN, and whose working tree opens more."""
    top = tmp_path / "repository"
    (top / "net").mkdir(parents=True)
    (top / "net/policy.seg").write_text(CLEAN)
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@acme.example"]
        subprocess.run(["git", *who, *arguments], cwd=top, env=program, check=True)
    (top / "net/policy.seg").write_text(WIDER)
    return top


def review(top: Path, program: dict[str, str], **settings: str) -> subprocess.CompletedProcess[str]:
    out = {name: str(top / name.lower()) for name in ("SEGC_SARIF", "SEGC_PLAN", "GITHUB_OUTPUT")}
    environment = {**program, **out, "SEGC_PATH": "net", "SEGC_AGAINST": "main", **settings}
    argv = ["bash", ROOT / "docs/pipelines/review.sh"]
    return subprocess.run(argv, cwd=top, env=environment, capture_output=True, text=True)


def test_a_pull_request_is_told_who_gains(top: Path, program: dict[str, str]) -> None:
    done = review(top, program)
    assert done.returncode == 0, done.stderr
    assert "**opens** `hr -> internet : tcp/8443`" in (top / "segc_plan").read_text()
    assert (top / "github_output").read_text() == f"markdown={top}/segc_plan\n"
    assert json.loads((top / "segc_sarif").read_text())["version"] == "2.1.0"


def test_a_condition_stops_it_with_the_plan_written(top: Path, program: dict[str, str]) -> None:
    assert review(top, program, SEGC_FAIL_ON="losses\n").returncode == 0
    done = review(top, program, SEGC_FAIL_ON="losses\ngains:from=hr\n")
    assert done.returncode == 1
    assert "stopped by `--fail-on gains:from=hr`" in done.stderr
    assert (top / "segc_plan").read_text()


def test_errors_stop_it_with_the_findings_written(top: Path, program: dict[str, str]) -> None:
    (top / "net/policy.seg").write_text(BROKEN)
    assert review(top, program).returncode == 1
    (run,) = json.loads((top / "segc_sarif").read_text())["runs"]
    assert run["results"]
    assert not (top / "segc_plan").exists()


@pytest.mark.parametrize("against", ["", "0" * 40])
def test_a_new_branch_has_nothing_to_compare_with(top: Path, program: dict[str, str], against: str) -> None:
    assert review(top, program, SEGC_AGAINST=against).returncode == 0
    assert not (top / "segc_plan").exists()


def test_the_first_policy_of_a_repository_has_nothing_to_compare_with(
    top: Path, program: dict[str, str]
) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@acme.example"]
    for arguments in (["rm", "-rq", "--cached", "net"], ["commit", "-q", "-m", "none"]):
        subprocess.run(["git", *who, *arguments], cwd=top, env=program, check=True)
    done = review(top, program)
    assert (done.returncode, "holds no policy: nothing to compare with" in done.stdout) == (0, True), (
        done.stderr
    )
    assert not (top / "segc_plan").exists()


def test_a_policy_that_moved_is_not_taken_for_a_first_one(top: Path, program: dict[str, str]) -> None:
    (top / "net").rename(top / "moved")
    done = review(top, program, SEGC_PATH="moved")
    assert done.returncode == 1
    assert (
        "`moved` held no policy in `main`: there its `.seg` files lay in `net`; compare with" in done.stderr
    )


@pytest.mark.parametrize("against", ["--output=x", "$(touch pwned)", "no such revision"])
def test_hostile_revisions_are_told(top: Path, program: dict[str, str], against: str) -> None:
    done = review(top, program, SEGC_AGAINST=against)
    assert done.returncode == 1
    assert "and no Git revision" in done.stderr
    assert not (top / "pwned").exists()


# -- in a hook -------------------------------------------------------------------------------------------


def plan(cwd: Path, program: dict[str, str], path: object, **git: str) -> subprocess.CompletedProcess[str]:
    argv = ["segc", "plan", str(path), "--against", "main"]
    return subprocess.run(argv, cwd=cwd, env={**program, **git}, capture_output=True, text=True)


@pytest.mark.parametrize("git_dir", [".git", "absolute"])
def test_a_hook_of_a_working_tree(top: Path, program: dict[str, str], git_dir: str) -> None:
    git_dir = str(top / ".git") if git_dir == "absolute" else git_dir
    done = plan(top, program, "net", GIT_DIR=git_dir)
    assert done.returncode == 0, done.stderr
    assert "opens     hr -> internet : tcp/8443" in done.stdout


def test_a_hook_of_a_bare_repository(top: Path, program: dict[str, str]) -> None:
    bare = top.parent / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", top, bare], env=program, check=True)
    done = plan(bare, program, top / "net", GIT_DIR=".", GIT_WORK_TREE=str(top))
    assert "opens     hr -> internet : tcp/8443" in done.stdout, done.stderr
    done = plan(bare, program, top / "net", GIT_DIR=".")
    assert done.returncode == 1
    assert "the Git repository is bare: say with `GIT_WORK_TREE` where" in done.stderr
    done = plan(bare, program, top / "net", GIT_DIR=".", GIT_WORK_TREE=str(bare))
    assert "lies outside the Git repository" in done.stderr
