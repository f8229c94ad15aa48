import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.policies import BROKEN, CLEAN, policy, segc
from tests.unit.cli.test_check import schema

OFFICE = Path(__file__).parents[3] / "samples" / "office"


@pytest.fixture
def compiled(tmp_path):
    path = policy(tmp_path, CLEAN)
    ruleset = tmp_path / "ruleset.nft"
    ruleset.write_text(segc("compile", path, "-o", "-").stdout)
    return path, ruleset


def test_what_was_compiled_is_the_same(compiled):
    path, ruleset = compiled
    done = segc("verify", path, "--file", str(ruleset))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{ruleset}: the same as the policy for gateway `gw1`\n"


def test_a_changed_port_is_shown_with_a_packet(compiled):
    path, ruleset = compiled
    text = ruleset.read_text()
    line = next(n for n, each in enumerate(text.split("\n"), 1) if " . 443 comment" in each)
    ruleset.write_text(text.replace(" . 443 comment", " . 444 comment", 1))
    done = segc("verify", path, "--file", str(ruleset))
    assert done.returncode == 3
    assert f"{ruleset}:{line}: " in done.stdout
    assert "tcp/444: the ruleset accepts it" in done.stdout
    assert "tcp/443: the policy allows it, the ruleset decides otherwise" in done.stdout


def test_json_follows_its_schema(compiled):
    path, ruleset = compiled
    same = segc("verify", path, "--file", str(ruleset), "--format", "json")
    ruleset.write_text(ruleset.read_text().replace("policy drop", "policy accept"))
    other = segc("verify", path, "--file", str(ruleset), "--format", "json")
    for done, equal in ((same, True), (other, False)):
        found = json.loads(done.stdout)
        schema("verify-file").validate(found)
        assert found["equal"] is equal
        assert bool(found["differences"]) is not equal
    assert (same.returncode, other.returncode) == (0, 3)


def test_standard_input_is_read(compiled):
    path, ruleset = compiled
    with ruleset.open() as stream:
        command = [sys.executable, "-m", "segc", "verify", path, "--file", "-"]
        done = subprocess.run(command, stdin=stream, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("standard input: ")


@pytest.mark.parametrize(
    "text", ["", "flush ruleset\n", "table inet segc {\n}\n", "\x00", "table inet segc\n" * 5]
)
def test_any_other_text_is_different(tmp_path, text):
    ruleset = tmp_path / "ruleset.nft"
    ruleset.write_text(text)
    done = segc("verify", policy(tmp_path, CLEAN), "--file", str(ruleset))
    assert (done.returncode, done.stderr) == (3, "")


def test_the_ruleset_of_another_policy_is_different(tmp_path):
    """Also where that one logs what comes from addresses that this one has no name for."""
    ruleset = tmp_path / "ruleset.nft"
    ruleset.write_text(segc("compile", OFFICE, "-o", "-").stdout)
    text = "zone a { subnet 10.0.0.0/24 } zone b { subnet 10.0.1.0/24 } allow a -> b : tcp/443\n"
    done = segc("verify", policy(tmp_path, text), "--file", ruleset)
    assert (done.returncode, done.stderr) == (3, "")
    assert "1 difference from the policy" in done.stdout


def test_what_cannot_be_compared(tmp_path):
    path = policy(tmp_path, CLEAN)
    missing = segc("verify", path, "--file", str(tmp_path / "none"))
    assert (missing.returncode, missing.stderr) == (
        1,
        f"Error: `{tmp_path / 'none'}` cannot be read: no such file or directory\n",
    )
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert segc("verify", path, "--file", str(tmp_path / "binary")).returncode == 1
    assert segc("verify", policy(tmp_path, BROKEN), "--file", "/dev/null").returncode == 1
    two = policy(tmp_path, CLEAN + "gateway gw2 { interface lan9 { trunk hr, finance } }\n")
    asked = segc("verify", two, "--file", "/dev/null")
    assert asked.returncode == 2
    assert "`--gateway`, one of `gw1`, `gw2`" in asked.stderr
    assert segc("verify", two, "--file", "/dev/null", "--gateway", "gw3").returncode == 2


@pytest.mark.parametrize("options", [("--heal",), ("--netns", "other")])
def test_a_file_is_no_kernel(compiled, options):
    path, ruleset = compiled
    assert segc("verify", path, "--file", str(ruleset), *options).returncode == 2


def test_a_policy_alone_is_compared_with_nothing(compiled):
    done = segc("verify", compiled[0])
    assert done.returncode == 2
    assert "`--file`" in done.stderr
