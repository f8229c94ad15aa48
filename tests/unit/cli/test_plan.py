"""`segc plan` against builds and Git revisions, as a pipeline runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from segc.plan.saved import read_plan
from tests.unit.cli.policies import BROKEN, CLEAN, policy, segc
from tests.unit.cli.test_check import schema

OPENED = CLEAN + "allow hr -> internet : tcp/8443\n"


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@acme.example", "-c", "commit.gpgsign=false")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose `main` holds CLEAN in two files, one importing the other."""
    top = tmp_path / "repository"
    (top / "net").mkdir(parents=True)
    services, rest = CLEAN.split("zone hr", 1)
    (top / "services.seg").write_text(services)
    (top / "net" / "policy.seg").write_text(f'import "../services.seg"\nzone hr{rest}')
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "first")
    return top


def planned(*arguments: object, cwd: Path, code: int = 0) -> dict:
    done = segc("plan", *map(str, arguments), "--format", "json", cwd=cwd)
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    schema("plan").validate(found)
    return found


def test_nothing_changed_since_the_revision(repository):
    found = planned("net", "--against", "main", "--detailed-exitcode", cwd=repository)
    assert not found["changed"]
    assert found["against"] == {"kind": "revision", "name": "main", "policy": found["policy"]}
    assert found["state"] == git(repository, "rev-parse", "main").strip()


def test_a_folder_that_is_no_build_is_told(repository):
    done = segc("plan", "net", "--against", "net", cwd=repository)
    told = "Error: `net` is a folder, but no build of `segc compile -o`, and no Git revision\n"
    assert (done.returncode, done.stderr.endswith(told)) == (1, True), done.stderr


def test_a_manifest_of_something_else_makes_no_build(repository):
    """Here a folder is called as the branch is."""
    (repository / "main" / "web").mkdir(parents=True)
    for text in ('{"name": "web", "files": ["index.html"]}', "[" * 100_000, "\xff"):
        (repository / "main" / "web" / "manifest.json").write_text(text, "latin-1")
        assert not planned("net", "--against", "main", cwd=repository)["changed"]


def test_the_working_tree_against_a_revision(repository):
    path = repository / "net" / "policy.seg"
    path.write_text(path.read_text() + "allow hr -> internet : tcp/8443\n")
    found = planned("net", "--against", "main", "--detailed-exitcode", cwd=repository, code=3)
    (access,) = found["access"]
    assert (access["kind"], access["source"], access["destination"]) == ("opens", "hr", "internet")
    assert access["statements"][0]["file"] == "net/policy.seg"
    (node,) = found["nodes"]
    assert ("add", "counter") in {(each["action"], each["kind"]) for each in node["changes"]}
    assert git(repository, "status", "--porcelain") == " M net/policy.seg\n"


def test_a_build_below_the_policy_is_none_of_it(repository):
    """Neither on the disk nor where it was committed."""
    for _ in range(2):
        assert segc("compile", ".", "-o", "build", cwd=repository).returncode == 0
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "built")
    for former in ("main", "build"):
        assert not planned(".", "--against", former, cwd=repository)["changed"]
    (repository / "build" / "gw1" / "late.seg").write_text("allow hr -> internet : tcp/8443\n")
    (access,) = planned(".", "--against", "main", cwd=repository)["access"]
    assert access["statements"][0]["file"] == "build/gw1/late.seg"
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "put beside what was built")
    assert not planned(".", "--against", "main", cwd=repository)["changed"]


def test_imports_come_from_the_same_revision(repository):
    services = repository / "services.seg"
    services.write_text(services.read_text().replace("tcp/443", "tcp/444"))
    kinds = {
        (each["kind"], each["services"])
        for each in planned("net", "--against", "HEAD", cwd=repository)["access"]
    }
    assert ("opens", "tcp/444") in kinds
    assert ("closes", "tcp/443") in kinds
    git(repository, "mv", "services.seg", "common.seg")
    main = repository / "net" / "policy.seg"
    main.write_text(main.read_text().replace("../services.seg", "../common.seg"))
    assert planned("net", "--against", "HEAD", cwd=repository)["access"]


@pytest.mark.parametrize(
    "revision",
    ["no-such", "--output=x", "-h", "main:net", "HEAD^{tree}", "a b", "main\n", "\x1b[31m", "x" * 5000],
)
def test_what_is_no_revision(repository, revision):
    done = segc("plan", "net", f"--against={revision}", cwd=repository)
    assert done.returncode == 1
    assert "is no build of `segc compile -o`, and no Git revision" in done.stderr
    assert "\x1b" not in done.stderr
    assert not list(repository.glob("x*"))


