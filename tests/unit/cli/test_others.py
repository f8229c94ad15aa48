"""`test`, `fmt`, `init` and `explain`."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest

from segc.diagnostics.codes import RULES
from tests.unit.cli.policies import FAILING, policy, segc
from tests.unit.cli.test_check import schema

UGLY = "zone  hr{subnet 10.0.0.0/24}   # the people\n\n\n\nallow hr->hr:tcp/1\n"
PRETTY = "zone hr { subnet 10.0.0.0/24 }  # the people\n\nallow hr -> hr : tcp/1\n"


def test_tests_that_pass(tmp_path):
    done = segc("test", policy(tmp_path))
    assert done.returncode == 0
    assert done.stdout.startswith("✓ printers stay out (1 line)\n\n1 test, none failed · ")


def test_tests_that_fail(tmp_path):
    path = policy(tmp_path, FAILING)
    done = segc("test", path)
    assert done.returncode == 1
    assert "✓ printers stay out" in done.stdout
    assert "✗ open (1 line)" in done.stdout
    assert "error[SEG303]" in done.stdout
    assert "2 tests, 1 failed" in done.stdout
    assert "FAILED open" in segc("test", path, PYTHONIOENCODING="ascii").stdout


def test_results_for_programs(tmp_path):
    path = policy(tmp_path, FAILING)
    results = json.loads(segc("test", path, "--format", "json").stdout)
    schema("test").validate(results)
    assert (results["passed"], results["failed"]) == (1, 1)
    assert [test["passed"] for test in results["tests"]] == [True, False]
    assert results["tests"][1]["diagnostics"][0]["code"] == "SEG303"
    suite = ElementTree.fromstring(segc("test", path, "--format", "junit").stdout).find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite] == ["printers stay out", "open"]
    assert segc("test", path, "--format", "json").returncode == 1


def test_no_tests(tmp_path):
    done = segc("test", policy(tmp_path, "zone a { subnet 10.0.0.0/24 }"))
    assert done.returncode == 0
    assert done.stdout.startswith("no tests in this policy")


@pytest.mark.parametrize("text", [PRETTY.replace("\n", "\r\n"), PRETTY.rstrip("\n")])
def test_fmt_says_where_only_line_ends_differ(tmp_path, text):
    path = tmp_path / "policy.seg"
    path.write_bytes(text.encode())
    for option in ("--check", "--diff"):
        assert "policy.seg would change, and only how its lines end\n" in segc("fmt", path, option).stdout
    assert segc("fmt", path).returncode == 0
    assert path.read_bytes() == PRETTY.encode()


def test_fmt_in_place(tmp_path):
    path = policy(tmp_path, UGLY)
    path.chmod(0o640)
    done = segc("fmt", tmp_path)
    assert done.returncode == 0
    assert path.read_text() == PRETTY
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert "formatted" in done.stdout
    assert "1 file in the layout already" in segc("fmt", path).stdout
    assert [each.name for each in tmp_path.iterdir()] == ["policy.seg"]


def test_fmt_check_and_diff_change_nothing(tmp_path):
    path = policy(tmp_path, UGLY)
    for options, code in (["--check"], 1), (["--diff"], 0), (["--diff", "--check"], 1):
        done = segc("fmt", path, *options)
        assert done.returncode == code
        assert path.read_text() == UGLY
        assert ("+allow hr -> hr : tcp/1" in done.stdout) == ("--diff" in options)
    path.write_text(PRETTY)
    assert segc("fmt", path, "--check").returncode == 0


def test_fmt_leaves_files_with_errors(tmp_path):
    ugly = policy(tmp_path, UGLY, "ugly.seg")
    broken = policy(tmp_path, "zone hr {", "broken.seg")
    done = segc("fmt", tmp_path)
    assert done.returncode == 1
    assert "SEG001" in done.stderr
    assert (ugly.read_text(), broken.read_text()) == (PRETTY, "zone hr {")


def test_fmt_formats_what_is_named_and_not_what_that_imports(tmp_path):
    policy(tmp_path, UGLY, "lib/other.seg")
    main = policy(tmp_path, 'import   "lib/other.seg"\nimport "missing.seg"\n', "main.seg")
    assert segc("fmt", main).returncode == 0
    assert main.read_text() == 'import "lib/other.seg"\nimport "missing.seg"\n'
    assert (tmp_path / "lib" / "other.seg").read_text() == UGLY


def test_fmt_follows_links(tmp_path):
    policy(tmp_path, UGLY, "real.txt")
    (tmp_path / "link.seg").symlink_to("real.txt")
    assert segc("fmt", tmp_path / "link.seg").returncode == 0
    assert (tmp_path / "link.seg").is_symlink()
    assert (tmp_path / "real.txt").read_text() == PRETTY


@pytest.mark.parametrize(
    ("text", "options", "code", "out"),
    [(UGLY, [], 0, PRETTY), (UGLY, ["--check"], 1, ""), (PRETTY, ["--check"], 0, ""), ("zone {", [], 1, "")],
)
def test_fmt_from_standard_input(text, options, code, out):
    command = [sys.executable, "-m", "segc", "fmt", "-", *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, out)


AS_NOBODY = """
import contextlib, io, os, sys
from segc.cli.app import segc
def run(*arguments):
    with contextlib.suppress(SystemExit):
        segc.main(arguments)
