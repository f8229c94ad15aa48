"""Settings that people start from, and what is said of secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segc.identity.directories import KINDS, source_of
from segc.identity.errors import DirectoryError
from segc.identity.secret import Secret, find_secret, variable
from segc.identity.settings import read_settings
from segc.identity.snapshot import FILE, read_snapshot
from segc.source import SourceFile

ROOT = Path(__file__).parents[3]
OFFICE = ROOT / "samples" / "office"


def test_the_sample_s_settings_are_where_its_snapshot_is_from() -> None:
    (settings,) = read_settings(OFFICE / "identity.toml", KINDS)
    snapshot, wrong = read_snapshot(SourceFile(FILE, (OFFICE / FILE).read_text()))
    assert snapshot is not None, wrong
    (directory,) = snapshot.directories
    assert (directory.name, directory.kind, directory.source) == (
        settings.name,
        settings.kind,
        source_of(settings),
    )


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "1" * 5000, "a = \xff", "a"])
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "identity.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(DirectoryError, match=r"identity\.toml` (is no|nests|is not)"):
        read_settings(tmp_path / "identity.toml", KINDS)


def test_the_page_s_settings_are_settings(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "identity.md").read_text()
    (text, *_) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "identity.toml").write_text(text)
    assert read_settings(tmp_path / "identity.toml", KINDS)


def test_the_page_lists_every_kind_with_what_it_takes() -> None:
    page = (ROOT / "docs" / "identity.md").read_text()
    for kind, keys in KINDS.items():
        (row,) = re.findall(rf"^\| `{kind}`.*$", page, re.MULTILINE)
        _, _, needs, may_have, _, _ = row.split("|")
        assert set(re.findall(r"`([a-z-]+)`", needs)) == set(keys.required)
        assert set(re.findall(r"`([a-z-]+)`", may_have)) == set(keys.optional)


def test_a_secret_is_not_printed() -> None:
    secret = Secret("p+ss word/é")
    assert "p+ss" not in f"{secret} {secret!r} {[secret]}"
    sent = "x=p%2Bss%20word%2F%C3%A9 y=p%2Bss+word%2F%C3%A9 z=p+ss word/é"
    assert secret.hidden_in(sent) == "x=(secret) y=(secret) z=(secret)"


def test_where_a_secret_is_looked_for(tmp_path: Path) -> None:
    assert variable("hq-2") == "SEGC_HQ_2_SECRET"
    held, passed = tmp_path / "held", tmp_path / "passed"
    passed.mkdir()
    held.write_text("from a file\n")
    environment = {"SEGC_X_SECRET": "itself"}
    assert find_secret("x", environment).revealed == "itself"
    (passed / "x").write_bytes(b"passed on\r\n")
    environment["CREDENTIALS_DIRECTORY"] = str(passed)
    assert find_secret("x", environment).revealed == "passed on"
    environment["SEGC_X_SECRET_FILE"] = str(held)
    assert find_secret("x", environment).revealed == "from a file"
    for content in (b"", b"\n", b"two\nlines", b"\xff", b"bell\x07", b"x" * 20_000):
        held.write_bytes(content)
        with pytest.raises(DirectoryError, match="not one line of printable text") as error:
            find_secret("x", environment)
        assert "two" not in str(error.value)
    held.unlink()
    with pytest.raises(DirectoryError, match="cannot be read: no such file"):
        find_secret("x", environment)
    with pytest.raises(DirectoryError, match="SEGC_X_SECRET_FILE"):
        find_secret("x", {})
