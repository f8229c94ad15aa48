"""One change of one device, through rtnetlink, with how to undo it."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote
from typing import NamedTuple

from pyroute2 import IPRoute, NetlinkError

from segc.apply.errors import ApplyError
from segc.policy.model import InterfaceAddress
from segc.space.words import system_reason


class Step(NamedTuple):
    """One change of one device. `undo` are shell lines for ip(8) and bridge(8); each sets what was there
    before, so they do no harm where the step was never taken. `late` steps take something away: they come
    after the ruleset. `first` steps are what others rely on, when they are undone as well. `disruptive` steps
    may cut who comes in by the device; `withdrawn` is the address that goes from it."""

    what: str
    device: str
    take: Callable[[IPRoute], None]
    undo: tuple[str, ...]
    late: bool = False
    first: bool = False
    disruptive: bool = False
    withdrawn: InterfaceAddress | None = None


def take_step(step: Step, links: IPRoute) -> None:
    """Carry it out; ApplyError, which names it, where the kernel would not."""
    try:
        step.take(links)
    except NetlinkError as error:
        raise ApplyError(f"{step.what}: the kernel refused: {str(error.args[-1]).lower()}") from None
    except OSError as error:
        raise ApplyError(f"{step.what}: {system_reason(error)}") from None


def up(name: str) -> Step:
    return Step(
        f"bring {name} up",
        name,
        lambda links: links.link("set", index=index_of(links, name), state="up"),
        (f"ip link set {quote(name)} down",),
    )


def index_of(links: IPRoute, name: str) -> int:
    found: int = next(iter(links.link("get", ifname=name)))["index"]
    return found
