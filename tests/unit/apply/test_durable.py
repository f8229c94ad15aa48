"""Files that are there whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segc.apply.durable import write_file

TEXTS = [letter * 300_000 for letter in "abcd"]


def test_two_at_once_leave_what_one_of_them_wrote(tmp_path: Path) -> None:
    """They wrote into one new file, and who came second found it gone."""
    path = tmp_path / "file"
    write_file(path, TEXTS[0])
    with ThreadPoolExecutor(len(TEXTS)) as pool:
        written = [pool.submit(write_file, path, text) for text in TEXTS * 10]
        while not all(each.done() for each in written):
            assert path.read_text() in TEXTS
    assert [each.result() for each in written] == [None] * len(written)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_a_power_cut_left_is_no_part_of_the_next(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_text("more than is written next")
    write_file(tmp_path / "file", "less")
    assert (tmp_path / "file").read_text() == "less"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_link_in_the_way_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("others'")
    (tmp_path / ".file.new").symlink_to("other")
    with pytest.raises(OSError, match="symbolic"):
        write_file(tmp_path / "file", "mine")
    assert (tmp_path / "other").read_text() == "others'"
