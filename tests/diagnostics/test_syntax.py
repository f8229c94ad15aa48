"""Every broken policy in `syntax/` gets the findings written in it."""

from pathlib import Path

import pytest

from segc.diagnostics.model import Diagnostic
from segc.source import SourceFile
from segc.syntax.hidden import check_hidden
from segc.syntax.parse import parse
from tests.diagnostics.runner import check, read

CORPUS = sorted((Path(__file__).parent / "syntax").glob("*.seg"))


def diagnose(source: SourceFile) -> tuple[Diagnostic, ...]:
    return (*parse(source)[1], *check_hidden(source))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_findings(path: Path) -> None:
    check(path, diagnose)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_message_reads_like_one(path: Path) -> None:
    for found in diagnose(read(path)[0]):
        assert not found.message[0].isupper() or found.message.startswith("U+")
        assert not any(word in found.message for word in ("Token", "ZONE_", "LBRACE", "None", "$END"))


def test_the_runner_notices_a_finding_that_nobody_expected(tmp_path: Path) -> None:
    policy = tmp_path / "p.seg"
    policy.write_text('alow a\n\nallow x = y : z  #! SEG001 "="\n')
    with pytest.raises(AssertionError):
        check(policy, diagnose)


def test_the_runner_notices_an_expectation_that_is_not_met(tmp_path: Path) -> None:
    policy = tmp_path / "p.seg"
    policy.write_text('zone a {}  #! SEG001 "a"\n')
    with pytest.raises(AssertionError):
        check(policy, diagnose)