def test_a_shallow_clone_says_so(repository, tmp_path):
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "another")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), str(clone))
    done = segc("plan", "net", "--against", "HEAD~1", cwd=clone)
    assert done.returncode == 1
    assert "this shallow clone holds: `git fetch --unshallow` gets the rest" in done.stderr


def test_hostile_names_in_a_revision(repository):
    odd = repository / "net" / "-o\n $(touch owned) \u202e.seg"
    odd.write_text("allow hr -> internet : tcp/9\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "odd")
    odd.unlink()
    done = segc("plan", "net", "--against", "HEAD", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert "closes    hr -> internet : tcp/9" in done.stdout
    assert "\u202e" not in done.stdout
    assert not (repository / "owned").exists()


def test_a_link_in_a_revision_is_followed_within_it(repository):
    (repository / "net" / "linked.seg").symlink_to("../extra.txt")
    (repository / "extra.txt").write_text("allow hr -> internet : tcp/9\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "link")
    (repository / "net" / "linked.seg").unlink()
    assert [each["kind"] for each in planned("net", "--against", "HEAD", cwd=repository)["access"]] == [
        "closes"
    ]
    (repository / "net" / "other.seg").symlink_to("policy.seg")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "two names for one file")
    (repository / "net" / "other.seg").unlink()
    assert not planned("net", "--against", "HEAD", cwd=repository)["access"]
    (repository / "way").symlink_to("net")
    assert not planned("way", "--against", "HEAD", cwd=repository)["access"]
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "a folder by another name")
    assert not planned("way", "--against", "HEAD", cwd=repository)["access"]
    (repository / "net" / "out.seg").symlink_to("/etc/passwd")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "out")
    (repository / "net" / "out.seg").unlink()
    done = segc("plan", "net", "--against", "HEAD", cwd=repository)
    assert done.returncode == 1
    assert "was no file" in done.stderr


