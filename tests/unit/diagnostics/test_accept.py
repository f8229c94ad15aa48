import time

import pytest

from segc.diagnostics.accept import apply_acceptances
from segc.diagnostics.model import Report, finding
from segc.source import SourceFile
from segc.syntax.hidden import check_hidden


def accepted(text, *codes, on=None):
    """The report on `text` after acceptances, as `(code, underlined text)`; `codes` begin on line `on`."""
    source = SourceFile("a.seg", text)
    line = on or 1
    start = source.line_starts[line - 1]
    found = tuple(finding(code, "m", source.span(start, start + 5)) for code in codes)
    report = apply_acceptances(Report(found, (source,)))
    return [
        (d.code, source.text[d.primary.span.start : d.primary.span.end] if d.code < "SEG100" else "")
        for d in report.diagnostics
    ]


ON_ITS_LINE = "allow hr -> it : ssh  # segc: accept SEG301 -- for now\n"


def test_a_finding_is_accepted_on_its_line():
    assert accepted(ON_ITS_LINE, "SEG301") == []
    assert accepted(ON_ITS_LINE, "SEG301", "SEG205") == [("SEG205", "")]


def test_a_finding_is_accepted_from_the_lines_above():
    text = "# segc: accept SEG301 -- one\n# why\n# segc:accept SEG205--no\n".replace(
        "SEG205--no", "SEG205 -- two"
    )
    assert accepted(text + "allow hr -> it : ssh\n", "SEG301", "SEG205", on=4) == []
    assert accepted("# segc: accept SEG301 -- one\n\nallow hr -> it : ssh\n", "SEG301", on=3) == [
        ("SEG004", "SEG301"),
        ("SEG301", ""),
    ]


def test_several_codes_are_accepted_at_once_and_each_must_match():
    text = "allow hr -> it : ssh  # segc: accept SEG301 , SEG205,SEG304 -- for now"
    assert accepted(text, "SEG301", "SEG205", "SEG304") == []
    assert accepted(text, "SEG301") == [("SEG004", "SEG205"), ("SEG004", "SEG304")]


def test_a_finding_on_another_line_or_in_another_file_stays():
    assert accepted(ON_ITS_LINE + "deny hr -> it : ssh\n", "SEG301", on=2) == [
        ("SEG004", "SEG301"),
        ("SEG301", ""),
    ]
    other = SourceFile("b.seg", "allow a -> b : ssh\n")
    found = finding("SEG301", "m", other.span(0, 5))
    report = apply_acceptances(Report((found,), (SourceFile("a.seg", ON_ITS_LINE), other)))
    assert [d.code for d in report.diagnostics] == ["SEG004", "SEG301"]


def test_nothing_is_idle_while_an_earlier_stage_has_stopped_the_later():
    assert accepted(ON_ITS_LINE + "allow x\n", "SEG101", on=2) == [("SEG101", "")]
    assert accepted(ON_ITS_LINE + "allow x\n", "SEG205", on=2) == [("SEG004", "SEG301"), ("SEG205", "")]


@pytest.mark.parametrize(
    ("comment", "underlined", "message"),
    [
        ("segc: accept SEG301", "segc: accept SEG301", "this acceptance gives no reason"),
        ("segc: accept SEG301 --  ", "segc: accept SEG301 --", "this acceptance gives no reason"),
        ("segc: accept SEG399 -- x", "SEG399", "there is no code `SEG399`"),
        ("segc: accept dead-flow -- x", "dead-flow", "there is no code `dead-flow`"),
        ("segc: accept SEG101 -- x", "SEG101", "`SEG101` (unknown-name) cannot be accepted"),
        ("segc: accept SEG503 -- x", "SEG503", "`SEG503` (not-expressible) cannot be accepted"),
        ("segc: accept SEG004 -- x", "SEG004", "`SEG004` (unmatched-acceptance) cannot be accepted"),
        ("segc: accept -- x", "segc: accept -- x", None),
        ("segc: ignore SEG301 -- x", "segc: ignore SEG301 -- x", None),
        ("segc:", "segc:", None),
    ],
)
def test_a_malformed_acceptance_is_a_finding_and_accepts_nothing(comment, underlined, message):
    source = SourceFile("a.seg", f"allow hr -> it : ssh  # {comment}\n")
    found = finding("SEG301", "m", source.span(0, 5))
    kept, malformed = apply_acceptances(Report((found,), (source,))).diagnostics
    assert kept is found
    assert malformed.code == "SEG005"
    span = malformed.primary.span
    assert source.text[span.start : span.end] == underlined
    assert malformed.message == (
        message or "a comment that begins with `segc:` is an acceptance, and this is not one"
    )
    assert malformed.help


