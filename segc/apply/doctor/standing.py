"""The state directory, and whether the kernel holds what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from segc.apply import live
from segc.apply.doctor.model import Check, Finding, Host, unseen
from segc.apply.errors import ApplyError

MIB = 1 << 20
ROOM = 64 * MIB  # some generations of a policy with thousands of flows


def folder(host: Host) -> Iterator[Finding]:
    root = host.state.root
    there = next(path for path in (root.absolute(), *root.absolute().parents) if os.access(path, os.F_OK))
    if not there.is_dir():
        why = "generations, and how to undo them, are kept there"
        yield Finding("state", "lacking", f"`{there}` is no directory", why, "move it away")
        return
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    why = f"an apply begins only when how to undo it is on the disk, in `{root}`"
    if found.f_flag & os.ST_RDONLY:
        yield Finding(
            "state", "lacking", f"`{there}` is read-only", why, "`--state-dir`, or mount it for writing"
        )
    elif found.f_files and not found.f_favail:
        yield Finding("state", "lacking", f"`{there}` cannot hold one more file", why, "delete some files")
    elif free < ROOM:
        advice = f"make room: {ROOM // MIB} MiB are enough for big policies"
        yield Finding("state", "lacking", f"`{there}` has room for {free // MIB} MiB only", why, advice)
    else:
        yield Finding("state", "ok", f"{free // MIB} MiB are free for the state, in `{there}`")


def generations(host: Host) -> Iterator[Finding]:
    root = host.state.root
    if not _visible(root):
        yield unseen("generations", f"`{root}`")
        return
    pending, current = host.state.pointer("pending"), host.state.pointer("current")
    try:
        host.state.at("current")
    except ApplyError as error:
        why = "what was applied cannot be compared, and a boot may not bring it back"
        yield Finding("generations", "lacking", str(error), why, "`segc apply` the policy again")
        return
    if pending is not None:
        why = "it is undone unless it is confirmed, and no other apply begins"
        advice = "`segc status`, then `segc confirm` or `segc rollback`"
        yield Finding("generations", "note", f"generation {pending} waits to be confirmed", why, advice)
    elif current is None:
        yield Finding("generations", "ok", "nothing has been applied here yet")
    else:
        yield Finding("generations", "ok", f"generation {current} stands")


def enforced(host: Host) -> Iterator[Finding]:
    """Only whether there is a table: what it holds is for `segc verify`."""
    current = host.state.pointer("current")
    if current is None or not host.may_look:
        return
    try:
        present = live.held().present
    except ApplyError:
        return
    if present:
        yield Finding("enforced", "ok", "the kernel holds `table inet segc`; `segc verify` compares it")
    else:
        why = f"generation {current} should stand, and nothing is enforced"
        yield Finding(
            "enforced",
            "lacking",
            live.absence(),
            why,
            "`segc verify --heal`",
        )


def _visible(root: Path) -> bool:
    """Whether we can tell what is there, be it nothing."""
    try:
        root.stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(root, os.R_OK | os.X_OK)


CHECKS: tuple[Check, ...] = (folder, generations, enforced)
