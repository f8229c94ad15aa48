import json
import re
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from segc.cli.app import segc as command
from tests.unit.cli.policies import BROKEN, CLEAN, FAILING, WARNING, policy, segc


def schema(name):
    from importlib.resources import files

    def load(each):
        return json.loads(files("segc").joinpath("schemas", each).read_text("utf-8"))

    shared = ("diagnostics.schema.json", "reach.schema.json")
    registry = Registry().with_resources((each, Resource.from_contents(load(each))) for each in shared)
    return Draft202012Validator(load(f"{name}.schema.json"), registry=registry)


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(command, [str(each) for each in arguments])

    return run


@pytest.mark.parametrize(
    ("text", "options", "code", "closing"),
    [
        (CLEAN, [], 0, "no findings in 4 zones, 4 flows"),
        (WARNING, [], 0, "1 finding (1 warning) in 4 zones, 5 flows"),
        (WARNING, ["--strict"], 1, "; with --strict, warnings are errors"),
        (BROKEN, [], 1, "1 finding (1 error) in 4 zones, 5 flows"),
        (FAILING, [], 1, "1 finding (1 error) in 4 zones, 4 flows"),
        ("zone a {", [], 1, "in 1 file"),
        ("", [], 0, "no findings in 0 zones, 0 flows"),
    ],
)
def test_the_exit_code_and_the_closing_line(run, tmp_path, text, options, code, closing):
    result = run("check", policy(tmp_path, text), *options)
    assert result.exit_code == code
    assert closing in result.stdout.splitlines()[-1]
    assert result.stderr == ""


def test_the_format_of_the_closing_line(run, tmp_path):
    last = run("check", policy(tmp_path, BROKEN)).stdout.splitlines()[-1]
    assert re.fullmatch(r"1 finding \(1 error\) in 4 zones, 5 flows · \d+\.\d s", last)


def test_formats_for_programs(run, tmp_path):
    path = policy(tmp_path, BROKEN)
    findings = json.loads(run("check", "--format", "json", path).stdout)
    schema("diagnostics").validate(findings)
    assert [each["code"] for each in findings["diagnostics"]] == ["SEG101"]
    sarif = json.loads(run("check", "--format", "sarif", path).stdout)
    assert [each["ruleId"] for each in sarif["runs"][0]["results"]] == ["SEG101"]
    annotation = run("check", "--format", "github", path).stdout
    assert annotation.startswith("::error file=")
    assert annotation.count("\n") == 1
    suite = ElementTree.fromstring(run("check", "--format", "junit", path).stdout)
    assert suite.get("failures") == "1"
    for format in ("json", "sarif", "github", "junit"):
        assert run("check", "--format", format, path).exit_code == 1
        assert run("check", "--format", format, policy(tmp_path, CLEAN, "clean.seg")).exit_code == 0


def test_warnings_fail_junit_only_if_strict(run, tmp_path):
    path = policy(tmp_path, WARNING)
    for options, failures in ([], "0"), (["--strict"], "1"):
        result = run("check", "--format", "junit", path, *options)
        assert ElementTree.fromstring(result.stdout).get("failures") == failures
        assert result.exit_code == int(failures)


def test_other_errors_are_shown_beside_syntax_errors_unless_they_may_follow_from_them(run, tmp_path):
    policy(tmp_path, "zone hr { subnet 10.1.0.0/24 }\nzon finance { subnet 10.2.0.0/24 }\n", "a.seg")
    policy(tmp_path, "allow hr -> finance : tcp/70000\nallow hr -> nowhere : tcp/1\n", "b.seg")
    found = json.loads(run("check", "--format", "json", tmp_path).stdout)["diagnostics"]
    assert [(each["code"], each["line"]) for each in found] == [("SEG001", 2), ("SEG104", 1), ("SEG101", 2)]
    assert "nowhere" in found[-1]["message"]


def test_no_name_is_called_unknown_while_a_file_is_missing(run, tmp_path):
    path = policy(tmp_path, 'import "zones.seg"\nallow hr -> it : tcp/1\n')
    found = json.loads(run("check", "--format", "json", path).stdout)["diagnostics"]
    assert [each["code"] for each in found] == ["SEG002"]


def test_notes_are_counted_and_shown_on_request(run, tmp_path):
    path = policy(tmp_path, CLEAN)
    assert "not shown: see `segc check --notes`" in run("check", path).stdout
    assert "note[" not in run("check", path).stdout
    assert "note[" in run("check", "--notes", path).stdout
    assert json.loads(run("check", "--format", "json", path).stdout)["diagnostics"]


