"""`segc suggest` and `segc check --fix`: what they print is what they do, and what they do is proved."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segc.cli.fix import fixes
from segc.cli.reading import read

ROOT = Path(__file__).parents[3]
POLICY = """\
zone desks { vlan 41; subnet 10.0.41.0/24 }
# Two printers.
zone printers {
  vlan 42
  subnet 10.0.42.0/24
  host a = 10.0.42.10  # near the stairs
  intra deny
}
zone scanners {
  vlan 43
  subnet 10.0.43.0/24
  # donated
  host a = 10.0.43.10
  intra deny
  about "Scanners"
}
zone mail { vlan 44; subnet 10.0.44.0/24 }
service print = tcp/631
service left-over = tcp/1  # not needed

allow desks -> printers, scanners : print
allow printers -> mail : tcp/587
allow scanners -> mail : tcp/587
allow desks -> scanners.a : tcp/22
"""


def segc(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "segc", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "p.seg"
    path.write_text(POLICY)
    return path


def test_a_merger_moves_hosts_and_keeps_comments(policy: Path) -> None:
    done = segc("suggest", "merge", "printers", "scanners", "--write", cwd=policy.parent)
    assert done.returncode == 0, done.stderr
    assert "proved: the edited policy means the same" in done.stdout
    text = policy.read_text()
    assert "  # donated\n  host scanners-a = 10.0.43.10\n" in text
    assert "host a = 10.0.42.10  # near the stairs" in text
    assert (
        "\nallow desks -> printers : print\nallow printers -> mail : tcp/587\n"
        "allow desks -> printers.scanners-a : tcp/22\n" in text
    )
    assert "zone scanners" not in text
    assert "vlan 43" not in text
    assert segc("fmt", "--check", cwd=policy.parent).returncode == 0


def test_a_merger_that_breaks_a_promise_is_not_written(policy: Path) -> None:
    before = f"{POLICY}never mail -> printers : tcp/631\nnever desks -> printers : tcp/631\n"
    policy.write_text(before)
    done = segc("suggest", "merge", "mail", "desks", "--write", cwd=policy.parent)
    said = (
        "# the edited policy would not compile: this promise is broken: `never mail -> printers : tcp/631`\n"
    )
    assert said in done.stdout
    assert (done.returncode, policy.read_text()) == (1, before)


def test_a_promise_that_was_broken_before_keeps_nobody_from_a_merger(policy: Path) -> None:
    policy.write_text(f"{POLICY}never desks -> printers : tcp/631\n")
    done = segc("suggest", "merge", "mail", "desks", "--write", cwd=policy.parent)
    assert (done.returncode, "would not compile" in done.stdout) == (0, False)


COPIERS = POLICY.replace(
    "zone mail {",
    "zone copiers { vlan 45; subnet 10.0.45.0/24; host a = 10.0.45.10; intra deny }\nzone mail {",
).replace("allow desks -> printers, scanners : print", "allow desks -> scanners, copiers, printers : print")
COPIERS += "allow copiers -> mail : tcp/587\n"


def test_what_the_finding_of_a_class_says_is_what_makes_it_one(policy: Path) -> None:
    policy.write_text(COPIERS)
    (help_,) = re.findall(
        r"help: `segc (suggest merge .*)` writes the edit", segc("check", cwd=policy.parent).stdout
    )
    assert sorted(help_.split()[2:]) == ["copiers", "printers", "scanners"]
    overview = segc("suggest", "merge", cwd=policy.parent).stdout
    assert overview.startswith(f"{help_.removeprefix('suggest merge ')}: the same\n")
    done = segc(*help_.split(), "--write", cwd=policy.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "proved: the edited policy means the same" in done.stdout
    text = policy.read_text()
    assert text.count("zone ") == 3
    assert "SEG401" not in segc("check", cwd=policy.parent).stdout
    policy.write_text(COPIERS)
    assert segc("check", "--fix", cwd=policy.parent).returncode == 0
    assert policy.read_text().replace("service left-over = tcp/1  # not needed\n", "") == text.replace(
        "service left-over = tcp/1  # not needed\n", ""
    )


def test_a_merger_goes_on_with_ports_and_trunks(policy: Path) -> None:
    policy.write_text(
        f"""{POLICY}
gateway gw {{
  interface lan0 {{ trunk desks, printers, scanners, mail }}
  interface br0 {{ bridge; port p1 zone scanners isolated; port p2 trunk printers, scanners }}
}}
switch sw {{
  platform cisco-ios
  port "1-4" zone scanners isolated
  port "5" trunk scanners, desks, printers, mail
}}
"""
    )
    done = segc("suggest", "merge", "printers", "scanners", "--write", cwd=policy.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    text = policy.read_text()
    assert "interface lan0 { trunk desks, printers, mail }" in text
    assert "port p1 zone printers isolated; port p2 trunk printers }" in text
    assert '"1-4" zone printers isolated' in text
    assert '"5" trunk desks, printers, mail' in text


def test_a_merger_leaves_comments_beside_what_they_speak_of(tmp_path: Path) -> None:
    (tmp_path / "p.seg").write_text(
        """\
