"""The snapshot as a file of the policy: in its digest, builds, caches, plans and revisions."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segc.cli.app import segc
from segc.identity.snapshot import FILE, Directory, DirectoryGroup, Snapshot, snapshot_text
from tests.unit.cli.test_check import schema

POLICY = """\
zone vpn { subnet 10.8.0.0/24 }
zone erp { subnet 10.1.0.0/24 }
group finance from directory "sg-finance"
allow group finance in vpn -> erp : tcp/8443
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "policy.seg").write_text(POLICY)

    def members(self, *names: str) -> None:
        group = DirectoryGroup("sg-finance", "1", names)
        text = snapshot_text(Snapshot((Directory("corp", "ldap", "ldaps://dc1", names, (group,)),)))
        (self.path / FILE).write_text(text)

    def segc(self, *arguments: str, code: int = 0) -> Result:
        with contextlib.chdir(self.path):
            found = CliRunner().invoke(segc, arguments, env={"XDG_CACHE_HOME": str(self.path / ".cache")})
        assert found.exit_code == code, found.output
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "policy").mkdir()
    found = Folder(tmp_path / "policy")
    found.members("ana", "bo")
    return found


def people(build: Path) -> list[str]:
    found: list[str] = json.loads((build / "gateway" / "sessions.json").read_text())["people"][
        "group finance"
    ]
    return found


def test_builds_carry_it_and_are_made_anew_by_it(folder: Folder) -> None:
    folder.segc("compile", ".", "-o", "../one")
    folder.members("ana", "cy")
    folder.segc("compile", "policy.seg", "-o", "../two")  # a file has it beside it as well
    assert (people(folder.path / "../one"), people(folder.path / "../two")) == (["ana", "bo"], ["ana", "cy"])
    made = [
        json.loads((folder.path.parent / each / "gateway/manifest.json").read_text())
        for each in ("one", "two")
    ]
    assert made[0]["policy"] != made[1]["policy"]
    assert (folder.path.parent / "two/gateway/policy" / FILE).read_text() == (folder.path / FILE).read_text()
    told = folder.segc("plan", ".", "--against", "../one").stdout
    assert "opens     cy (group finance) in vpn -> erp : tcp/8443\n" in told
    assert "closes    bo (group finance) in vpn -> erp : tcp/8443\n" in told
    assert "unchanged: 2 flows" not in folder.segc("plan", ".", "--against", "../two").stdout.splitlines()[0]


def test_a_revision_has_its_own(folder: Folder) -> None:
    for arguments in (
        ["init", "-q"],
        ["add", "policy.seg", FILE],
        ["-c", "user.name=x", "-c", "user.email=x@x.example", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *arguments], cwd=folder.path, check=True)
    folder.members("ana", "bo", "cy")
    content = json.loads(folder.segc("plan", ".", "--against", "HEAD", "--format", "json").stdout)
    schema("plan").validate(content)
    (access,) = content["access"]
    assert (access["kind"], access["people"], access["peers"]) == ("opens", ["cy"], [])
    markdown = folder.segc("plan", "policy.seg", "--against", "HEAD", "--format", "markdown").stdout
    assert "- **opens** `cy (group finance) in vpn -> erp : tcp/8443`" in markdown
    folder.segc("plan", ".", "--against", "HEAD", "--fail-on", "gains", code=1)


def test_one_file_saved_with_a_plan_is_the_snapshot(folder: Folder) -> None:
    folder.segc("compile", ".", "-o", "../one")
    folder.members("ana")
    folder.segc("plan", ".", "--against", "../one", "--out", "plan.json")
    sources = json.loads((folder.path / "plan.json").read_text())["sources"]
    assert sorted(sources) == [FILE, "policy.seg"]


def test_who_it_names_are_the_group_and_nobody_else(folder: Folder) -> None:
    ask = ("trace", ".", "10.8.0.7", "10.1.0.1", "tcp/8443", "--user")
    assert folder.segc(*ask, "ana").stdout.startswith("allowed")
    assert folder.segc(*ask, "cy").stdout.startswith("denied")
    test = 'test "x" { allow user "bo" in vpn -> erp : tcp/8443  deny user "cy" in vpn -> erp : tcp/8443 }\n'
    (folder.path / "policy.seg").write_text(POLICY + test)
    folder.segc("test", ".")
    folder.members("ana")
    folder.segc("test", ".", code=1)


def test_the_last_to_leave_breaks_nothing(folder: Folder) -> None:
    folder.segc("compile", ".", "-o", "../one")
    folder.members()
    assert "no findings" in folder.segc("check", ".", "--strict").output
    told = folder.segc("plan", ".", "--against", "../one").stdout
    assert "closes    group finance (2 people) in vpn -> erp : tcp/8443\n" in told


def test_it_is_no_text_to_lay_out_and_only_one_counts(folder: Folder) -> None:
    before = (folder.path / FILE).read_bytes()
    folder.segc("fmt", ".")
    assert (folder.path / FILE).read_bytes() == before
    other = folder.path / "other"
    other.mkdir()
    (other / "more.seg").write_text("zone more { subnet 10.3.0.0/24 }\n")
    assert "in 3 zones" in folder.segc("check", "policy.seg", "other/more.seg").output
    (other / FILE).write_bytes(before)
    assert "two snapshots" in folder.segc("check", "policy.seg", "other/more.seg", code=1).output
    folder.segc("check", ".")  # below the folder of the policy, it is somebody else's
