"""What is told of a host, and what has to be known to tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from segc.apply.state import State
from segc.enforcement.layer2 import LinkPlan
from segc.frozen import frozen

Kind = Literal["ok", "note", "lacking"]


@frozen
class Finding:
    """`check` names it for programs. Where all is well, `why` it matters and what to do are empty."""

    check: str
    state: Kind
    what: str
    why: str = ""
    advice: str = ""


@frozen
class Host:
    """`netns` is empty in the host's own namespace, the only one that services work in. `may_look` says
    whether the kernel tells us its tables; `wanted` are the links that the gateway's policy names."""

    state: State
    netns: str = ""
    may_look: bool = True
    node: str | None = None
    wanted: LinkPlan | None = None


Check = Callable[[Host], Iterator[Finding]]
UNSEEN = "nft and the kernel show it to root only"
AS_ROOT = "run `segc doctor` as root"


def unseen(check: str, what: str) -> Finding:
    return Finding(check, "note", f"{what} could not be seen", UNSEEN, AS_ROOT)