with contextlib.redirect_stdout(io.StringIO()):  # loads all that another user may not read
    run("fmt", "--check", sys.argv[1])
    run("compile", sys.argv[1], "-o", "-")
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
run(*sys.argv[2:])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_what_may_not_be_written_stays():
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = policy(folder, UGLY)
        folder.chmod(0o555)
        path.chmod(0o444)
        for arguments in ["fmt", path], ["compile", path, "-o", folder / "out"]:
            command = [sys.executable, "-c", AS_NOBODY, path, *arguments]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
            assert "cannot be written: permission denied" in done.stderr
        assert path.read_text() == UGLY
        assert [each.name for each in folder.iterdir()] == ["policy.seg"]


def test_init_writes_a_policy_that_is_right(tmp_path):
    folder = tmp_path / "new" / "office"
    done = segc("init", folder)
    assert done.returncode == 0
    assert str(folder / "policy.seg") in done.stdout
    assert segc("check", "--strict", folder).stdout.startswith("no findings")
    assert segc("fmt", "--check", folder).returncode == 0
    assert "none failed" in segc("test", folder).stdout
    assert segc("compile", folder, "-o", tmp_path / "build").returncode == 0
    for line in done.stdout.splitlines():
        if line.startswith("  segc "):
            assert segc(*line.split()[1:], cwd=tmp_path).returncode == 0, line


def test_init_leaves_no_half_policy(tmp_path):
    """Python ignores SIGXFSZ, so a limit on the size of files stands for a full disk."""
    command = f"ulimit -f 1; exec {sys.executable} -m segc init net"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: `net` cannot be written: file too large\n")
    assert list((tmp_path / "net").iterdir()) == []


def test_init_overwrites_nothing(tmp_path):
    path = policy(tmp_path, "# mine\n", "mine.seg")
    done = segc("init", tmp_path)
    assert done.returncode == 1
    assert "has a policy already: `mine.seg`" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["mine.seg"]
    assert path.read_text() == "# mine\n"
    assert segc("init", path).returncode == 2
    assert "cannot be written" in segc("init", "/proc/new").stderr


def test_explain():
    for word in ("SEG301", "seg301", "dead-flow"):
        done = segc("explain", word)
        assert done.returncode == 0
        assert done.stdout.startswith("SEG301 dead-flow\n\n")
    assert segc("explain", "--list").stdout.splitlines()[0] == "SEG001  error    syntax-error"
    assert len(segc("explain", "--list").stdout.splitlines()) == len(RULES)
    assert segc("explain", "--color", "always", "SEG301").stdout.startswith("\x1b[1m")


def test_explain_what_there_is_not():
    for word, near in ("SEG30l", "`SEG30"), ("deadflow", "`dead-flow`"), ("../x", "--list"):
        done = segc("explain", word)
        assert done.returncode == 2
        assert near in done.stderr
    assert segc("explain").returncode == 2