@pytest.mark.parametrize(
    "text",
    [
        'zone hr { about "# segc: accept SEG301 -- no" }',
        'zone hr { about "a \\" # segc: accept SEG301 -- no" }',
        "allow hr -> it : ssh  # see segc: accept SEG301 -- not at the start",
        "segc: accept SEG301 -- no comment at all",
    ],
)
def test_only_a_comment_that_begins_so_is_an_acceptance(text):
    assert accepted(text, "SEG301") == [("SEG301", "")]


def test_an_acceptance_after_a_string_is_found():
    text = 'zone hr { about "a \\" # b" }  # segc: accept SEG214 -- later\r\n'
    assert accepted(text, "SEG214") == []


def test_a_file_without_acceptances_costs_next_to_nothing():
    source = SourceFile("a.seg", "allow hr -> finance : tcp/443 # a comment\n" * 50_000)
    report = Report((), (source,))
    started = time.process_time()
    assert apply_acceptances(report) is report
    assert time.process_time() - started < 0.05


def test_many_comments_above_one_line_are_looked_at_once():
    text = "# segc: accept SEG301 -- for now\n# \u202e\n" * 20_000 + "allow hr -> it : ssh\n"
    source = SourceFile("a.seg", text)
    found = (finding("SEG301", "m", source.span(len(text) - 21, len(text))), *check_hidden(source))
    before = time.process_time()
    report = apply_acceptances(Report(found, (source,)))
    assert {each.code for each in report.diagnostics} == {"SEG007"}
    assert time.process_time() - before < 5


def test_many_marks_on_one_line_cost_one_look():
    text = "# segc: " + "segc: accept " * 500_000
    started = time.process_time()
    assert [d.code for d in apply_acceptances(Report((), (SourceFile("a.seg", text),))).diagnostics] == [
        "SEG005"
    ]
    assert time.process_time() - started < 1


def hidden(text):
    source = SourceFile("a.seg", text)
    return [d.code for d in apply_acceptances(Report(tuple(check_hidden(source)), (source,))).diagnostics]


def test_a_misleading_character_is_accepted_in_comments_too():
    accepting = "# segc: accept SEG007 -- Hebrew\n"
    assert hidden(f'{accepting}zone hr {{ about "a\u200f" }}\n') == []
    assert hidden(f"{accepting}# a\u200f\nzone hr {{}}\n") == []
    assert hidden('zone hr { about "a\u200f" }  # segc: accept SEG007 -- Hebrew\n') == []
    assert hidden("# a\u200f\n\nzone hr {}\n") == ["SEG007"]


def test_an_acceptance_does_not_speak_for_itself():
    assert hidden("zone hr {}  # segc: accept SEG007 -- a\u202e\n") == ["SEG004", "SEG007"]
    assert hidden("# segc: accept SEG007 -- a\u202e\nzone hr {}\n") == ["SEG004", "SEG007"]


def test_a_carriage_return_is_no_end_of_a_comment():
    assert hidden("# a\rdeny hr -> it : ssh\n") == ["SEG007"]
    assert hidden("# a\r\n# b\r\r\nzone hr {}\rzone it {}\r\n# c\r") == []
