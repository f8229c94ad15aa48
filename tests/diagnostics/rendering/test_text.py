"""What a terminal shows, line by line."""

import re
import time

import pytest

from segc.diagnostics.model import Label, Report, finding
from segc.diagnostics.text import render_text, summary
from segc.source import SourceFile, Span
from tests.diagnostics.rendering.sample import (
    FLOWS,
    ZONES,
    at,
    dead_flow,
    idle_acceptance,
    missing_file,
    report,
)


def text(*diagnostics, sources=(FLOWS, ZONES), width=100):
    return render_text(Report(diagnostics, tuple(sources)), color=False, width=width)


def one(line, *marked, width=100):
    """The rows for one line of source: the first marked text is the primary, each labelled with itself."""
    source = SourceFile("a.seg", line + "\n")
    first, *others = (at(source, mark) for mark in marked)
    also = tuple(Label(span, mark) for span, mark in zip(others, marked[1:], strict=True))
    diagnostic = finding("SEG101", "message", first, marked[0], also=also)
    return text(diagnostic, sources=[source], width=width).split("\n")[2:-1]


def test_a_finding_shows_message_places_notes_and_help():
    assert text(dead_flow()) == (
        "error[SEG301]: this flow is dead: every packet it allows is denied elsewhere\n"
        "  ┌─ office/flows.seg:2:1\n"
        " 2│ allow vendor -> hr.payroll : tcp/22\n"
        "  │ ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ allows 254 x 1 addresses, tcp/22\n"
        "  ┌─ office/flows.seg:10:1\n"
        '10│ deny vendor -> tag regulated : any because "PCI DSS 1.4"\n'
        "  │ -------------------------------------------------------- denies all of it\n"
        "  = for instance: 10.10.90.7 -> 10.10.10.20 tcp/22 is denied\n"
        "  = help: delete line 2, or write `deny vendor -> tag regulated except hr.payroll : any`\n"
    )


def test_findings_stand_apart_and_one_without_a_place_is_its_message():
    assert text(missing_file(), idle_acceptance()) == (
        "error[SEG002]: there is no file `offfice`\n"
        "  = help: did you mean `office`?\n"
        "\n"
        "warning[SEG004]: nothing here is `SEG301` (dead-flow) any more\n"
        "  ┌─ office/zones.seg:2:1\n"
        " 2│ zone hr {\n"
        "  │ ^^^^^^^\n"
    )


def test_places_in_other_files_have_their_own_heading():
    diagnostic = finding(
        "SEG102",
        "twice",
        at(FLOWS, "vendor"),
        "here",
        also=(Label(at(ZONES, "vendor"), "there"), Label(Span("gone.seg", 3, 5, 7), "nowhere")),
    )
    assert text(diagnostic) == (
        "error[SEG102]: twice\n"
        "  ┌─ office/flows.seg:2:7\n"
        " 2│ allow vendor -> hr.payroll : tcp/22\n"
        "  │       ^^^^^^ here\n"
        "  ┌─ office/zones.seg:1:6\n"
        " 1│ zone vendor { subnet 10.10.90.0/24 }\n"
        "  │      ------ there\n"
        "  ┌─ gone.seg:7\n"
        "  │ nowhere\n"
    )


def test_places_on_neighbouring_lines_share_a_heading():
    diagnostic = finding(
        "SEG105", "twice", at(ZONES, "subnet 10.10.10"), "b", also=(Label(at(ZONES, "vlan"), "a"),)
    )
    assert text(diagnostic).split("\n")[1:-1] == [
        "  ┌─ office/zones.seg:4:3",
        " 3│   vlan 10",
        "  │   ---- a",
        " 4│   subnet 10.10.10.0/24",
        "  │   ^^^^^^^^^^^^^^^ b",
    ]


def test_labels_stand_beside_their_marks_where_they_fit():
    assert one("allow hr -> a-long-name-of-a-zone : tcp/22", "tcp/22", "hr") == [
        " 1│ allow hr -> a-long-name-of-a-zone : tcp/22",
        "  │       -- hr                         ^^^^^^ tcp/22",
    ]


def test_labels_hang_below_where_they_do_not_fit():
    assert one("allow hr -> it : ssh", "allow hr", "hr", "it", "ssh", "it : ssh") == [
        " 1│ allow hr -> it : ssh",
        "  │ ^^^^^^--    -------- ssh",
        "  │ │     │     │",
        "  │ │     │     it",
        "  │ │     │     it : ssh",
        "  │ │     hr",
        "  │ allow hr",
    ]


def test_several_lines_are_held_by_a_bracket():
    whole = ZONES.text[ZONES.text.index("zone hr") : ZONES.text.index("zone guest")]
    guest = at(ZONES, "{\n\tvlan 10 }")
    diagnostic = finding("SEG204", "shared", at(ZONES, whole), "this zone", also=(Label(guest, "and this"),))
    assert text(diagnostic).split("\n")[1:-1] == [
        "  ┌─ office/zones.seg:2:1",
        " 2│ ╭ zone hr {",
        "  │ │ …",
        " 5│ │ }",
        "  │ ╰─^ this zone",
        "  ┌─ office/zones.seg:6:12",
        " 6│   zone guest {",
        "  │ ╭────────────-",
        " 7│ │     vlan 10 }",
        "  │ ╰─────────────- and this",
    ]


