import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

import segc as package
from segc.cli import check
from segc.cli.app import COMMANDS
from segc.cli.app import segc as command
from tests.unit.cli.policies import BROKEN, CLEAN, policy, segc

SEGC = [sys.executable, "-m", "segc"]


def test_version_and_help():
    assert segc("--version").stdout == f"segc {package.__version__}\n"
    told = segc("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name}  ", told, re.MULTILINE)
        assert segc(name, "-h").returncode == 0


def test_usage_errors_are_2():
    for arguments in (
        ["chek"],
        ["check", "--nonsense"],
        ["check", "--format", "xml"],
        ["compile"],
        ["trace"],
        [],
    ):
        assert segc(*arguments).returncode == 2
    assert "did you mean `check`?" in segc("chek").stderr


def test_an_unexpected_exception_is_called_a_bug(monkeypatch, tmp_path):
    def planted(*arguments):
        raise KeyError("planted")

    monkeypatch.setattr(check, "read", planted)
    result = CliRunner().invoke(command, ["check", str(policy(tmp_path))])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("segc has a bug: KeyError: 'planted'\n")
    assert "Traceback" not in result.stderr
    debugged = CliRunner(env={"SEGC_DEBUG": "1"}).invoke(command, ["check", str(policy(tmp_path))])
    assert debugged.exit_code == 1
    assert "Traceback" in debugged.stderr


def test_a_reader_that_went_away(tmp_path):
    path = policy(tmp_path, CLEAN + "".join(f"allow hr -> unknown{n} : https\n" for n in range(99)))
    for format in ("text", "json"):
        running = subprocess.Popen(
            [*SEGC, "check", "--format", format, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 141


def test_a_closed_standard_output(tmp_path):
    script = f'exec >&-; exec "$0" -m segc check "{policy(tmp_path)}"'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert done.returncode == 0


def test_a_full_disk_behind_standard_output(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*SEGC, "check", policy(tmp_path)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"bug" not in done.stderr
    assert b"no space left" in done.stderr


@pytest.mark.parametrize(
    ("words", "closing", "code"),
    [
        ("--help", ">/dev/full", 1),
        ("--version", ">/dev/full", 1),
        ("--help", ">/dev/full 2>/dev/full", 1),
        ("check --nonsense", "2>/dev/full", 2),
        ("check --nonsense", "2>&-", 2),
        ("check missing", "<&- >&- 2>&-", 1),
        ("fmt -", "<&-", 1),
        ("fmt -", "<&- >&- 2>&-", 1),
        ("fmt -", "0>/dev/null", 1),
        ("fmt -", "</dev/zero", 1),
        ("fmt -", "</proc/self/mem", 1),
        ("verify --file - .", "<&-", 1),
        ("verify --file /dev/zero .", "", 1),
        ("apply /proc/self/mem.json", "<&-", 1),
        ("apply .", "<&-", 1),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path, words, closing, code):
    policy(tmp_path, CLEAN.replace("https, ping", "nonsense") if words == "apply ." else CLEAN)
    script = f'"$0" -m segc {words} {closing}'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
    assert ("2>" in closing) == (not done.stdout + done.stderr)


def test_a_process_without_descriptors_or_memory(monkeypatch, tmp_path):
    for error, words in ((OSError(24, "Too many open files"), "too many open files"),
                         (MemoryError(), "there is no memory left")):  # fmt: skip

        def planted(*arguments, error=error):
            raise error

        monkeypatch.setattr(check, "read", planted)
        result = CliRunner().invoke(command, ["check", str(policy(tmp_path))])
        assert (result.exit_code, result.stderr) == (1, f"Error: segc cannot go on: {words}\n")


def once_it_is_read(fifo):
    """Its other end, open."""
    for _ in range(600):
        with suppress(OSError):  # ENXIO: nobody reads
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    raise TimeoutError(fifo)


def test_an_interrupt_is_quiet(tmp_path):
    fifo = tmp_path / "slow.seg"
    os.mkfifo(fifo)
    listening = ["env", "--default-signal=INT"]  # jobs in the background begin deaf to it
    running = subprocess.Popen(
        [*listening, *SEGC, "check", fifo], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    writer = once_it_is_read(fifo)
    time.sleep(0.2)  # it waits for words
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    os.close(writer)
    assert running.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    assert err.strip() == b""


def on_a_terminal(arguments, seconds):
    """What a command writes on a terminal for standard error, while its policy comes `seconds` late."""
    leader, follower = pty.openpty()
    running = subprocess.Popen(
        [*SEGC, *arguments], stdout=subprocess.PIPE, stderr=follower, stdin=subprocess.DEVNULL
    )
    os.close(follower)
    fifo = arguments[-1]
    time.sleep(seconds)
    Path(fifo).write_text(CLEAN)
    shown = b""
    while select.select([leader], [], [], 20)[0]:
        try:
            shown += os.read(leader, 4096)
        except OSError:
            break
    out = running.stdout.read().decode()
    assert running.wait(60) == 0
    os.close(leader)
    return out, shown.decode()


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "late.seg"
    os.mkfifo(path)
    return str(path)


def test_progress_on_a_terminal_is_erased_at_the_end(fifo):
    out, shown = on_a_terminal(["check", fifo], 2)
    assert re.search(r"\r\x1b\[Kreading \(\d\.\d s\)", shown)
    assert "\n" not in shown
    assert shown.endswith("\r\x1b[K")
    assert "no findings" in out


def test_no_progress_in_a_pipe(fifo):
    running = subprocess.Popen([*SEGC, "check", fifo], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1.5)
    Path(fifo).write_text(CLEAN)
    out, err = running.communicate(timeout=60)
    assert err == b""
    assert b"no findings" in out


@pytest.mark.parametrize("arguments", [["check"], ["fmt", "--check"], ["trace"], ["test"]])
def test_what_writes_no_artifacts_loads_no_templates(tmp_path, arguments):
    path = policy(tmp_path)
    more = ["hr", "finance", "https"] if arguments == ["trace"] else []
    script = (
        "import sys; from segc.cli.app import segc\n"
        "try: segc.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "found = {'jinja2', 'pyroute2'} & set(sys.modules); assert not found, found"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, str(path), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_findings_of_other_commands_go_to_standard_error(tmp_path):
    path = policy(tmp_path, BROKEN)
    for arguments in (
        ["compile", path, "-o", tmp_path / "out"],
        ["test", path],
        ["trace", path, "hr", "vpn", "https"],
    ):
        done = segc(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "error[SEG101]" in done.stderr
