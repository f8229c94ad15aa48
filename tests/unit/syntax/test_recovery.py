"""How far reading goes on after errors, and how much of it there may be."""

import time

import pytest

from segc.diagnostics.model import Diagnostic
from segc.source import SourceFile
from segc.syntax import tree as t
from segc.syntax.parse import MAX_ERRORS, parse


def errors(text: str) -> tuple[Diagnostic, ...]:
    return parse(SourceFile("p.seg", text))[1]


def test_good_statements_around_bad_ones_are_kept() -> None:
    file, found = parse(SourceFile("p.seg", "zone a {}\nzone b { vlan x }\nzone c {}\nalow\nzone d {}\n"))
    assert [d.primary.span.line for d in found if d.primary] == [2, 4]
    assert [s.name.text for s in file.statements if isinstance(s, t.ZoneDef)] == ["a", "b", "c", "d"]


def test_the_open_brace_is_shown() -> None:
    (found,) = errors("zone a {\n  vlan 1\n\nzone b {}\n")
    (label,) = found.secondary
    assert (label.span.line, label.span.start, label.span.end) == (1, 7, 8)


def test_a_file_may_end_in_several_open_blocks() -> None:
    (found,) = errors("gateway g {\n  interface x {\n    zone")
    assert found.message == "expected `}` before the file ends"
    assert found.secondary[0].span.line == 2


def test_errors_are_bounded() -> None:
    found = errors("alow a -> b : c\n" * 1000)
    assert len(found) == MAX_ERRORS
    assert found[-1].notes == ("reading stopped here: only the first 100 errors of a file are shown",)
    assert errors("alow\n" * MAX_ERRORS)[-1].notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "alow a -> b : c\n" * 100_000,
        "zone a {\n" + "  foo 3\n" * 100_000 + "}\n",
        "zone a {" * 100_000,
        "allow group a in " + "(" * 1_000_000,
        "{" * 1_000_000,
        "}" * 1_000_000,
        "a" * 10_000_000,
        "zone a" + "-" * 1_000_000,
        "allow a" + "." * 1_000_000,
        "1:" * 500_000,
        "->" * 500_000,
        '"' * 1_000_000,
        'import "' + "\\" * 1_000_000,
        "\0" * 1_000_000,
        "é\n" * 100_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_masses_of_errors_take_bounded_time(text: str) -> None:
    start = time.process_time()
    found = errors(text)
    assert 0 < len(found) <= MAX_ERRORS
    assert time.process_time() - start < 10


def test_a_long_word_is_cut_in_the_message_and_underlined_whole() -> None:
    (found,) = errors("x" * 5000)
    assert found.message == f"expected a statement, found `{'x' * 40}…`"
    assert found.primary is not None
    assert (found.primary.span.start, found.primary.span.end) == (0, 5000)


@pytest.mark.parametrize("comment", ["// old", "/* old */", "-- old", "zone b {} // old"])
def test_a_comment_of_another_language_is_told_apart(comment: str) -> None:
    (found,) = errors(f"zone a {{}}\n{comment}\n")
    assert found.help == "a comment starts with `#` and ends with its line"
