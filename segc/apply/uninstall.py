"""Taking segc off a host again: its units, links and forwarding where that is asked for, and last its table.

Whatever is there is looked for anew each time, so that one that was interrupted is finished by the next. The
units go first, as they would load the table again; the table goes last, so that nothing is open before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pyroute2 import IPRoute

from segc.apply import boot, guard, host, timer
from segc.apply.errors import ApplyError
from segc.apply.links import link_steps, read_plan
from segc.apply.ruleset import TABLE
from segc.apply.seen import observe
from segc.apply.state import State
from segc.apply.step import Step, take_step
from segc.apply.sysctl import PROC, sysctl_steps
from segc.diagnostics.measure import printable
from segc.enforcement.layer2 import LinkPlan
from segc.frozen import frozen
from segc.space.words import system_reason

FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
NOT_LOADED = "not loaded"  # what is to be stopped is not there
SCRIPT = re.compile(r"^ExecStart=/bin/sh (\S+)/boot\.sh$", re.MULTILINE)


class UnpluggedError(ApplyError):
    """A step would cut the connection that the command runs in; nothing was changed."""

    exit_code = 4


@frozen
class Removal:
    """What there is of segc on a host and shall go. `strangers` are units that `segc install` did not write:
    they stay, whatever they do."""

    files: tuple[Path, ...]
    links: tuple[Step, ...]
    forwarding: tuple[Step, ...]
    table: bool
    strangers: tuple[str, ...]

    @property
    def units(self) -> tuple[str, ...]:
        names = {path.name for path in self.files}
        return tuple(name for name in boot.STOPPED if name in names)

    def __bool__(self) -> bool:
        return bool(self.files or self.links or self.forwarding or self.table)


def survey(state: State, netns: str, links: IPRoute, *, devices: bool, forwarding: bool) -> Removal:
    """What there is, in the network namespace that we are in. Changes nothing.

    With `devices` also VLANs, addresses and ports of bridges as the current generation has them. ApplyError
    where the units are of another state directory, UnpluggedError where a step would cut us off.
    """
    table = f"table {TABLE}" in host.nft("list", "tables").splitlines()
    steps = tuple(_link_steps(state, links)) if devices else ()
    if cut := guard.unplugged(steps, links):
        raise UnpluggedError(f"{cut[0]}; nothing was changed: leave out `--links`, or come by another way")
    files = () if netns else tuple(_files(state))
    forwarding = forwarding and bool(table or files)  # else somebody else may have turned it on
    settings = sysctl_steps("".join(f"{name} = 0\n" for name in FORWARDING)) if forwarding else ()
    return Removal(files, steps, tuple(settings), table, () if netns else tuple(_strangers()))


def forwards() -> bool:
    """Whether the kernel sends on what is for others."""
    paths = (PROC / name.replace(".", "/") for name in FORWARDING)
    return any(path.exists() and path.read_text().strip() != "0" for path in paths)


def remove(found: Removal, netns: str, links: IPRoute) -> Iterator[str]:
    """Do it, and tell each thing that was done. ApplyError where it cannot be: what comes after it stands."""
    if not netns:
        yield from _remove_units(found)
    for step in (*found.links, *found.forwarding):
        take_step(step, links)
        yield step.what
    if found.table:
        host.load(f"table {TABLE}\ndelete table {TABLE}\n")
        yield f"delete table {TABLE}"


def _link_steps(state: State, links: IPRoute) -> list[Step]:
    """What an apply of a policy without any link would do."""
    current = state.at("current")
    text = current.artifact("links.json") if current else None
    if not text:
        return []
    former = read_plan(text)
    return link_steps(LinkPlan(former.node, (), ()), observe(links), former)[0]


# -- units -------------------------------------------------------------------------------------------------


def _files(state: State) -> Iterator[Path]:
    """Links that start units at boot, the units, and what they run."""
    _refuse_others(state)
    yield from sorted(each for each in boot.UNITS.glob("*.wants/*") if each.name in boot.STOPPED)
    yield from (path for name in boot.FILES if (path := boot.UNITS / name).exists())
    yield from (path for name in boot.SCRIPTS if (path := state.root / name).exists())


def _refuse_others(state: State) -> None:
    with suppress(FileNotFoundError):
        told = SCRIPT.search((boot.UNITS / "segc.service").read_text("utf-8", "replace"))
        if told and told[1] != str(state.root.resolve()):
            there = printable(told[1])
            raise ApplyError(
                f"the units here are of the state directory `{there}`; nothing was changed: "
                f"`--state-dir {there}` if they shall go"
            )


def _strangers() -> Iterator[str]:
    for path in sorted((*boot.UNITS.glob("segc*.service"), *boot.UNITS.glob("segc*.timer"))):
        if path.name not in boot.FILES:
            yield path.name


def _remove_units(found: Removal) -> Iterator[str]:
    running = timer.SYSTEMD.is_dir()
    if running:
        done = host.run("systemctl", "stop", *boot.STOPPED)
        failed = [line for line in done.stderr.splitlines() if line.strip() and NOT_LOADED not in line]
        if done.returncode and failed:
            raise ApplyError(f"systemctl stop: {failed[0].lower()}; the table stands as it was")
    for path in found.files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            words = f"`{path}` cannot be deleted: {system_reason(error)}"
            raise ApplyError(f"{words}; the table stands as it was") from None
        yield f"delete {path}"
    for folder in {path.parent for path in found.files if path.parent.suffix in (".d", ".wants")}:
        with suppress(OSError):  # others have files there
            folder.rmdir()
    if running:
        host.run("systemctl", "daemon-reload")
