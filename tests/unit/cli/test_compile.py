import errno
import json
import os
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from segc.cli import folder
from segc.cli.folder import RefusedError, replace_folder
from segc.compile import PROVED_ANYWAY
from tests.unit.cli.policies import BROKEN, CLEAN, WARNING, policy, segc
from tests.unit.cli.test_check import schema

OLD = {"gw1": {"manifest.json": '{"segc": "0", "files": {"a": "", "d/b": ""}}', "a": "old", "d/b": "old"}}
NEW = {
    "gw2": {"manifest.json": '{"segc": "0", "files": {"c": ""}}', "c": "new"},
    "gw3": {"manifest.json": '{"segc": "0", "files": {}}'},
}


def contents(path):
    return {
        str(each.relative_to(path)): each.read_text() for each in sorted(path.rglob("*")) if each.is_file()
    }


def flat(nodes):
    return {f"{node}/{name}": text for node, files in nodes.items() for name, text in files.items()}


def test_what_is_written(tmp_path):
    path, out = policy(tmp_path), tmp_path / "build"
    done = segc("compile", path, "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"gw1  {out}/gw1  ")
    assert "ruleset.nft" in done.stdout
    manifest = json.loads((out / "gw1" / "manifest.json").read_text())
    for name, digest in manifest["files"].items():
        assert sha256((out / "gw1" / name).read_bytes()).hexdigest() == digest
    assert set(contents(out / "gw1")) == {*manifest["files"], "manifest.json"}


def test_python_without_assertions_writes_the_same(tmp_path):
    path = policy(tmp_path)
    done = segc("compile", path, "--prove", "-o", "-", PYTHONOPTIMIZE="1", SEGC_CACHE="0")
    assert (done.returncode, done.stdout) == (0, segc("compile", path, "-o", "-").stdout)


def test_a_policy_that_imports_from_above_where_one_stands(tmp_path):
    """The same, to the byte, as from the folder that holds all of it."""
    net = tmp_path / "net"
    net.mkdir()
    services, rest = CLEAN.split("zone hr", 1)
    (tmp_path / "services.seg").write_text(services)
    (net / "policy.seg").write_text(f'import "../services.seg"\nzone hr{rest}')
    built = []
    places = (
        (net, ["."]),
        (tmp_path, ["net"]),
        (net, ["../net"]),
        (net, ["policy.seg", tmp_path / "services.seg"]),
    )
    for at, (here, named) in enumerate(places):
        done = segc("compile", *named, "-o", tmp_path / f"b{at}", cwd=here)
        assert done.returncode == 0, done.stderr
        built.append(contents(tmp_path / f"b{at}"))
    assert all(each == built[0] for each in built)
    assert {"gw1/policy/net/policy.seg", "gw1/policy/services.seg"} <= built[0].keys()


def test_no_folder_to_write_to(tmp_path):
    done = segc("compile", policy(tmp_path, CLEAN))
    assert done.returncode == 2
    assert "where to? `-o build` writes" in done.stderr


def test_the_ruleset_alone(tmp_path):
    path, out = policy(tmp_path), tmp_path / "build"
    segc("compile", path, "-o", out)
    assert segc("compile", path, "-o", "-").stdout == (out / "gw1" / "ruleset.nft").read_text()
    second = policy(tmp_path, CLEAN + "gateway gw2 { interface lan9 { trunk hr, finance } }\n")
    refused = segc("compile", second, "-o", "-")
    assert refused.returncode == 2
    assert "`gw1`, `gw2`" in refused.stderr
    assert "gateway gw2" in segc("compile", second, "-o", "-", "--node", "gw2").stdout
    assert segc("compile", second, "-o", "-", "--node", "gw3").returncode == 2
    assert segc("compile", path, "-o", out, "--node", "gw1").returncode == 2


def test_json(tmp_path):
    out = tmp_path / "build"
    for text, nodes, code in (CLEAN, ["gw1"], 0), (BROKEN, [], 1):
        done = segc("compile", policy(tmp_path, text), "-o", out, "--format", "json")
        told = json.loads(done.stdout)
        schema("compile").validate(told)
        assert [node["name"] for node in told["nodes"]] == nodes
        assert (done.returncode, done.stderr) == (code, "")
        for node in told["nodes"]:
            assert set(node["files"]) == set(contents(Path(node["folder"])))


def test_errors_leave_a_former_build_alone(tmp_path):
    out = tmp_path / "build"
    segc("compile", policy(tmp_path), "-o", out)
    before = contents(out)
    done = segc("compile", policy(tmp_path, BROKEN), "-o", out)
    assert (done.returncode, done.stdout) == (1, "")
    assert "SEG101" in done.stderr
    assert segc("compile", policy(tmp_path, WARNING), "-o", out, "--strict").returncode == 1
    assert contents(out) == before


def test_nothing_of_a_former_build_stays(tmp_path):
    out = tmp_path / "build"
    segc("compile", policy(tmp_path, CLEAN.replace("gw1", "gw0")), "-o", out)
    segc("compile", policy(tmp_path), "-o", out)
    assert [each.name for each in out.iterdir()] == ["gw1"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["build", "policy.seg"]


def test_a_pipe_for_a_manifest_is_not_waited_for(tmp_path):
    out = tmp_path / "build"
    (out / "gw1").mkdir(parents=True)
    os.mkfifo(out / "gw1" / "manifest.json")
    assert folder.listed(out / "gw1" / "manifest.json") == frozenset()
    done = segc("compile", policy(tmp_path), "-o", out)
    assert (done.returncode, "`gw1/manifest.json`, which segc did not write" in done.stderr) == (1, True)
    done = segc("plan", policy(tmp_path), "--against", out)
    assert "no build of `segc compile -o`" in done.stderr


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    out = tmp_path / "build"
    segc("compile", policy(tmp_path), "-o", out)
    for stranger in (out / "notes.txt", out / "gw1" / "notes.txt", out / "gw1" / "sub" / "notes.txt"):
        stranger.parent.mkdir(exist_ok=True)
        stranger.write_text("mine")
        done = segc("compile", policy(tmp_path), "-o", out)
        assert done.returncode == 1
        assert f"`{stranger.relative_to(out)}`, which segc did not write" in done.stderr
        assert stranger.read_text() == "mine"
        stranger.unlink()
    (out / "gw1" / "link").symlink_to("/etc/passwd")
    assert segc("compile", policy(tmp_path), "-o", out).returncode == 1


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (".", "is the folder that you are in"),
        ("..", "holds the folder that you are in"),
        ("/", "holds the folder that you are in"),
        ("policy.seg", "is a file"),
        ("/dev/null", "is a file"),
        ("/proc/nothing", "cannot be written"),
        ("policy.seg/x", "cannot be written"),
    ],
)
def test_targets_that_will_not_do(tmp_path, target, why):
    policy(tmp_path)
    done = segc("compile", "policy.seg", "-o", target, cwd=tmp_path)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.startswith("Error: `")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["policy.seg"]


