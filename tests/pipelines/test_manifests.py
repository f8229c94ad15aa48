"""Templates and hooks are what the forges and pre-commit take, and the wheel holds all that segc reads."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GITLAB = ROOT / "docs/pipelines/segc.gitlab-ci.yml"


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", ROOT / "action.yml"),
        ("vendor.github-workflows", ROOT / "docs/pipelines/segc.github.yml"),
        ("vendor.gitlab-ci", GITLAB),
    ],
)
def test_the_schema_of_the_forge_takes_it(schema: str, file: Path) -> None:
    transform = ["--data-transform", "gitlab-ci"] if file == GITLAB else []
    argv = [BIN / "check-jsonschema", "--builtin-schema", schema, *transform, file]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pre_commit_takes_the_manifest() -> None:
    done = subprocess.run(
        [BIN / "pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in ("segc-pull.service", "segc-pull.timer"):
        text = (ROOT / "docs/pipelines" / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/usr/local/lib/segc", str(ROOT / "docs/pipelines/hooks")))
    argv = [
        "systemd-analyze",
        "verify",
        "--man=no",
        tmp_path / "segc-pull.service",
        tmp_path / "segc-pull.timer",
    ]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "segc-pull" not in done.stderr


@pytest.mark.parametrize("name", ["review", "deploy"])
def test_scripts_within_the_templates_are_sound_shell(name: str) -> None:
    job = yaml.safe_load(GITLAB.read_text())[f"segc {name}"]
    script = "\n".join([*job["script"], *job.get("after_script", [])])
    done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_of_others_is_pasted_into_a_script() -> None:
    """A title or a branch name within `${{ }}` of a script would be run."""
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]


def test_the_wheel_holds_schemas_templates_and_pages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = subprocess.run(
        ["git", "ls-files", "segc", "grammar"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    wanted = {f"segc/{file}" if file.startswith("grammar/") else file for file in files}
    assert not wanted - held
    assert "segc/schemas/plan.schema.json" in held
