"""What flows are called in a ruleset: their counters, and comments that say where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from segc.backends.nftables.document import comment
from segc.enforcement.program import Program
from segc.policy.model import Flow
from segc.source import Span

SHOWN = 4  # places in one comment


@dataclass
class Labels:
    """`names` and `comments` of the flows that the gateway enforces, by their index."""

    program: Program
    place: Callable[[Span], str]
    names: dict[int, str] = field(init=False)
    comments: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        flows = self.program.policy.flows
        self.names = {index: counter_name(flows[index]) for index in self.program.enforced}
        self.comments = {index: comment(self.place(flows[index].span)) for index in self.program.enforced}

    def together(self, indices: Iterable[int]) -> str:
        """The comment of what several flows have in common."""
        places = dict.fromkeys(self.place(self.program.policy.flows[index].span) for index in indices)
        shown, more = list(places)[:SHOWN], len(places) - SHOWN
        return comment(" ".join(sorted(shown)) + (f" and {more} more" if more > 0 else ""))


def counter_name(flow: Flow) -> str:
    return f"flow_{flow.id}"
