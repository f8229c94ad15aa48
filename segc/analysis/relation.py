"""What the policy opens, as exact sets of traffic."""

from __future__ import annotations

from collections.abc import Iterator

from segc.policy.claims import NOBODY, Claims, Situation, decided, intra_boxes
from segc.policy.model import End, Flow, Policy
from segc.space.prefixes import EMPTY, PrefixSet, union
from segc.space.services import ServiceSet
from segc.space.traffic import Box, common, without


def region(source: End, destination: End, services: ServiceSet, policy: Policy) -> list[Box]:
    """All traffic from one end to another, whoever may be bound there; gateways' addresses are gateways."""
    own = own_addresses(policy)
    box = Box(
        source.space - own,
        destination.space - own,
        services,
        frozenset(source.gateways),
        frozenset(destination.gateways),
    )
    return [box] if box else []


def own_addresses(policy: Policy) -> PrefixSet:
    return union(gateway.own for gateway in policy.gateways.values()) if policy.gateways else EMPTY


def enforced(policy: Policy, action: str) -> Iterator[Flow]:
    return (flow for flow in policy.flows if flow.action == action and not flow.staged)


def opened(boxes: list[Box], policy: Policy, situation: Situation) -> list[Box]:
    """What of `boxes` the policy allows in a situation: what allows or zones open, less the denies."""
    allows = [box for flow in enforced(policy, "allow") if (box := decided(flow, situation, policy))]
    found: list[Box] = []
    for allowed in [*allows, *intra_boxes(policy)]:
        found += without(common(boxes, [allowed]), found)
    return closed_off(found, policy, situation)


def closed_off(boxes: list[Box], policy: Policy, situation: Situation) -> list[Box]:
    """`boxes` less what denies take in a situation."""
    for flow in enforced(policy, "deny"):
        if not boxes:
            break
        denied = decided(flow, situation, policy)
        if denied is not None:
            boxes = without(boxes, [denied])
    return boxes


def claims_of(end: End, mfa: bool, postures: tuple[str, ...]) -> list[Claims]:
    """The sessions that an end speaks of: one for each subject, or nobody's for mere addresses."""
    found = [
        Claims(
            user=part.subject.name if part.subject.kind == "user" else None,
            groups=frozenset((part.subject.name,)) if part.subject.kind == "group" else frozenset(),
            mfa=mfa,
            postures=frozenset(postures),
        )
        for part in end.parts
        if part.subject is not None
    ]
    if end.gateways or any(part.subject is None for part in end.parts):
        found.append(NOBODY)
    return list(dict.fromkeys(found))
