"""`segc uninstall`: what goes, in which order, what stays, and that nobody is locked out."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from segc.apply import boot, timer, uninstall
from segc.apply.errors import ApplyError
from segc.apply.state import State
from tests.netns.agents import AgentHost
from tests.netns.applying import Host
from tests.netns.namespace import Namespace, nft, run

WEB = "allow as web a -> b : tcp/443"
OPEN = "allow any -> any : any\nallow any -> gateway gw : any"
SETTINGS = ["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
REACHED = "a.5 -> b.7 : tcp/444 yes\nb.5 -> a.7 : udp/9 yes\na.5 -> gw : tcp/22 yes"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AgentHost]:
    with AgentHost(folder=tmp_path) as host:
        host.apply(WEB)
        yield host


def forwarding(host: Host) -> list[str]:
    return run(host.gateway.namespace, SETTINGS).stdout.split()


def uninstalled(host: Host, *options: str, code: int = 0) -> str:
    done = host.segc("uninstall", *options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_everything_is_open_then_and_can_be_enforced_again(host: AgentHost) -> None:
    host.inside(lambda: nft("add table inet other"))
    host.check("a.5 -> b.7 : tcp/444 no\na.5 -> gw : tcp/22 no")
    told = uninstalled(host, "--yes")
    assert "every zone reaches every other" in told
    assert told.endswith("done: delete table inet segc\n")
    assert host.nft("list", "tables") == "table inet other\n"
    assert forwarding(host) == ["1", "1"]
    assert "nothing is enforced" in host.segc("status").stdout
    host.now(OPEN)
    host.check(REACHED)
    assert uninstalled(host, "--yes") == "there is nothing to take away: segc enforces nothing here\n"
    assert host.segc("verify", "--heal").returncode == 0
    host.now(WEB)
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> b.7 : tcp/444 no")


def test_forwarding_can_end_before_the_host_is_open(host: AgentHost) -> None:
    told = uninstalled(host, "--yes", "--stop-forwarding")
    done = [line.removeprefix("done: ") for line in told.splitlines() if line.startswith("done")]
    assert done == [
        "set net.ipv4.ip_forward to 0",
        "set net.ipv6.conf.all.forwarding to 0",
        "delete table inet segc",
    ]
    assert "every zone reaches" not in told
    assert forwarding(host) == ["0", "0"]
    run(host.gateway.namespace, ["sysctl", "-w", "net.ipv4.ip_forward=1"])
    uninstalled(host, "--yes", "--stop-forwarding")  # nothing of segc's is there: somebody else forwards
    assert forwarding(host) == ["1", "0"]


def test_whoever_looks_first_changes_nothing(host: AgentHost) -> None:
    before = host.transactions()
    told = uninstalled(host, "--dry-run", "--links", "--stop-forwarding", "--purge")
    assert "  take 10.1.0.1/24 off a0\n" in told
    assert "  set net.ipv4.ip_forward to 0\n" in told
    assert f"  the history in `{host.state.root}`\n" in told
    assert told.endswith("nothing was changed\n")
    assert "nobody is here to be asked; nothing was changed: say `--yes`" in uninstalled(host, code=2)
    assert host.transactions() == before
    assert host.segc("verify").returncode == 0


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_asks(host: AgentHost, answer: str, code: int) -> None:
    outer, inner = pty.openpty()
    argv = [sys.executable, "-m", "segc", "uninstall", *host.where]
    with subprocess.Popen(argv, stdin=inner, stdout=subprocess.PIPE, text=True) as asked:
        os.write(outer, f"{answer}\n".encode())
        told, _ = asked.communicate()
    os.close(outer)
    os.close(inner)
    assert asked.returncode == code, told
    assert "go on? [y/N]" in told
    assert bool(host.nft("list", "tables")) == bool(code)


def test_what_waits_to_be_confirmed_comes_first(host: AgentHost) -> None:
    host.apply(f"{WEB}\nallow as more a -> b : tcp/80", "--confirm", "1h")
    told = uninstalled(host, "--yes", code=6)
    assert "generation 2 waits to be confirmed; nothing was changed" in told
    assert host.marker() == (2,)


def test_links_go_if_that_is_asked_for_and_nobody_is_cut_off(host: AgentHost) -> None:
    here = os.environ | {"SSH_CONNECTION": "10.1.0.9 50000 10.1.0.1 22"}
    done = host.segc("uninstall", "--yes", "--links", **here)
    assert done.returncode == 4
    assert "your own connection comes in by `a0`: take 10.1.0.1/24 off a0; nothing was changed" in done.stderr
    assert host.segc("verify").returncode == 0
    uninstalled(host, "--yes", "--links")
    left = run(host.gateway.namespace, ["ip", "-o", "addr", "show", "dev", "a0", "scope", "global"]).stdout
    assert left == ""
    assert host.nft("list", "tables") == ""
    assert "there is nothing" in uninstalled(host, "--yes", "--links")


def test_all_that_segc_has_written_can_go(host: AgentHost) -> None:
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=3600)
    host.kill_agent()
    host.apply(f"{WEB}\nallow as more a -> b : tcp/80", "--confirm", "1h")
    assert host.segc("rollback").returncode == 0
    (host.state.root / ".current.new").symlink_to("generations/1")
    uninstalled(host, "--yes", "--purge")
    assert not host.state.root.exists()
    assert "there is nothing" in uninstalled(host, "--yes", "--purge")


def test_what_others_put_beside_it_stays(host: AgentHost) -> None:
    (host.state.root / "notes").write_text("mine")
    assert uninstalled(host, "--yes", "--purge").endswith(f"left in {host.state.root}: notes\n")
    assert [path.name for path in host.state.root.iterdir()] == ["notes"]


# -- units ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `segc install` writes, enabled as systemd does that, beside units of others."""
    folder = tmp_path / "root/etc/systemd/system"
    (folder / "nftables.service.d").mkdir(parents=True)
    (folder / "nftables.service").write_text("[Service]\nExecStart=/bin/true\n")
    (folder / "segc-pull.timer").write_text("[Timer]\nOnBootSec=1\n[Install]\nWantedBy=timers.target\n")
    (tmp_path / "state").mkdir()
    for name in boot.SCRIPTS:
        (tmp_path / "state" / name).write_text("exit 0\n")
    for name, text in boot.units(tmp_path / "state", "/usr/bin/segc", heal=True).items():
        (folder / name).write_text(text)
    names = [*boot.ENABLED, "segc-pull.timer"]
    run_systemctl(folder, "enable", *names)
    return folder