zone a { subnet 10.0.1.0/24 }
zone b { vlan 2; subnet 10.0.2.0/24 }
zone c { subnet 10.0.3.0/24 }
set halls = a, # main hall
            b, # annex
            c  # yard
set two = c, # yard, first
          a  # hall, the main one
          , b # annex
allow b,  # annex
      a   # main hall
      -> c : tcp/443
allow two -> halls : tcp/80
"""
    )
    done = segc("suggest", "merge", "a", "b", "--write", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [" ".join(line.split()) for line in (tmp_path / "p.seg").read_text().splitlines()]
    assert lines == [
        "zone a { subnet 10.0.1.0/24", "subnet 10.0.2.0/24", "}", "zone c { subnet 10.0.3.0/24 }",
        "set halls = a, # main hall", "# annex", "c # yard",
        "set two = c, # yard, first", "a # hall, the main one", "# annex",
        "allow # annex", "a # main hall", "-> c : tcp/443", "allow two -> halls : tcp/80",
    ]  # fmt: skip


def test_a_merger_goes_on_with_who_vouches_and_who_is_let_in(policy: Path) -> None:
    policy.write_text(
        POLICY.replace('  about "Scanners"\n', '  about "Scanners"\n  dot1x user "ana"\n')
        + "source badges radius { zone scanners, printers; zone scanners }\n"
    )
    done = segc("suggest", "merge", "printers", "scanners", "--write", cwd=policy.parent)
    assert done.returncode == 0, done.stderr
    text = policy.read_text()
    assert "source badges radius { zone printers; zone printers }" in text
    assert '  dot1x user "ana"\n' in text
    checked = segc("check", cwd=policy.parent)
    assert "error" not in checked.stdout, checked.stdout


def test_the_diff_is_what_patch_takes(policy: Path, tmp_path: Path) -> None:
    diff = segc("suggest", "merge", "printers", "scanners", "--color", "never", cwd=tmp_path).stdout
    assert policy.read_text() == POLICY
    done = subprocess.run(
        ["patch", "-p0"], cwd=tmp_path, input=diff, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    patched = policy.read_text()
    policy.write_text(POLICY)
    segc("suggest", "merge", "printers", "scanners", "--write", cwd=tmp_path)
    assert policy.read_text() == patched


def test_a_merger_that_changes_something_says_all_of_it(policy: Path) -> None:
    done = segc("suggest", "merge", "desks", "mail", cwd=policy.parent)
    opened = done.stdout.partition("# proved: it opens\n")[2].partition("# and nothing else\n")[0]
    assert {line.removeprefix("#   ") for line in opened.splitlines()[:-1]} == {
        "desks -> mail : any",
        "mail -> desks : any",
        "mail -> printers, scanners : tcp/631",
        "mail -> scanners.a : tcp/22",
        "printers -> desks : tcp/587",
        "scanners -> desks : tcp/587",
    }
    shown = re.search(r"such as (\S+) -> (\S+) (\S+)$", opened)
    assert shown is not None
    asked = segc("trace", "p.seg", *shown.groups(), "--format", "json", cwd=policy.parent)
    assert '"verdict": "deny"' in asked.stdout
    segc("suggest", "merge", "desks", "mail", "--write", cwd=policy.parent)
    asked = segc("trace", "p.seg", *shown.groups(), "--format", "json", cwd=policy.parent)
    assert '"verdict": "allow"' in asked.stdout


LINKS = """\
zone link1 { subnet 10.9.0.0/30 }
zone link2 { subnet 10.9.0.4/30 }
zone hr { vlan 10  subnet 10.10.10.0/24 }
gateway gw {
  interface wg0 { zone link1 }
  interface wg1 { zone link2 }
  interface lan0 { trunk hr }
  address link1 10.9.0.1/30
  address link2 10.9.0.5/30
  address hr 10.10.10.1/24
}
allow hr -> link1, link2 : tcp/22
"""


def test_no_merger_that_moves_an_address_to_another_interface(tmp_path: Path) -> None:
    """Both were written to be `address link1`, which `wg0` has alone."""
    policy = tmp_path / "p.seg"
    policy.write_text(LINKS)
    for arguments in ((), ("--write",)):
        done = segc("suggest", "merge", "link1", "link2", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert "`link1`, `link2` sit on different interfaces of gateway `gw`" in done.stderr
        assert not done.stdout
    assert policy.read_text() == LINKS


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: (
            text.replace("1 }\n  interface wg1", "1  address 10.9.0.1/30 }\n  interface wg1")
            .replace("link2 }\n  int", "link2  address 10.9.0.5/30 }\n  int")
            .replace("  address link1 10.9.0.1/30\n  address link2 10.9.0.5/30\n", "")
        ),
        lambda text: (
            text.replace("zone link1 {", "zone link1 { vlan 1")
            .replace("zone link2 {", "zone link2 { vlan 2")
            .replace("{ zone link1 }", "{ trunk link1, link2 }")
            .replace("  interface wg1 { zone link2 }\n", "")
        ),
    ],
    ids=["own addresses", "one trunk"],
)
def test_a_merger_where_each_interface_keeps_its_addresses(
    tmp_path: Path, edit: Callable[[str], str]
) -> None:
    policy = tmp_path / "p.seg"
    policy.write_text(edit(LINKS))
    done = segc("suggest", "merge", "link1", "link2", "--write", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SEG223" not in segc("check", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("merge", "printers"), 2, "name two zones or more"),
        (("merge", "printers", "printers"), 2, "name two zones or more"),
        (("merge", "printers", "mail", "scaners"), 1, "did you mean `scanners`?"),
        (("merge", "printers", "x\x1b[31m"), 1, "there is no zone"),
        (("merge", "-p", "missing.seg"), 1, "missing.seg"),
    ],
)
def test_wrong_words(policy: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = segc("suggest", *arguments, cwd=policy.parent)
    assert done.returncode == code
    assert words in done.stderr
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr


def test_fix_makes_what_changes_nothing_and_no_more(policy: Path) -> None:
    done = segc("check", "--fix", "--notes", "--format", "json", cwd=policy.parent)
    assert done.returncode == 0, done.stderr
    text = policy.read_text()
    assert "left-over" not in text
    assert "zone scanners" not in text
    assert "SEG401" not in done.stdout
    assert "SEG407" not in done.stdout
    assert "deleted service `left-over`" in done.stderr


def test_fix_leaves_what_was_accepted(policy: Path) -> None:
    accepted = POLICY.replace("# not needed", "# segc: accept SEG407 -- for the audit").replace(
        "zone scanners {", "zone scanners {  # segc: accept SEG401 -- they move out in spring"
    )
    policy.write_text(accepted)
    assert segc("check", "--fix", cwd=policy.parent).returncode == 0
    assert policy.read_text() == accepted


def test_the_guide_shows_what_is_printed(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "segmentation.md").read_text()
    (block,) = re.findall(r"^```seg\n(.*?)^```$", guide, re.M | re.S)
    (tmp_path / "printers.seg").write_text(block)
    (session,) = re.findall(r"^```\n(\$ segc suggest merge\n.*?)^```$", guide, re.M | re.S)
    printed = ""
    for line in session.splitlines():
        if line.startswith("$ segc "):
            printed = segc(*line.removeprefix("$ segc ").split(), cwd=tmp_path).stdout
        elif line not in ("", "…"):
            assert line in printed.splitlines()
    assert segc("suggest", "exposure", cwd=tmp_path).returncode == 0


def test_fix_makes_no_edit_that_makes_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p.seg"
    zones = "zone a { subnet 10.0.0.0/24 }\nzone b { subnet 10.0.1.0/24 }\n"
    file.write_text(f"{zones}set idle = a\nallow a -> b : tcp/22\n")
    reading = read([str(tmp_path)], lambda stage: None)
    assert fixes(reading).done == ["deleted set `idle`"]
    for wrong, message in (
        ('test "t" { deny a -> b : tcp/22 }\n', "the test `t` fails"),
        ("zone {\n", "expected a name after `zone`"),
    ):
        edited = {str(file): file.read_text() + wrong}
        monkeypatch.setattr("segc.cli.fix.apply", lambda files, edits, edited=edited: edited)
        texts, done, refused = fixes(reading)
        assert (texts, done) == ({}, [])
        assert refused[0].startswith(f"not deleted set `idle`, which would make an error: {message}")


def test_a_merger_fits_the_layout_of_the_zone_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "p.seg"
    other = 'zone y { vlan 2; subnet 10.0.2.0/24; about "why"; host h = 10.0.2.3 }\n'
    rest = "zone mail {{ subnet 10.0.9.0/24 }}\nallow {}->mail:tcp/25\n"
    for before, after in (
        ("zone x { subnet 10.0.1.0/24; }", "zone x { subnet 10.0.1.0/24\n  SUBNET\n  HOST\n}"),
        (
            "zone x {\n    subnet 10.0.1.0/24 # ;\n    }",
            "zone x {\n    subnet 10.0.1.0/24 # ;\n    SUBNET\n    HOST\n}",
        ),
    ):
        path.write_text(f"{before}\n{other}{rest.format('x,y')}")
        assert segc("suggest", "merge", "x", "y", "--write", cwd=tmp_path).returncode == 0
        after = after.replace("SUBNET", "subnet 10.0.2.0/24").replace("HOST", "host h = 10.0.2.3")
        assert path.read_text() == f"{after}\n{rest.format('x')}"
