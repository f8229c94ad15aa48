"""What the documents show is true: policies compile, findings are found, commands print what is printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from docs.images.render import HERE as IMAGES
from docs.images.render import PICTURES, svg
from segc.cli.reading import read
from segc.compile import build
from segc.diagnostics.codes import RULES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SAMPLES = sorted(path for path in (ROOT / "samples").iterdir() if path.is_dir() or path.suffix == ".seg")
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its place, the words behind the fence, its text."""

    place: str
    words: tuple[str, ...]
    text: str

    @property
    def expected(self) -> set[str]:
        return {word for word in self.words if word in RULES}


def blocks_of(page: Path, language: str) -> list[Block]:
    text = page.read_text("utf-8")
    name = page.relative_to(ROOT)
    found = []
    for match in FENCE.finditer(text):
        words = tuple(match[1].split())
        if words[:1] == (language,):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(f"{name}:{line}", words[1:], match[2]))
    return found


EXAMPLES = [block for page in PAGES if page.exists() for block in blocks_of(page, "seg")]
PREAMBLE = next(block.text for block in EXAMPLES if "preamble" in block.words)
CONSOLES = [page for page in PAGES if page.exists() and blocks_of(page, "console")]


def segc(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "segc", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def codes_of(path: Path) -> dict[str, str]:
    """Code to severity of every finding of `segc check`, and of what is behind it in `segc compile`."""
    reading = read([str(path)], lambda stage: None)
    report = reading.report
    if reading.policy is not None and not report.errors:
        report = reading.with_more(build(reading.policy, reading.workspace.files).diagnostics)
    return {each.code: each.severity.value for each in report.diagnostics}


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.place)
def test_examples_compile_or_show_their_finding(block: Block, tmp_path: Path) -> None:
    unknown = set(block.words) - set(RULES) - {"fragment", "preamble"}
    assert not unknown, f"{block.place}: {unknown} behind the fence means nothing"
    if "fragment" in block.words:
        (tmp_path / "preamble.seg").write_text(PREAMBLE, "utf-8")
    (tmp_path / "example.seg").write_text(block.text, "utf-8")
    found = codes_of(tmp_path)
    errors = {code for code, severity in found.items() if severity == "error"}
    assert errors - block.expected == set()
    assert block.expected <= set(found)


def test_every_code_is_listed_with_its_name() -> None:
    text = (ROOT / "docs" / "language.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| (SEG\d{3}) \| ([a-z-]+) \|", text, re.MULTILINE))
    assert listed == {code: rule.name for code, rule in RULES.items()}


def test_links_lead_somewhere() -> None:
    for page in filter(Path.exists, PAGES):
        text = FENCE.sub("", page.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            linked = page.parent / path if path else page
            assert linked.exists(), f"{page.name}: {target}"
            if anchor:
                assert anchor in anchors_of(linked), f"{page.name}: {target}"


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_show_what_is_printed(name: str) -> None:
    made = svg(PICTURES[name]())
    assert made == (IMAGES / name).read_text("utf-8"), "python -m docs.images.render"


def anchors_of(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_clean(sample: Path) -> None:
    done = segc("check", "--strict", "--format", "json", str(sample), cwd=ROOT)
    found = json.loads(done.stdout)["diagnostics"]
    assert [each for each in found if each["severity"] != "note"] == []
    assert done.returncode == 0


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_formatted(sample: Path) -> None:
    done = segc("fmt", "--check", str(sample), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", CONSOLES, ids=lambda page: page.stem)
def test_commands_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Runs each `$ …` of a page in turn, in a fresh repository with the samples; what is shown is printed."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shell("git init -q && git add . && git -c user.name=x -c user.email=x@x.example commit -qm x", tmp_path)
    for block in blocks_of(page, "console"):
        for command, shown in sessions_of(block.text):
            done = shell(command, tmp_path)
            printed = [comparable(line) for line in (done.stdout + done.stderr).splitlines()]
            assert "Traceback" not in done.stderr
            missing = [line for line in shown if comparable(line) not in printed]
            assert not missing, f"{block.place}: {command}\n" + "\n".join(printed)


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def comparable(line: str) -> str:
    """Without what is another at another time: how long it took, and when a packet was traced."""
    line = re.sub(r"[0-9.]+ s$", "0.1 s", line.expandtabs(4).rstrip())
    return re.sub(r"^at \d{4}-\d\d-\d\d \d\d:\d\d", "at 2026-11-24 09:30", line)


def sessions_of(text: str) -> list[tuple[str, list[str]]]:
    """Each `$ …` with the lines shown below it; a line of `…` stands for some left out."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif found and line.strip() not in ("", "…"):
            found[-1][1].append(line)
    return found