def test_an_empty_name_is_no_folder(tmp_path):
    done = segc("compile", policy(tmp_path), "-o", "", cwd=tmp_path)
    assert (done.returncode, "name of the folder is empty" in done.stderr) == (1, True)


def test_an_empty_folder_is_taken_with_its_mode(tmp_path):
    out = tmp_path / "build"
    out.mkdir(mode=0o700)
    assert segc("compile", policy(tmp_path), "-o", out).returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_modes_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        replace_folder(str(tmp_path / "out"), NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out" / "gw2" / "c").stat().st_mode) == mode


@pytest.mark.parametrize("name", ["..", ".", "", "a/../../b", "/etc/passwd", "a//b", "a\0b"])
def test_names_cannot_leave_the_folder(tmp_path, name):
    for hostile in ({name: {"f": "x"}}, {"gw": {name: "x"}}):
        with pytest.raises(ValueError, match="cannot name a file"):
            replace_folder(str(tmp_path / "out"), hostile)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_build(tmp_path, monkeypatch):
    out = tmp_path / "out"
    replace_folder(str(out), OLD)

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_folder(str(out), NEW)
    assert contents(out) == flat(OLD)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to("real")
    replace_folder(str(tmp_path / "link"), OLD)
    replace_folder(str(tmp_path / "link"), NEW)
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real") == flat(NEW)


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from segc.cli import folder
left = int(sys.argv[2])
def count(event, arguments):
    global left
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "ctypes.dlsym"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
if {plain}:
    def lacking(one, other):
        raise OSError({einval}, "")
    folder._exchange = lacking
sys.addaudithook(count)
folder.replace_folder(sys.argv[1], {new!r})
os._exit(0)
"""


@pytest.mark.parametrize("plain", [False, True], ids=["exchange", "two-renames"])
def test_killed_at_any_step_it_is_the_old_or_the_new_whole(tmp_path, plain):
    """Killed before each of its system calls in turn, until one run gets through."""
    root = str(Path(folder.__file__).parents[2])
    script = KILLED.format(root=root, plain=plain, einval=errno.EINVAL, new=NEW)
    seen = set()
    for step in range(200):
        parent = tmp_path / str(step)
        replace_folder(str(parent / "out"), OLD)
        done = subprocess.run([sys.executable, "-c", script, str(parent / "out"), str(step)], check=False)
        now = contents(parent / "out") if (parent / "out").exists() else None
        assert now in (flat(OLD), flat(NEW)) or (plain and now is None)
        seen.add("none" if now is None else "old" if now == flat(OLD) else "new")
        replace_folder(str(parent / "out"), OLD if now is None else NEW)
        assert [each.name for each in parent.iterdir()] == ["out"]
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert seen == ({"old", "new", "none"} if plain else {"old", "new"})


def test_what_two_renames_left_behind_is_put_back(tmp_path):
    replace_folder(str(tmp_path / "out"), OLD)
    (tmp_path / "out").rename(tmp_path / ".out.segc-old")
    with pytest.raises(ValueError, match="cannot name"):
        replace_folder(str(tmp_path / "out"), {"..": {"a": ""}})
    assert contents(tmp_path / "out") == flat(OLD)


def test_two_writers_take_turns(tmp_path):
    script = """
import sys
sys.path.insert(0, sys.argv[3])
from segc.cli.folder import replace_folder
for n in range(40):
    replace_folder(sys.argv[1], {sys.argv[2]: {"manifest.json": '{"segc": "0", "files": {}}'}})
"""
    root = str(Path(folder.__file__).parents[2])
    arguments = [sys.executable, "-c", script, str(tmp_path / "out")]
    running = [subprocess.Popen([*arguments, name, root]) for name in ("one", "two")]
    assert [each.wait(60) for each in running] == [0, 0]
    assert [each.name for each in (tmp_path / "out").iterdir()] in (["one"], ["two"])


def test_a_strange_folder_says_so_itself(tmp_path):
    (tmp_path / "out" / "gw1").mkdir(parents=True)
    with pytest.raises(RefusedError, match="`gw1`, which segc did not write"):
        replace_folder(str(tmp_path / "out"), NEW)


def test_names_that_no_chain_can_have(tmp_path):
    """However long a name is, the finding quotes it whole or cut, and never with a quote left open."""
    zone, host = "z" * 120, "h" * 51
    text = f"zone {zone} {{ subnet 10.0.0.0/24 }}\nzone a {{ subnet 10.1.0.0/24  host {host} = 10.1.0.2 }}\n"
    done = segc("compile", policy(tmp_path, text), "-o", tmp_path / "build")
    assert done.returncode == 1
    assert f"the name of zone `{'z' * 59}…` is too long for nftables" in done.stderr + done.stdout
    assert f"the name of host `a.{host}` is too long for nftables" in done.stderr + done.stdout
    assert "53 characters, with its zone's name" in done.stderr + done.stdout
    assert not (tmp_path / "build").exists()


def test_what_was_compiled_before_is_proved_on_demand(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SEGC_CACHE", "1")
    ports = "".join(f"allow hr -> vpn : tcp/{port}\n" for port in range(2000, 2000 + PROVED_ANYWAY))
    for text, skipped in ((CLEAN, False), (CLEAN + ports, True)):
        path, out = policy(tmp_path, text), tmp_path / "out"
        said = [
            segc("compile", path, "-o", out, *more).stdout for more in ((), (), ("--prove",), ("--no-prove",))
        ]
        assert ["not proved again" in each for each in said] == [False, skipped, False, False]


def test_names_of_others_do_not_steer_the_terminal(tmp_path):
    out = tmp_path / "a\x1b[31m\nb"
    done = segc("compile", policy(tmp_path), "-o", out)
    assert (done.returncode, "\x1b" in done.stdout) == (0, False)
    (out / "\x1b[2J\nError").touch()
    done = segc("compile", policy(tmp_path), "-o", out)
    assert (done.returncode, "\x1b" in done.stderr, done.stderr.count("\n")) == (1, False, 1), done.stderr


def test_from_a_folder_that_is_gone(tmp_path):
    path, out, gone = policy(tmp_path), tmp_path / "build", tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$0" -m segc compile "$1" -o "$2"'
    for where, code in ((out, 0), ("build", 1), ("..", 1)):
        gone.mkdir(exist_ok=True)
        words = ["sh", "-c", script, sys.executable, path, where]
        done = subprocess.run(words, cwd=gone, capture_output=True, text=True, check=False)
        assert (done.returncode, "bug" in done.stderr) == (code, False), done.stderr
    assert (out / "gw1" / "ruleset.nft").exists()
