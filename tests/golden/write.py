"""Writes what every sample compiles to: `tests/golden/<sample>/<node>/…`. Run by `make golden`.

A golden says that something changed, not that it is right: that is for the packets to say. Read the
difference before committing it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from segc.cli.reading import read
from segc.compile import build

HERE = Path(__file__).parent
SAMPLES_FOLDER = HERE.parents[1] / "samples"
SAMPLES = {
    path.stem: path
    for path in sorted(SAMPLES_FOLDER.iterdir())
    if path.suffix == ".seg" or any(path.glob("*.seg"))
}


def compiled(paths: Sequence[Path]) -> dict[str, str]:
    """Text by `<node>/<file>`; AssertionError where the policy is not clean. Notes are."""
    reading = read([str(path) for path in paths], lambda stage: None)
    assert reading.policy is not None
    built = build(reading.policy, reading.workspace.files)
    report = reading.with_more(built.diagnostics)
    assert not report.errors + report.warnings, report.diagnostics
    return {f"{each.node}/{each.name}": each.text for each in built.artifacts}


def golden(sample: str) -> dict[str, str]:
    folder = HERE / sample
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in files}


def write(sample: str) -> int:
    """Replace the goldens of a sample; how many files there are now."""
    texts = compiled([SAMPLES[sample]])
    shutil.rmtree(HERE / sample, ignore_errors=True)
    for name, text in texts.items():
        path = HERE / sample / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return len(texts)


if __name__ == "__main__":
    for sample in SAMPLES:
        print(f"{sample}: {write(sample)} files")