def run_systemctl(folder: Path, *arguments: str) -> None:
    root = folder.parents[2]
    subprocess.run(["systemctl", f"--root={root}", *arguments], check=True, capture_output=True)


def in_place(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command itself, where these units are the host's, no systemd runs and a table stands."""
    script = (
        f"mount --bind {folder} /etc/systemd/system; mkdir -p /run/systemd; mount -t tmpfs none /run/systemd;"
        'nft add table inet segc; "$@"; code=$?; nft list tables; exit $code'
    )
    argv = ["unshare", "--net", "--mount", "sh", "-c", script, "sh", sys.executable, "-m", "segc"]
    argv += ["uninstall", *options]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_nothing_of_the_units_is_left_and_those_of_others_are(folder: Path, tmp_path: Path) -> None:
    done = in_place(folder, "--yes", "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 0, done.stderr
    assert "left alone, whatever they do, as they are yours: segc-pull.timer\n" in done.stdout
    assert names(folder) == {
        "nftables.service",
        "segc-pull.timer",
        "timers.target.wants",
        "timers.target.wants/segc-pull.timer",
    }
    assert names(tmp_path / "state") == {"generations", "lock"}
    assert "table inet segc" not in done.stdout.splitlines()
    again = in_place(folder, "--yes", "--state-dir", str(tmp_path / "state"))
    assert again.returncode == 0
    assert "segc.service" not in again.stdout


def test_units_of_another_state_directory_are_told(folder: Path, tmp_path: Path) -> None:
    before = names(folder)
    done = in_place(folder, "--yes", "--state-dir", str(tmp_path / "other"))
    assert done.returncode == 1
    assert f"the units here are of the state directory `{tmp_path / 'state'}`" in done.stderr
    assert f"nothing was changed: `--state-dir {tmp_path / 'state'}`" in done.stderr
    assert names(folder) == before
    assert "table inet segc" in done.stdout
    assert not (tmp_path / "other").exists()


def test_an_interrupted_one_is_finished_by_the_next(folder: Path, tmp_path: Path) -> None:
    for name in ("segc.service", "segc-heal.service", "nftables.service.d/segc.conf"):
        (folder / name).unlink()
    done = in_place(folder, "--yes", "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 0, done.stderr
    assert not [each for each in names(folder) if "segc" in each and "pull" not in each]


@pytest.fixture
def systemd(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What systemd is told; the first element says how it answers."""
    answers = ["0 "]
    running = uninstall.host.run

    def run(*argv: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        if argv[0] != "systemctl":
            return running(*argv, stdin=stdin)
        answers.append(" ".join(argv[1:]) + (" beside units" if (folder / "segc.service").exists() else ""))
        code, _, words = answers[0].partition(" ")
        return subprocess.CompletedProcess(argv, int(code), "", words)

    monkeypatch.setattr(uninstall.host, "run", run)
    monkeypatch.setattr(boot, "UNITS", folder)
    monkeypatch.setattr(timer, "SYSTEMD", tmp_path)
    return answers


def removed(state: Path) -> list[str]:
    def work() -> list[str]:
        nft("add table inet segc")
        with IPRoute() as links:
            found = uninstall.survey(State(state), "", links, devices=False, forwarding=False)
            return list(uninstall.remove(found, "", links))

    return Namespace.create().call(work)


@pytest.mark.parametrize("answer", ["0 ", "5 Failed to stop segc-revoke.timer: Unit … not loaded."])
def test_units_are_stopped_before_they_go_and_then_forgotten(
    systemd: list[str], tmp_path: Path, answer: str
) -> None:
    systemd[0] = answer
    assert removed(tmp_path / "state")[-1] == "delete table inet segc"
    assert systemd[1:] == [f"stop {' '.join(boot.STOPPED)} beside units", "daemon-reload"]


@pytest.mark.parametrize(
    "answer",
    ["1 Failed to connect to bus: …", "5 Unit segc.service not loaded.\nFailed to connect to bus: …"],
)
def test_where_a_unit_cannot_be_stopped_the_table_stands(
    systemd: list[str], folder: Path, tmp_path: Path, answer: str
) -> None:
    systemd[0] = answer
    with pytest.raises(ApplyError, match=r"stop: failed to connect to bus: …; the table stands as it was"):
        removed(tmp_path / "state")
    assert (folder / "segc.service").exists()


def test_without_root_it_says_so() -> None:
    script = "import os; from segc.cli.uninstall import command; os.setuid(65534); command(['--dry-run'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: `segc uninstall` is for root: it deletes tables and units\n",
    )
