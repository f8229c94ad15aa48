"""Promises: what must never be open, and the work that must be possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from segc.analysis.relation import closed_off, enforced, own_addresses, region
from segc.analysis.witness import witness
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.claims import Situation, intra_boxes
from segc.policy.model import Flow, Never, Policy, Step, Zone
from segc.space.partition import partition
from segc.space.services import ANY_SERVICE
from segc.space.traffic import Box, common, without

EVER = Situation(at=None, sometimes=True)


def check_nevers(policy: Policy) -> Iterator[Diagnostic]:
    direct = [never for never in policy.nevers if not never.transitive]
    for never in direct:
        yield from _direct(never, policy)
    transitive = [never for never in policy.nevers if never.transitive]
    if transitive:
        hops = Hops(policy)
        for never in transitive:
            yield from hops.check(never)


def widest(flow: Flow) -> Box:
    """All that a flow may ever decide, whoever is bound, at any time."""
    source, destination = flow.source, flow.destination
    return Box(
        source.space,
        destination.space,
        flow.services,
        frozenset(source.gateways),
        frozenset(destination.gateways),
    )


def _direct(never: Never, policy: Policy) -> Iterator[Diagnostic]:
    boxes = region(never.source, never.destination, never.services, policy)
    for flow in enforced(policy, "allow"):
        opened = closed_off(common(boxes, [widest(flow)]), policy, EVER)
        if opened:
            yield _broken(never, (Label(flow.span, "opens it"),), opened[0])
    for zone in policy.zones.values():
        if not zone.isolated:
            within = closed_off(common(boxes, [Box(zone.space, zone.space, ANY_SERVICE)]), policy, EVER)
            if within and never.source is not never.destination:
                label = Label(zone.span, "hosts of one zone may talk without a flow")
                yield _broken(never, (label,), within[0])


def _broken(never: Never, labels: tuple[Label, ...], box: Box) -> Diagnostic:
    return finding(
        "SEG304",
        "this promise is broken",
        never.span,
        "must never be open",
        also=labels,
        notes=(f"for instance: {witness(box)} may be allowed",),
        help="narrow the flow, add a `deny`, or take the promise back",
    )


class Hops:
    """Chains of allowed hops, between classes of addresses that no flow tells apart.

    An edge is any traffic at all that an allow or an open zone lets through and no deny takes. Breadth
    first, so the chain that is shown is a shortest one. O(classes x flows) in the worst case.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        own = own_addresses(policy)
        self.edges: list[tuple[Box, Flow | Zone]] = [(widest(f), f) for f in enforced(policy, "allow")]
        open_zones = [zone for zone in policy.zones.values() if not zone.isolated]
        self.edges += [(box, zone) for box, zone in zip(intra_boxes(policy), open_zones, strict=True)]
        ends = [space for box, _ in self.edges for space in (box.source, box.destination)]
        denies = [widest(flow) for flow in enforced(policy, "deny")]
        ends += [space for box in denies for space in (box.source, box.destination)]
        ends += [zone.space for zone in policy.zones.values()]
        promised = [end.space for never in policy.nevers for end in (never.source, never.destination)]
        spaces = [space - own for space in dict.fromkeys([*ends, *promised])]
        self.nodes = [cell.space for cell in partition([space for space in spaces if space])]

    def check(self, never: Never) -> Iterator[Diagnostic]:
        start = [i for i, space in enumerate(self.nodes) if space <= never.source.space]
        goal = {i for i, space in enumerate(self.nodes) if space <= never.destination.space}
        path = self._search([i for i in start if i not in goal], goal, never)
        if path:
            yield self._report(never, path)

    def _search(self, start: list[int], goal: set[int], never: Never) -> list[tuple[Box, Flow | Zone]]:
        came: dict[int, tuple[int, Box, Flow | Zone]] = {}
        waiting, seen = deque(start), set(start)
        while waiting:
            node = waiting.popleft()
            for target, box, by in self._next(node, goal, never):
                if target in seen:
                    continue
                seen.add(target)
                came[target] = (node, box, by)
                if target in goal:
                    return self._path(target, came)
                waiting.append(target)
        return []

    def _next(self, node: int, goal: set[int], never: Never) -> Iterator[tuple[int, Box, Flow | Zone]]:
        """Where a host of the class may go; into the goal only by the promised services."""
        source = self.nodes[node]
        for edge, by in self.edges:
            if not edge.source.overlaps(source):
                continue
            for target, space in enumerate(self.nodes):
                if target == node or not edge.destination.overlaps(space):
                    continue
                services = edge.services & never.services if target in goal else edge.services
                box = Box(source, space, services)
                left = closed_off([box] if box else [], self.policy, EVER)
                if left:
                    yield target, left[0], by

    @staticmethod
    def _path(target: int, came: dict[int, tuple[int, Box, Flow | Zone]]) -> list[tuple[Box, Flow | Zone]]:
        path: list[tuple[Box, Flow | Zone]] = []
        at: int | None = target
        while at is not None and at in came:
            at, box, by = came[at]
            path.append((box, by))
        return path[::-1]

    def _report(self, never: Never, path: list[tuple[Box, Flow | Zone]]) -> Diagnostic:
        labels = tuple(
            Label(by.span, f"hop {n}: {witness(box)}") for n, (box, by) in enumerate(path, start=1)
        )
        return finding(
            "SEG304",
            f"this promise is broken by a chain of {len(path)} hop{'s' if len(path) > 1 else ''}",
            never.span,
            "must not be reachable",
            also=labels,
            help="close one of the hops, or take the promise back",
        )


def check_workflows(policy: Policy) -> Iterator[Diagnostic]:
    for workflow in policy.workflows:
        for step in workflow.steps:
            missing = _missing(step, policy)
            if missing:
                yield finding(
                    "SEG305",
                    f"the workflow `{workflow.name}` is blocked at this step",
                    step.span,
                    "not open as a whole",
                    also=(Label(workflow.span, "in this workflow"),),
                    notes=(f"for instance: {witness(missing[0])} is denied, whoever asks",),
                    help="add a flow for the step, or take it out of the workflow",
                )


def _missing(step: Step, policy: Policy) -> list[Box]:
    """What of a step no session and no time could open."""
    boxes = region(step.source, step.destination, step.services, policy)
    allowed = [widest(flow) for flow in enforced(policy, "allow")] + list(intra_boxes(policy))
    left = without(boxes, allowed)
    return left or without(boxes, closed_off(boxes, policy, EVER))
