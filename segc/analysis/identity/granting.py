"""What the checks of people share: the flows that people open, and the zones they open them from."""

from __future__ import annotations

from collections.abc import Iterator

from segc.policy.model import Flow, Part, Policy, Zone
from segc.policy.topology import ZoneIndex
from segc.space.prefixes import PrefixSet


def granting(policy: Policy) -> list[Flow]:
    """Enforced allows of which an end asks for people, in the order they are written."""
    allows = (flow for flow in policy.flows if flow.action == "allow" and not flow.staged)
    found = (flow for flow in allows if not (flow.source.anybody and flow.destination.anybody))
    return sorted(
        (flow for flow in found if any(people(flow))),
        key=lambda flow: (flow.span.path, flow.span.start, flow.id),
    )


def people(flow: Flow) -> Iterator[Part]:
    """The parts of its ends that hold only while a session binds somebody."""
    return (part for end in flow.ends for part in end.parts if part.subject)


class Seats:
    """The zones that an end's addresses lie in; asked again and again for the same few spaces."""

    def __init__(self, policy: Policy) -> None:
        self._zones = {zone.name: zone for zone in policy.zones.values() if zone.space}
        self._index = ZoneIndex(self._zones.values())
        self._known: dict[PrefixSet, tuple[Zone, ...]] = {}

    def zones(self, space: PrefixSet) -> tuple[Zone, ...]:
        if space not in self._known:
            self._known[space] = tuple(self._zones[name] for name in self._index.zones(space))
        return self._known[space]

    def anywhere(self, space: PrefixSet) -> bool:
        """Whether no zone is left out, as where an end has no `in`."""
        return len(self.zones(space)) == len(self._zones)