def test_three_lines_are_shown_whole():
    source = SourceFile("a.seg", "  zone hr {\n    vlan 10\n  }\n")
    span = at(source, source.text.strip())
    assert text(finding("SEG101", "m", span), sources=[source]).split("\n")[2:-1] == [
        " 1│ ╭   zone hr {",
        " 2│ │     vlan 10",
        " 3│ │   }",
        "  │ ╰───^",
    ]


def test_tabs_wide_and_combining_characters_keep_marks_under_their_text():
    rows = one('\tab\t日本 "e\u0301x" z', "z", "日本", "e\u0301x")
    assert rows[0] == ' 1│     ab  日本 "e\u0301x" z'
    assert rows[1] == "  │         ----  --  ^ z"
    assert rows[2:] == ["  │         │     │", "  │         │     e\u0301x", "  │         日本"]


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egnp", "\\u202egnp"),
        ("a\u2066b", "a\\u2066b"),
        ("a\u200bb", "a\\u200bb"),
        ("a\x00b\x7f", "a\\x00b\\x7f"),
        ("a\x9bb", "a\\x9bb"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_could_fool_a_terminal_is_escaped_everywhere(hostile, shown):
    source = SourceFile(f"{hostile}.seg", f"x {hostile} y\n")
    diagnostic = finding("SEG101", hostile, at(source, hostile), hostile, notes=(hostile,), help=hostile)
    assert text(diagnostic, sources=[source]) == (
        f"error[SEG101]: {shown}\n"
        f"  ┌─ {shown}.seg:1:3\n"
        f" 1│ x {shown} y\n"
        f"  │   {'^' * len(shown)} {shown}\n"
        f"  = {shown}\n"
        f"  = help: {shown}\n"
    )


def test_a_message_keeps_to_its_line_and_a_note_stays_indented():
    diagnostic = finding("SEG101", "a\nb\tc", None, notes=("one\nerror[SEG999]: forged",))
    assert text(diagnostic) == "error[SEG101]: a\\nb\\tc\n  = one\n    error[SEG999]: forged\n"


def test_a_long_line_is_cut_around_the_place():
    rows = one("a" * 300 + " here " + "b" * 300, "here", width=44)
    assert rows == [
        " 1│ …" + "a" * 16 + " here " + "b" * 16 + "…",
        "  │ " + " " * 18 + "^^^^ here",
    ]


def test_ten_megabytes_on_a_line_are_cut_quickly():
    line = "日" * 5_000_000 + "\x1bhere" + "e\u0301" * 2_500_000
    source = SourceFile("a.seg", line)
    started = time.process_time()
    shown = text(finding("SEG001", "x" * 10_000_000, at(source, "here"), line), sources=[source])
    assert time.process_time() - started < 2
    assert len(shown) < 4000
    before, marks = re.search(r"^ 1│ …(日+\\x1b)here.*\n  │ ( *)\^\^\^\^ ", shown, re.MULTILINE).groups()
    assert len(marks) == 1 + 2 * before.count("日") + len("\\x1b")


def test_a_place_longer_than_the_line_is_marked_to_its_end():
    rows = one("x" * 500, "x" * 500, width=44)
    assert rows[0] == " 1│ " + "x" * 39 + "…"
    assert rows[1].startswith("  │ " + "^" * 39 + " xxx")


@pytest.mark.parametrize(
    ("start", "end", "line", "column"),
    [(3, 3, 1, 4), (4, 4, 2, 1), (99, 120, 2, 4), (-5, -1, 1, 1), (3, 4, 1, 4)],
)
def test_empty_and_impossible_spans_mark_the_nearest_place(start, end, line, column):
    source = SourceFile("a.seg", "abc\ndef")
    shown = text(finding("SEG001", "m", Span("a.seg", start, end, 1)), sources=[source])
    content = ["abc", "def"][line - 1]
    assert shown.split("\n")[1:] == [
        f"  ┌─ a.seg:{line}:{column}",
        f" {line}│ {content}",
        f"  │ {' ' * (column - 1)}^",
        "",
    ]


def test_colour_changes_nothing_but_colour():
    colored = render_text(report(dead_flow(), idle_acceptance()), color=True, width=100)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == text(dead_flow(), idle_acceptance())
    assert colored.startswith("\x1b[1;31merror[SEG301]\x1b[0m\x1b[1m: this flow")
    assert "\x1b[1;31m^^^^" in colored
    assert "\x1b[1;34m----" in colored


def test_at_most_a_hundred_are_shown_errors_first():
    warnings = [finding("SEG004", f"w{i}", Span("office/flows.seg", i, i, 1)) for i in range(150)]
    shown = text(*warnings, missing_file())
    assert shown.count("warning[") == 99
    assert shown.count("error[") == 1
    assert shown.endswith("\n\nand 51 more findings: `--format json` shows every one\n")
    assert text() == ""


def test_at_most_twelve_places_of_a_finding_are_shown():
    also = tuple(Label(Span("gone.seg", 0, 1, i), "") for i in range(1, 101))
    shown = text(finding("SEG101", "m", at(FLOWS, "vendor"), also=also))
    assert shown.count("┌─") == 12
    assert shown.endswith("  = and 89 more places\n")


def test_the_summary_counts():
    assert summary(Report()) == "no findings"
    assert summary(report(dead_flow())) == "1 finding (1 error)"
    assert summary(report(dead_flow(), idle_acceptance())) == "2 findings (1 error, 1 warning)"
    assert (
        summary(report(dead_flow(), missing_file(), idle_acceptance())) == "3 findings (2 errors, 1 warning)"
    )