def test_a_policy_in_a_submodule_is_not_taken_for_none(repository, tmp_path):
    """Else a deny in it that is gone by now would be no difference."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "deny.seg").write_text("deny hr -> internet : tcp/80\n")
    for folder, *command in (
        (other, "init", "-q", "-b", "main"), (other, "add", "-A"), (other, "commit", "-q", "-m", "first"),
        (repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other, "net/other"),
        (repository, "commit", "-q", "-m", "with another"),
    ):  # fmt: skip
        git(folder, *map(str, command))
    done = segc("plan", "net", "--against", "HEAD", cwd=repository)
    assert (done.returncode, "`net/other` is a submodule" in done.stderr) == (1, True), done.stderr
    (repository / "net" / "other" / "deny.seg").unlink()
    assert not planned("net", "--against", "HEAD", cwd=repository)["access"]
    git(repository, "rm", "-q", "-f", "net/other")
    done = segc("plan", "net", "--against", "HEAD", cwd=repository)
    assert (done.returncode, "`net/other` is a submodule" in done.stderr) == (1, True), done.stderr


def test_one_commit_is_not_read_as_another(repository):
    """`git replace` is a ref like others, and comes with `git fetch refs/*`."""
    (repository / "net" / "policy.seg").write_text(
        f'import "../services.seg"\nzone hr{OPENED.split("zone hr", 1)[1]}'
    )
    git(repository, "commit", "-q", "-a", "-m", "opened")
    git(repository, "replace", "HEAD~1", "HEAD")
    (found,) = planned("net", "--against", "HEAD~1", cwd=repository)["access"]
    assert (found["kind"], found["services"]) == ("opens", "tcp/8443")


@pytest.mark.parametrize("revision", ["main", "main~0", "main^{commit}"])
def test_a_tag_is_not_taken_for_the_branch_of_its_name(repository, revision):
    git(repository, "tag", "main")
    done = segc("plan", "net", "--against", revision, cwd=repository)
    assert done.returncode == 1
    assert "`main` is `refs/tags/main` and `refs/heads/main`: write out which one is meant" in done.stderr
    assert not planned("net", "--against", "refs/heads/main", cwd=repository)["access"]


def test_a_revision_that_does_not_compile(repository):
    (repository / "net" / "policy.seg").write_text(BROKEN)
    git(repository, "commit", "-q", "-a", "-m", "broken")
    (repository / "net" / "policy.seg").write_text(CLEAN)
    done = segc("plan", "net", "--against", "HEAD", cwd=repository)
    assert done.returncode == 1
    assert "the policy of `HEAD` has errors" in done.stderr


def test_outside_of_git(tmp_path):
    path = policy(tmp_path)
    done = segc("plan", path, "--against", "main", cwd=tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_against_a_build(tmp_path):
    build, path = tmp_path / "build", policy(tmp_path)
    assert segc("compile", path, "-o", build).returncode == 0
    assert not planned(path, "--against", build, "--detailed-exitcode", cwd=tmp_path)["changed"]
    policy(tmp_path, OPENED)
    found = planned(path, "--against", build, "--detailed-exitcode", cwd=tmp_path, code=3)
    assert [each["kind"] for each in found["access"]] == ["opens"]
    links = build / "gw1" / "links.json"
    links.write_text(links.read_text().replace('"vlan"', '"wlan"'))
    for damaged in (links, build / "gw1" / "ruleset.nft"):
        done = segc("plan", path, "--against", build, cwd=tmp_path)
        assert done.returncode == 1
        assert "is not as `segc compile` wrote it" in done.stderr, done.stderr
        damaged.unlink()
    manifest = build / "gw1" / "manifest.json"
    (build / "secret").write_text("beside what was compiled")
    for files in ('{"../secret": ""}', "[1]", "{}"):
        manifest.write_text(f'{{"segc": "0", "files": {files}}}')
        done = segc("plan", path, "--against", build, cwd=tmp_path)
        assert (done.returncode, "segc has a bug" in done.stderr) == (1, False), done.stderr


def test_a_saved_plan_holds_all_that_an_apply_needs(tmp_path):
    build, path, saved = tmp_path / "build", policy(tmp_path), tmp_path / "plan.json"
    segc("compile", path, "-o", build)
    policy(tmp_path, OPENED)
    done = segc("plan", path, "--against", build, "--out", saved)
    assert (done.returncode, "Plan saved as" in done.stderr) == (0, True)
    text = saved.read_text()
    schema("plan").validate(json.loads(text))
    plan = read_plan(text)
    segc("compile", path, "-o", build)
    for file in plan.files:
        assert (build / file.node / file.name).read_text() == file.text
    assert dict(plan.sources) == {"policy.seg": OPENED}
    assert segc("plan", path, "--against", build, "--out", tmp_path / "no" / "such").returncode == 1


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("gains", 1),
        ("losses", 0),
        ("gains:to=internet", 1),
        ("gains:to=finance", 0),
        ("gains:from=hr:to=internet", 1),
    ],
)
def test_what_stops_a_pipeline(tmp_path, condition, code):
    build, path = tmp_path / "build", policy(tmp_path)
    segc("compile", path, "-o", build)
    policy(tmp_path, OPENED)
    done = segc("plan", path, "--against", build, "--fail-on", condition, "--strict")
    assert done.returncode == code, done.stderr
    assert ("stopped by" in done.stderr) == bool(code)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fail-on", "gians"),
        ("--fail-on", "gains:to=nowhere"),
        ("--netns", "x"),
        ("--against", ""),
        ("--node", "gw1"),
        ("--format", "xml"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, arguments):
    build, path = tmp_path / "build", policy(tmp_path)
    segc("compile", path, "-o", build)
    assert segc("plan", path, "--against", build, *arguments).returncode == 2


def test_a_policy_with_errors_is_not_planned(tmp_path):
    done = segc("plan", policy(tmp_path, BROKEN), "--against", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "SEG101" in done.stderr


def test_markdown_for_a_pull_request(tmp_path):
    build, path = tmp_path / "build", policy(tmp_path)
    segc("compile", path, "-o", build)
    policy(tmp_path, OPENED)
    done = segc("plan", path, "--against", build, "--format", "markdown")
    assert done.stdout.startswith("### segc plan: 1 opened, 0 closed, 0 other\n")
    assert "- **opens** `hr -> internet : tcp/8443`" in done.stdout
    assert done.stdout.count("<details>") == done.stdout.count("</details>") == 1


def test_a_former_that_is_neither_a_build_nor_in_git(tmp_path):
    (tmp_path / "policy.seg").write_text(CLEAN)
    done = segc("plan", ".", "--against", "biuld", cwd=tmp_path)
    assert done.returncode == 1
    assert (
        "Error: `biuld` is no build of `segc compile -o`, and `.` lies in no Git repository\n" in done.stderr
    )
