"""Every sample compiles to the bytes of `tests/golden`, wherever it lies and however it is given."""

from __future__ import annotations

import difflib
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.write import HERE, SAMPLES, compiled, golden

ROOT = HERE.parents[1]


def assert_golden(sample: str, texts: dict[str, str]) -> None:
    wanted = golden(sample)
    if texts == wanted:
        return
    changes: list[str] = []
    for name in sorted(wanted.keys() | texts.keys()):
        sides = wanted.get(name, "").splitlines(), texts.get(name, "").splitlines()
        changes += difflib.unified_diff(*sides, f"golden/{name}", name, lineterm="", n=1)
    shown = "\n".join(changes[:60])
    pytest.fail(f"{sample} compiles to something else; if that is meant, `make golden`:\n{shown}")


def files_of(sample: Path) -> list[Path]:
    return [sample] if sample.is_file() else sorted(sample.rglob("*.seg"))


def test_there_are_goldens_of_the_samples_and_of_nothing_else() -> None:
    assert {path.name for path in HERE.iterdir() if path.is_dir() and path.name[0] not in "_."} == set(
        SAMPLES
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_it_compiles_to_its_golden(sample: str) -> None:
    assert_golden(sample, compiled([SAMPLES[sample]]))


def test_no_key_has_more_parts_than_nft_can_take() -> None:
    """nft 1.0.2 makes no key of six, and 1.0.6 lists one that it cannot read back."""
    for path in HERE.glob("*/*/ruleset.nft"):
        text = re.sub(r'"[^"]*"', "", path.read_text())
        assert max(len(key.split(" . ")) for key in re.split(r"[{}@,:;\n]", text)) <= 5, path


@pytest.mark.parametrize("sample", SAMPLES)
def test_place_and_order_of_the_files_mean_nothing(sample: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a place with blanks" / SAMPLES[sample].name
    elsewhere.parent.mkdir()
    (shutil.copytree if SAMPLES[sample].is_dir() else shutil.copy)(SAMPLES[sample], elsewhere)
    files = files_of(elsewhere)
    for seed in range(3):
        random.Random(seed).shuffle(files)
        assert_golden(sample, compiled(files))


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_machine_means_nothing(sample: str, tmp_path: Path) -> None:
    """Another time zone, language, seed of hashes, home and folder; and the command itself."""
    surroundings = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": str(tmp_path)}
    output = tmp_path / "build"
    path = os.path.relpath(SAMPLES[sample], tmp_path)
    command = [sys.executable, "-m", "segc", "compile", path, "-o", str(output)]
    environment = {**os.environ, **surroundings, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [each for each in output.rglob("*") if each.is_file() and output in each.parents]
    texts = {each.relative_to(output).as_posix(): each.read_bytes().decode() for each in files}
    assert_golden(sample, {name: text for name, text in texts.items() if "/" in name})
    assert {name for name in texts if "/" not in name} <= {"manifest.json", ".segc"}
