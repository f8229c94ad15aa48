"""What names, values, topology and promises may be wrong with, and what of it is said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from segc import compile
from segc.apply.guard import lockouts
from segc.apply.seen import Seen
from segc.cli.reading import read
from segc.diagnostics.codes import RULES
from segc.diagnostics.model import Diagnostic, Severity
from segc.identity.snapshot import FILE
from segc.policy.model import Policy
from segc.proof.findings import prove
from segc.source import SourceFile
from segc.syntax.parse import parse
from segc.syntax.tree import File
from tests.diagnostics import runner
from tests.diagnostics.examples import example_files, examples, slips

CORPUS = sorted((Path(__file__).parent / "resolver").glob("*.seg"))
NAMES = ("Linux ", "VLAN ", "IPv")
NOW = 1767225600  # 2026, so that findings are the same on any day


def diagnose(source: SourceFile) -> Iterable[Diagnostic]:
    file, syntax = parse(source)
    assert not syntax, f"{source.path}: {syntax[0].message} (line {syntax[0].primary.span.line})"
    files = [(source, file), *snapshot_beside(source)]
    checked = compile.check(files, now=NOW)
    built = compile.build(checked.policy, files).diagnostics if checked.sound else ()
    return dict.fromkeys((*checked.diagnostics, *built))


def snapshot_beside(source: SourceFile) -> Iterator[tuple[SourceFile, File]]:
    """What directories say, where a policy of the corpus has `NAME.lock.json` beside it."""
    path = (CORPUS[0].parent / source.path).with_suffix(".lock.json")
    if path.exists():
        lock = SourceFile(FILE, path.read_text("utf-8"))
        yield lock, parse(lock)[0]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_findings(path: Path) -> None:
    runner.check(path, diagnose)


def test_messages_speak_to_people() -> None:
    for path in CORPUS:
        for each in diagnose(runner.read(path)[0]):
            assert each.message[0] in "`" or each.message[0].islower() or each.message.startswith(NAMES)
            assert not each.message.endswith("."), each.message
            for alien in ("None", "Traceback", "dataclass", "PrefixSet(", "frozenset"):
                assert alien not in f"{each.message}{each.help}{each.notes}{each.secondary}"


def findings(block: str, folder: Path) -> tuple[Diagnostic, ...]:
    for file in example_files(block):
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.text.encode(file.encoding))
    reading = read([str(folder)], lambda stage: None)
    report = reading.report
    if reading.policy is not None and not report.errors:
        built = compile.build(reading.policy, reading.workspace.files)
        slipped = _slipped(reading.policy, built, slips(block))
        report = reading.with_more((*built.diagnostics, *slipped, *_locked_out(reading.policy)))
    return report.diagnostics


def _locked_out(policy: Policy) -> Iterator[Diagnostic]:
    """What `segc apply` would say of it on each of its gateways."""
    for gateway in policy.gateways:
        yield from lockouts(policy, None, gateway, None, (), Seen({}, {}, {}))


def _slipped(policy: Policy, built: compile.Build, slips: list[tuple[str, str]]) -> Iterator[Diagnostic]:
    """What the proof says of rulesets in which the compiler slipped."""
    for artifact in built.artifacts if slips else ():
        if artifact.name == "ruleset.nft":
            text = artifact.text
            for right, wrong in slips:
                assert right in text
                text = text.replace(right, wrong)
            yield from prove(policy, policy.gateways[artifact.node], text)


@pytest.mark.parametrize("code", RULES)
def test_pages_show_their_code_and_its_remedy(code: str, tmp_path: Path) -> None:
    failing, fixed = examples(code)
    found = findings(failing, tmp_path / "failing")
    assert code in {each.code for each in found}
    assert all(each.code == code for each in found if each.severity is not Severity.NOTE)
    left = findings(fixed, tmp_path / "fixed")
    assert all(each.severity is Severity.NOTE and each.code != code for each in left)


def test_every_code_of_the_resolver_is_in_the_corpus() -> None:
    stated = {expected.code for path in CORPUS for expected in runner.read(path)[1]}
    emitted = set()
    for path in (Path(compile.__file__).parent / "policy").glob("*.py"):
        emitted.update(re.findall(r'"(SEG\d{3})"', path.read_text("utf-8")))
    assert emitted - stated == set()
