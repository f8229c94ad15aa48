"""Whatever the findings and the sources: every renderer answers, and no control character gets out."""

import json
import re
from unicodedata import category
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from segc.diagnostics.accept import apply_acceptances
from segc.diagnostics.codes import RULES
from segc.diagnostics.github import render_github
from segc.diagnostics.json_format import render_json
from segc.diagnostics.junit import render_junit
from segc.diagnostics.measure import display_width
from segc.diagnostics.model import Label, Report, finding
from segc.diagnostics.sarif import render_sarif
from segc.diagnostics.text import render_text
from segc.source import SourceFile, Span

NASTY = st.sampled_from(
    [
        *"\n\r\t\x00\x1b\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\ud800é日\u0301",
        "e\u0301",
        '"',
        "#",
        "a b",
        "# segc: accept SEG301 -- x",
    ]
)
TEXT = st.lists(NASTY | st.text(max_size=3), max_size=30).map("".join)
PATHS = st.sampled_from(["a.seg", "b\x1b.seg", "missing.seg"])
OFFSETS = st.integers(-3, 130)
SPANS = st.builds(Span, PATHS, OFFSETS, OFFSETS, st.integers(-1, 40))
LABELS = st.builds(Label, SPANS, TEXT)
DIAGNOSTICS = st.builds(
    lambda code, message, label, also, notes, help: finding(
        code, message, label and label.span, label.text if label else "", also=also, notes=notes, help=help
    ),
    st.sampled_from(sorted(RULES)),
    TEXT,
    st.none() | LABELS,
    st.lists(LABELS, max_size=6).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
    TEXT,
)
REPORTS = st.builds(
    lambda a, b, found: Report(tuple(found), (SourceFile("a.seg", a), SourceFile("b\x1b.seg", b))),
    TEXT,
    TEXT,
    st.lists(DIAGNOSTICS, max_size=4),
)
COLORS = re.compile(r"\x1b\[[0-9;]+m")


@settings(max_examples=300, deadline=None)
@given(REPORTS, st.integers(0, 200), st.booleans())
def test_text_is_always_safe_and_within_its_width(report, width, color):
    text = render_text(report, color, width)
    plain = COLORS.sub("", text) if color else text
    assert plain == render_text(report, False, width)
    assert {c for c in plain if category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} <= {"\n"}
    for line in plain.split("\n"):
        if re.match(r" *\d+│ ", line):
            assert display_width(line) <= max(width, 46)
    assert sum(
        bool(re.match(r"(error|warning|note)\[SEG\d{3}\]: ", line)) for line in plain.split("\n")
    ) == len(report.diagnostics)


@settings(max_examples=150, deadline=None)
@given(REPORTS)
def test_machine_formats_are_always_well_formed(report):
    assert len(json.loads(render_json(report))["diagnostics"]) == len(report.diagnostics)
    json.loads(render_sarif(report))
    ElementTree.fromstring(render_junit(report).encode("utf-8"))
    commands = render_github(report)
    assert len(commands.splitlines()) == len(report.diagnostics)
    commands.encode("utf-8")


@settings(max_examples=150, deadline=None)
@given(REPORTS)
def test_acceptances_never_fail_and_drop_only_what_they_may(report):
    after = apply_acceptances(report).diagnostics
    gone = set(report.diagnostics) - set(after)
    assert all(d.code[3] in "34" for d in gone)
    assert {d.code for d in after if d not in report.diagnostics} <= {"SEG004", "SEG005"}
