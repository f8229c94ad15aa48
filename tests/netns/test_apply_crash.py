"""`segc apply` that dies, or cannot go on: afterwards the host is in the old or the new state, whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from segc.apply.errors import ApplyError
from tests.netns.applying import Host
from tests.netns.namespace import run

OLD = "allow as web a -> b : tcp/443\nallow as mail a -> c : tcp/25"
NEW = "allow as web a -> b : tcp/443\nallow as files b -> c : tcp/445, tcp/1000-1010"
SHOWN = {
    OLD: "a.5 -> b.7 : tcp/443 yes\n"
    "a.5 -> c.7 : tcp/25 yes\nb.5 -> c.7 : tcp/445 no\nb.5 -> c.7 : tcp/1005 no",
    NEW: "a.5 -> b.7 : tcp/443 yes\n"
    "a.5 -> c.7 : tcp/25 no\nb.5 -> c.7 : tcp/445 yes\nb.5 -> c.7 : tcp/1005 yes",
}
# Applies a saved policy in a process of its own, which kills itself just before the step that it is told of,
# or, for `ruleset!`, just after the transaction.
DYING = dedent(
    """
    import json, os, signal, sys
    from pathlib import Path
    from pyroute2 import IPRoute
    from segc.apply import host, saga
    from segc.apply.state import State
    from segc.apply.work import Wanted

    state, netns, saved, window, at = sys.argv[1:]
    def die(step=""):
        os.kill(os.getpid(), signal.SIGKILL)
    def before(step):
        if step == at:
            die()
    load, transact = host.load, saga.transact
    if at == "ruleset!":
        host.load = lambda text: (load(text), die())
        saga.transact = lambda changes: (transact(changes), die())
    host.enter(netns)
    wanted = Wanted(**json.loads(Path(saved).read_text()))
    with State(Path(state)).locked(), IPRoute() as links:
        saga.apply(State(Path(state)), wanted, links, window=int(window) or None, netns=netns, before=before)
    """
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        host.apply(OLD)
        yield host


def dying(host: Host, statements: str, at: str, window: int = 0) -> subprocess.Popen[str]:
    wanted = host.wanted(statements)
    saved = host.folder / "wanted.json"
    fields = {name: getattr(wanted, name) for name in ("node", "policy", "sources", "artifacts", "why")}
    saved.write_text(json.dumps(fields))
    argv = [sys.executable, "-c", DYING, str(host.state.root), host.name, str(saved), str(window), at]
    return subprocess.Popen(argv, text=True, stderr=subprocess.PIPE)


def stands(host: Host, statements: str) -> None:
    """The whole of these statements is in force, and nothing else."""
    host.now(statements)
    host.check(SHOWN[statements])
    done = host.segc("apply", host.write(statements))
    assert "nothing to do" in done.stdout, done.stdout + done.stderr


LINK = "bring b0 up"
FORWARDING = "set net.ipv4.ip_forward to 1"
STEPS = ["arm", LINK, "ruleset", "ruleset!", FORWARDING, "cut", "current", "settle"]


@pytest.mark.parametrize(
    ("step", "window"), [*((step, 0) for step in STEPS), ("arm", 3600), ("ruleset!", 3600)]
)
def test_killed_at_a_step_it_is_old_or_new_once_segc_comes_again(host: Host, step: str, window: int) -> None:
    run(host.gateway.namespace, ["sh", "-c", "ip link set b0 down; echo 0 >/proc/sys/net/ipv4/ip_forward"])
    process = dying(host, NEW, step, window)
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told
    assert host.standing()[2] == 2
    done = host.segc("status")
    new = step == "settle"
    assert done.returncode == 0, done.stderr
    assert ("generation 2 stands" if new else "generation 1 stands again") in done.stderr
    assert host.marker() == ((2,) if new else (1,))
    assert host.standing() == ((2, 2, None) if new else (1, 1, None))
    forwarding = run(host.gateway.namespace, ["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout.strip()
    assert forwarding == ("1" if new else "0")
    assert ("state DOWN" not in run(host.gateway.namespace, ["ip", "link", "show", "b0"]).stdout) is new


def test_killed_at_the_very_end_it_waits_to_be_confirmed(host: Host) -> None:
    dying(host, NEW, "settle", 3600).communicate()
    assert host.standing() == (2, 1, 2)
    assert "unless `segc confirm` comes" in host.segc("status").stdout
    assert host.segc("confirm").returncode == 0
    stands(host, NEW)


@pytest.mark.parametrize("step", ["ruleset", "ruleset!", "cut", "current", "settle"])
def test_a_ruleset_is_whole_after_a_kill(host: Host, step: str) -> None:
    process = dying(host, NEW, step)
    process.communicate()
    packets = {"ruleset": OLD}.get(step, NEW)
    host.now(packets)
    host.check(SHOWN[packets])
    assert host.segc("status").returncode == 0
    stands(host, NEW if step == "settle" else OLD)


RENUMBERED = f"{NEW}\ndeny as shut b.one -> c : tcp/1005"
SHOWN[RENUMBERED] = f"{SHOWN[NEW]}\nb.11 -> c.7 : tcp/1005 no\nb.11 -> c.7 : tcp/445 yes"


@pytest.mark.parametrize("step", ["ruleset 2", "ruleset 3"])
def test_killed_between_transactions_it_is_whole_all_the_same(host: Host, step: str) -> None:
    """Where mark numbers change there are three; the first one alone says all that is new."""
    host.apply(NEW)
    process = dying(host, RENUMBERED, step)
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told
    host.now(RENUMBERED)
    host.check(SHOWN[RENUMBERED])
    assert "generation 2 stands again" in host.segc("status").stderr
    stands(host, NEW)


def test_a_watch_undoes_it_where_nobody_comes(host: Host) -> None:
    process = dying(host, NEW, "settle", window=1)
    process.communicate()
    window = host.state.read("window.json")
    assert window["seconds"] > 60
    assert Path(f"/proc/{window['pid']}").exists()
    script = host.state.generations / "2/revert/revert.sh"
    assert subprocess.run(["sh", str(script), "another token"]).returncode == 0
    assert host.marker() == (2,)
    assert subprocess.run(["sh", str(script), window["token"]]).returncode == 0
    assert host.standing() == (1, 1, None)
    stands(host, OLD)


def test_the_revert_needs_nothing_of_segc(host: Host) -> None:
    """Not even Python: connections are all asked again then."""
    host.apply(NEW, "--confirm", "1h")
    files = host.talk("b.5", "c.7", 4, "tcp", 445)
    assert files.open()
    folder = host.state.generations / "2/revert"
    conf = folder / "conf"
    conf.write_text(
        "".join(f"{line}\n" for line in conf.read_text().splitlines() if "python=" not in line)
        + "python=/nowhere/python\n"
    )
    assert subprocess.run(["env", "-i", "/bin/sh", str(folder / "revert.sh")]).returncode == 0
    assert not files.to_client()
    stands(host, OLD)


def test_two_at_once(host: Host) -> None:
    with host.state.locked():
        done = host.segc("apply", host.write(NEW))
        assert done.returncode == 6
        assert "another segc is at work" in done.stderr
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "segc", "apply", host.write(NEW), *host.where],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for _ in range(4)
    ]  # fmt: skip
    codes = [each.wait() for each in processes]
    for each in processes:
        each.communicate()
    assert codes.count(0) >= 1
    stands(host, NEW)
    assert host.standing() == (2, 2, None)


def test_a_pending_generation_is_not_built_upon(host: Host) -> None:
    host.apply(NEW, "--confirm", "1h")
    assert "generation 2 waits to be confirmed" in host.apply(OLD, code=6)
    assert host.standing() == (2, 1, 2)


def test_a_read_only_state_directory_stops_an_apply_before_it_begins(host: Host) -> None:
    run(host.gateway.namespace, ["mount", "--bind", str(host.state_dir), str(host.state_dir)])
    try:
        run(host.gateway.namespace, ["mount", "-o", "remount,bind,ro", str(host.state_dir)])
        before = host.transactions()
        assert "cannot be written: read-only file system" in host.apply(NEW, code=1)
        assert host.transactions() == before
        assert host.segc("status").returncode == 0
    finally:
        run(host.gateway.namespace, ["umount", str(host.state_dir)])
    stands(host, OLD)


def test_what_waits_is_told_where_nothing_can_be_written(host: Host) -> None:
    host.apply(NEW, "--confirm", "1h")
    run(host.gateway.namespace, ["mount", "--bind", str(host.state_dir), str(host.state_dir)])
    try:
        run(host.gateway.namespace, ["mount", "-o", "remount,bind,ro", str(host.state_dir)])
        done = host.segc("status")
        assert (done.returncode, "read-only file system" in done.stderr) == (0, True)
        assert "generation 2 stands" in done.stdout
        assert "unless `segc confirm` comes" in done.stdout
    finally:
        run(host.gateway.namespace, ["umount", str(host.state_dir)])


def test_a_full_disk_stops_an_apply_before_it_begins(host: Host, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    run(host.gateway.namespace, ["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(small)])
    try:
        run(host.gateway.namespace, ["cp", "-a", f"{host.state_dir}/.", str(small)])
        host.state_dir = small
        free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
        (small / "ballast").write_bytes(bytes(max(0, free - 32 * 1024)))
        before = host.transactions()
        told = host.apply(NEW, code=1)
        assert "no space left on device; nothing was changed" in told
        assert host.transactions() == before
        assert host.standing() == (1, 1, None)
        (small / "ballast").unlink()
        stands(host, OLD)
    finally:
        run(host.gateway.namespace, ["umount", str(small)])


def test_an_undoing_that_a_full_disk_stops_is_done_again(host: Host, tmp_path: Path) -> None:
    """It said that all was undone, and that the undone generation stands."""
    small = tmp_path / "small"
    small.mkdir()
    run(host.gateway.namespace, ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=500", "tmpfs", str(small)])
    try:
        run(host.gateway.namespace, ["cp", "-a", f"{host.state_dir}/.", str(small)])
        host.state_dir = small
        host.apply(NEW, "--confirm", "1h")
        (small / "ballast").mkdir()
        for number in range(os.statvfs(small).f_ffree):
            (small / f"ballast/{number}").symlink_to("nowhere")
        done = host.segc("confirm")
        assert (done.returncode, host.standing()) == (1, (2, 1, 2))
        assert "cannot be written: no space left on device; it is not confirmed" in done.stderr
        done = host.segc("rollback")
        assert done.returncode == 1
        assert "could not be undone" in done.stderr
        assert host.standing() == (2, 1, 2)
        shutil.rmtree(small / "ballast")
        assert "generation 1 stands again" in host.segc("rollback").stdout
        stands(host, OLD)
    finally:
        run(host.gateway.namespace, ["umount", str(small)])


def test_a_disk_that_fills_up_midway_is_no_half_state(host: Host) -> None:
    """Whatever write fails after the kernel was touched, all is undone."""

    def no_space(step: str) -> None:
        if step == "current":
            raise OSError(28, "No space left on device")

    with pytest.raises(ApplyError, match="no space left on device; everything has been put back"):
        host.apply_here(host.wanted(NEW), before=no_space)
    assert host.standing() == (1, 1, None)
    stands(host, OLD)


def test_who_interrupts_an_apply_has_it_undone(host: Host) -> None:
    def control_c(step: str) -> None:
        if step == "cut":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        host.apply_here(host.wanted(NEW), before=control_c)
    assert host.standing() == (1, 1, None)
    assert host.state.ended(2) == "interrupted"
    stands(host, OLD)


def test_the_window_ends_on_time_whatever_the_clock_says(host: Host) -> None:
    """Deadlines are monotonic, so a clock that jumps a day moves nothing."""
    host.apply(NEW, "--confirm", "4s")
    window = host.state.read("window.json")
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    assert 0 < window["deadline"] - now <= 4
    host.now(NEW)
    host.check(SHOWN[NEW])
    end = time.monotonic() + 30
    while host.marker() != (1,) and time.monotonic() < end:
        time.sleep(0.1)
    assert time.clock_gettime(time.CLOCK_MONOTONIC) >= window["deadline"] - 0.2
    while host.standing()[2] is not None and time.monotonic() < end:
        time.sleep(0.1)
    stands(host, OLD)
    done = host.segc("confirm")
    assert done.returncode == 5
    assert "not confirmed in time" in done.stderr


def test_a_revert_brings_no_ended_session_back(host: Host) -> None:
    staff = f"{OLD}\nallow as staff-only group staff in a -> b : tcp/22"
    host.apply(staff)
    host.bind("a.5", "ana@x.example", timeout="1h")
    host.bind("a.6", "ana@x.example", timeout="1h")
    host.apply(f"{staff}\nallow as files b -> c : tcp/445", "--confirm", "1h")
    host.unbind("a.5")
    assert host.segc("rollback").returncode == 0
    host.now(staff)
    host.check("a.5 -> b.7 : tcp/22 no\na.6 -> b.7 : tcp/22 yes\nb.5 -> c.7 : tcp/445 no")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("delete table inet segc", "there is no `table inet segc`"),
        ("add table inet segc { flags dormant; }", "`table inet segc` is dormant"),
        ("add chain inet segc generation_1; delete chain inet segc generation_2", "it holds generation 1"),
        ("add chain inet segc generation_1", "it holds generations 1 and 2"),
        ("delete chain inet segc generation_2", "its `table inet segc` names no generation"),
    ],
)
def test_what_the_kernel_does_not_hold_is_not_confirmed(host: Host, how: str, words: str) -> None:
    host.apply(NEW, "--confirm", "1h")
    host.nft(how)
    done = host.segc("confirm")
    assert done.returncode == 1
    assert f"the kernel does not hold generation 2 any more: {words}; nothing was confirmed" in done.stderr
    assert host.standing() == (2, 1, 2)
    assert host.segc("verify", "--heal").returncode == 0
    assert host.segc("confirm").returncode == 0
    stands(host, NEW)


def test_after_a_reboot_what_nobody_confirmed_is_forgotten(host: Host) -> None:
    host.apply(NEW, "--confirm", "1h")
    meta = host.state.generations / "2/meta.json"
    meta.write_text(meta.read_text().replace('"boot": "', '"boot": "another'))
    done = host.segc("status")
    assert "generation 2 was not confirmed before a reboot: generation 1 is what stands" in done.stderr
    assert host.standing() == (1, 1, None)
