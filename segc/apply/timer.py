"""The watch that undoes what nobody confirms. It outlives this process, its terminal and its session.

Where systemd runs it is a transient timer of the system's, else a process of its own in a session of its own.
Both run the generation's `revert.sh` with a token; once `window.json` names another token, they do nothing.
Time is that of CLOCK_MONOTONIC and of sleep(1): setting the clock neither hastens nor delays it.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from segc.apply import host
from segc.apply.errors import ApplyError
from segc.apply.generation import Generation
from segc.apply.state import State
from segc.document import DocumentError, shaped

SYSTEMD = Path("/run/systemd/system")
CGROUP = Path("/sys/fs/cgroup")
WATCH = 'sleep "$1"; exec /bin/sh "$2" "$3"'


def arm(state: State, generation: Generation, seconds: int, confirm: bool) -> None:
    """Have the generation undone in `seconds`, in place of any watch before. OSError, ApplyError.

    `confirm` says whether it waits for somebody to confirm it then, or only for its apply to come to an end.
    """
    script = generation.folder.resolve() / "revert/revert.sh"
    token = secrets.token_hex(8)
    former = window(state)
    opened = {"token": token, "generation": generation.number, "seconds": seconds, "boot": host.boot()}
    opened |= {"deadline": monotonic() + seconds, "confirm": confirm}
    opened |= _timer(script, token, seconds) if SYSTEMD.is_dir() else _process(script, token, seconds)
    state.write("window.json", opened)
    stop(former)


class _Window(NamedTuple):
    token: str = ""
    boot: str = ""
    deadline: float | None = None
    confirm: bool = False
    unit: str | None = None
    pid: int | None = None


def window(state: State) -> dict[str, Any]:
    """The watch that is set; empty if none is, or nobody can read which."""
    found = state.read("window.json")
    try:
        shaped(_Window, found)
    except DocumentError:
        return {}
    return found


def waits(state: State) -> bool:
    """Whether somebody is to confirm what is pending, be it that nobody can read until when."""
    found = window(state)
    return bool(found.get("confirm")) if found else (state.root / "window.json").exists()


def disarm(state: State) -> None:
    former = window(state)
    with suppress(OSError):
        (state.root / "window.json").unlink(missing_ok=True)
    stop(former)


def remaining(state: State) -> float | None:
    """Seconds until the watch undoes what is pending; None if no watch of this boot is set."""
    found = window(state)
    deadline = found.get("deadline")
    if found.get("boot") != host.boot() or not isinstance(deadline, int | float):
        return None
    return deadline - monotonic()


def monotonic() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def _timer(script: Path, token: str, seconds: int) -> dict[str, Any]:
    unit = f"segc-revert-{token}"
    done = host.run(
        *("systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--on-active={seconds}s"),
        *("--timer-property=AccuracySec=100ms", "--description=Undo what segc applied and nobody confirmed"),
        *("/bin/sh", str(script), token),
    )
    if done.returncode:
        raise ApplyError(f"no timer could be set: {done.stderr.strip().lower()}")
    return {"unit": f"{unit}.timer"}


def _process(script: Path, token: str, seconds: int) -> dict[str, Any]:
    argv = ["setsid", "--fork", "sh", "-c", f"echo $$; exec >/dev/null 2>&1; {WATCH}"]
    with subprocess.Popen(
        [*argv, "segc-watch", str(seconds), str(script), token],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", text=True,
    ) as started:  # fmt: skip
        assert started.stdout
        told = started.stdout.readline()
    if not told:
        raise ApplyError("no watch could be started")
    pid = int(told)
    with suppress(OSError):  # out of the session's cgroup, where that can be
        (CGROUP / "segc").mkdir(exist_ok=True)
        (CGROUP / "segc/cgroup.procs").write_text(f"{pid}")
    return {"pid": pid}


def stop(watch: dict[str, Any]) -> None:
    """End a watch that has been replaced. Should that fail, its token is stale all the same."""
    if "unit" in watch:
        host.run("systemctl", "stop", watch["unit"])
    elif "pid" in watch and _is_watch(watch["pid"], watch.get("token", "")):
        with suppress(OSError):
            os.killpg(watch["pid"], signal.SIGTERM)


def _is_watch(pid: int, token: str) -> bool:
    try:
        return token.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
