"""The snapshot of directories: its bytes, and where what is wrong with it stands."""

from __future__ import annotations

import json
import random

import pytest

from segc.identity.position import locate
from segc.identity.snapshot import FILE, Directory, DirectoryGroup, Snapshot, read_snapshot, snapshot_text
from segc.source import SourceFile

GROUPS = (
    DirectoryGroup("sg-finance", "cn=sg-finance", ("ana@acme.example", "bo@acme.example")),
    DirectoryGroup("Empty", "cn=empty", ()),
)
CORP = Directory("corp", "ldap", "ldaps://dc1", ("ana@acme.example", "bo@acme.example", "zoë"), GROUPS)
CLOUD = Directory("cloud", "entra", "https://graph", ("cy",), (DirectoryGroup("admins", "1", ("cy",)),))
TEXT = snapshot_text(Snapshot((CORP, CLOUD)))


def read(text: str) -> Snapshot:
    found, wrong = read_snapshot(SourceFile(FILE, text))
    assert found is not None, wrong
    return found


def test_what_is_written_is_read_back() -> None:
    found = read(TEXT)
    assert [each.name for each in found.directories] == ["cloud", "corp"]
    assert snapshot_text(found) == TEXT
    assert found.groups("SG-FINANCE")[0].members == ("ana@acme.example", "bo@acme.example")
    assert found.groups("corp/empty")[0].members == ()
    assert found.groups("cloud/sg-finance") == ()


def test_order_means_nothing_and_people_have_lines_of_their_own() -> None:
    for seed in range(5):
        chance = random.Random(seed)
        users, groups = list(CORP.users), list(GROUPS)
        chance.shuffle(users)
        chance.shuffle(groups)
        again = Directory("corp", "ldap", "ldaps://dc1", tuple(users), tuple(groups))
        assert snapshot_text(Snapshot((CLOUD, again))) == TEXT
    assert sum(line.strip().rstrip(",") == '"ana@acme.example"' for line in TEXT.splitlines()) == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"format": 1', '"format": 2', "its format is `2`"),
        ('"format": 1', '"format": true', "its format is `true`"),
        ('"format": 1,', "", "`format` is missing"),
        ('"users": [\n        "cy"', '"users": [\n        17', "a text is expected here"),
        ('"users": [\n        "cy"\n      ]', '"users": "cy"', "a list of users is expected here"),
        ('"id": "1"', '"id": ""', "a text is expected here"),
        ('"id": "1"', '"id": "1", "extra": 0', "`extra` is unknown"),
        ('"corp": {', '"cloud": {', "`cloud` is given twice"),
        ('"members": []', '"members": {}', "a list of users is expected here"),
        ('"groups": {\n        "admins"', '"groups": [], "x": {\n        "admins"', "`x` is unknown"),
        ('"bo@acme.example"\n          ]', '"eve"\n          ]', "`eve` is not among the users"),
        ('"format": 1', f'"format": {"1" * 5000}', "a number of thousands of digits"),
        ("}\n", "", "is no JSON"),
        ('"cloud": {', '<<<<<<< HEAD\n"cloud": {', "is no JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, words: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    found, (wrong,) = read_snapshot(SourceFile(FILE, text))
    assert found is None
    assert (wrong.code, words in wrong.message) == ("SEG112", True), wrong.message
    assert wrong.primary is not None
    assert wrong.primary.text == f"line {wrong.primary.span.line}"
    if new and "<<<" not in new and "format" not in old:
        changed = next(n for n, pair in enumerate(zip(text.splitlines(), TEXT.splitlines(), strict=False), 1)
                       if pair[0] != pair[1])  # fmt: skip
        assert abs(wrong.primary.span.line - changed) <= 1


def test_depth_and_rubbish_are_findings() -> None:
    endless = "1" * 5000, f'{{"format": {"1" * 5000}, "directories": {{}}}}'  # int() takes 4300 digits
    others = "[" * 100_000, "", "\0", "nul", "[]", '{"format": {}, "directories": {}}', "{}" * 2
    for text in (*endless, *others):
        found, wrong = read_snapshot(SourceFile(FILE, text))
        assert found is None
        assert [each.code for each in wrong] == ["SEG112"]


def test_a_value_is_found_by_its_path() -> None:
    text = '{"a": [1, {"b c": [true, "x]}"]}], "a": {"z": null}}'
    for path, value in [
        (("a", "z"), None),
        (("a",), {"z": None}),
        ((), json.loads(text)),
        (("a", "gone"), {"z": None}),
    ]:
        start, end = locate(text, path)
        assert json.loads(text[start:end]) == value
    start, end = locate('[1, {"b c": [true, "x]}"]}]', (1, "b c", 1))
    assert (start, end) == (19, 24)