def test_what_a_target_cannot_be_told_is_found_as_well(run, tmp_path):
    """As `segc compile` would say it, and beside everything else."""
    text = """
zone a { vlan 1; subnet 10.0.0.0/24 }
zone b { subnet 10.0.1.0/24 }
gateway gw { mark 0x3; interface "..wan" { zone a } interface eth1 { zone b } }
switch s { platform arista-eos; port "Foo1" zone a }
allow a -> b : tcp/22  allow a -> b : tcp/22
"""
    path = policy(tmp_path, text)
    found = json.loads(run("check", "--format", "json", path).stdout)["diagnostics"]
    assert {each["code"] for each in found} == {"SEG502", "SEG503", "SEG307"}
    refused = run("compile", path, "-o", tmp_path / "build", "--format", "json")
    assert refused.exit_code == 1
    assert found == json.loads(refused.stdout)["diagnostics"]


def test_a_file_without_the_others_of_its_folder(run, tmp_path):
    one, two = tmp_path / "one.seg", tmp_path / "two.seg"
    one.write_text("zone a { subnet 10.0.0.0/24 }\n")
    two.write_text("allow a -> a : any\n")
    assert run("check", two).stdout.endswith(f"`segc check {tmp_path}` reads all of the folder\n")
    assert "only the files" not in run("check", one, two).stdout + run("check", tmp_path).stdout


def test_the_current_folder_is_the_default(tmp_path):
    policy(tmp_path)
    assert "no findings in 4 zones" in segc("check", cwd=tmp_path).stdout


def test_several_paths_make_one_policy(run, tmp_path):
    one, two = CLEAN.split("gateway gw1", 1)
    paths = policy(tmp_path, one, "one.seg"), policy(tmp_path, "gateway gw1" + two, "two.seg")
    assert run("check", *paths).exit_code == 0
    assert run("check", paths[1]).exit_code == 1


@pytest.mark.parametrize("name", ["a b.seg", "--help.seg", "ünïcode.seg", "new\nline.seg", "\x1b[31mred.seg"])
def test_files_with_strange_names(tmp_path, name):
    policy(tmp_path, BROKEN, name)
    done = segc("check", tmp_path)
    assert done.returncode == 1
    assert "SEG101" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_name_that_is_no_utf8(tmp_path):
    path = tmp_path / "caf\udce9.seg"
    path.write_text(BROKEN)
    for format in ("text", "json", "sarif", "github", "junit"):
        done = segc("check", "--format", format, tmp_path)
        assert done.returncode == 1, done.stderr
        assert "SEG101" in done.stdout


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "LC_ALL": "C"},
    ],
)
def test_encodings_that_lack_the_frame(tmp_path, variables):
    done = segc("check", policy(tmp_path, BROKEN + '# "ü→"\n'), **variables)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "did you mean `finance`?" in done.stdout


@pytest.mark.parametrize("columns", ["1", "20", "10000"])
def test_terminals_of_any_width(tmp_path, columns):
    done = segc("check", policy(tmp_path, BROKEN), COLUMNS=columns)
    assert done.returncode == 1
    assert "^^^^^^^" in done.stdout


def test_colour(tmp_path):
    path = policy(tmp_path, BROKEN)
    assert "\x1b[" not in segc("check", path).stdout
    assert "\x1b[1;31merror" in segc("check", "--color", "always", path).stdout
    assert "\x1b[1;31merror" in segc("check", "--color", "always", path, NO_COLOR="1").stdout
    assert "\x1b[" not in segc("check", "--color", "always", "--format", "json", path).stdout


SLOW = (
    CLEAN
    + """\
session staff { max 10h }
allow as open-end group contractors in vpn -> finance : https
group contractors { user "kim@vendor.example" }
revoke group staff within 15m
"""
)


def test_the_worst_case_of_each_flow_is_told_although_a_promise_is_broken(run, tmp_path):
    path = policy(tmp_path, SLOW)
    done = run("check", path, "--bounds")
    assert done.exit_code == 1
    assert "error[SEG315]" in done.stdout
    rows = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines() if line.startswith("  ")]
    assert ["unbounded", "open-end", f"{path}:25", 'user "kim@vendor.example"', "nothing ends it"] in rows
    assert ["36001 s", "10h1s"] in [row[:2] for row in rows]
    found = json.loads(run("check", path, "--bounds", "--format", "json").stdout)
    schema("diagnostics").validate(found)
    assert [(each["seconds"], each["cause"]) for each in found["bounds"]] == [
        (None, None),
        (36001, "session staff: max 10h"),
    ]


def test_bounds_of_what_means_nothing_are_not_told(run, tmp_path):
    done = run("check", policy(tmp_path, SLOW + "session nobody { max 1h }\n"), "--bounds")
    assert done.exit_code == 1
    assert "at worst" not in done.stdout
    assert "Traceback" not in done.output


def test_bounds_go_with_text_and_json(run, tmp_path):
    done = run("check", policy(tmp_path, CLEAN), "--bounds", "--format", "sarif")
    assert done.exit_code == 2
    assert "`--bounds` goes with" in done.output
    assert "nobody can be removed" in run("check", policy(tmp_path, "zone a {}"), "--bounds").stdout
