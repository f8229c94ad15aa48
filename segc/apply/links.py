"""Make the links of a node what its plan says, through rtnetlink, in steps that can each be undone.

What is as it should be is not touched, so a second run changes nothing. Bridges and sub-interfaces that are
missing are made. The VLANs of a port named in the plan are made exactly the plan's: one that lingers there
would be a way into a zone. Ports, sub-interfaces and addresses go only if a former plan had them and they are
still as it says, but for what somebody added by hand to what the plan has (`extras`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pyroute2 import IPRoute

from segc.apply.bridges import (
    bridge_steps,
    departure,
    departures,
    ports_of,
    strangers,
    withdrawn_vlans,
)
from segc.apply.devices import device_steps, extra_addresses, removal, withdrawals
from segc.apply.errors import ApplyError
from segc.apply.seen import Seen, observe
from segc.apply.step import Step
from segc.document import DocumentError, read_json, shaped
from segc.enforcement.layer2 import Device, LinkPlan


class LinkError(ApplyError):
    """A device is in the way: it has the name that the plan needs, and is something else."""

    def __init__(self, device: str, words: str) -> None:
        super().__init__(f"`{device}` {words}")
        self.device = device


@dataclass(slots=True)
class Changes:
    """What was done, in words, and the devices that were not there to be set up."""

    made: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def read_plan(text: str) -> LinkPlan:
    """The plan of a `links.json`; ApplyError where it is of another version, or damaged."""
    try:
        data = read_json(text)
        version = shaped(_Versioned, data).version
        if version == 1:
            return shaped(LinkPlan, data)
        words = f"has version {version}, and this segc reads version 1"
    except DocumentError as error:
        words = f"is damaged, as it {error.reason}"
    raise ApplyError(f"`links.json` {words}: `segc apply` the policy again, or `segc rollback N`")


class _Versioned(NamedTuple):
    version: int


def apply_links(plan: LinkPlan, links: IPRoute, former: LinkPlan | None = None) -> Changes:
    """Bring the network namespace of `links` to the plan, without a ruleset in between.

    Ports and interfaces that are not there are told as absent, with what hangs on them. Raises LinkError
    before anything is changed where a name is taken, and pyroute2's NetlinkError where the kernel refuses.
    """
    steps, absent = link_steps(plan, observe(links), former)
    for step in steps:
        step.take(links)
    return Changes([step.what for step in steps], absent)


def link_steps(plan: LinkPlan, seen: Seen, former: LinkPlan | None = None) -> tuple[list[Step], list[str]]:
    """What has to be done to get from what was seen to the plan, early steps first, and what is absent."""
    _refuse_impostors(plan, seen)
    absent: list[str] = []
    bridged = {bridge.name for bridge in plan.bridges}
    made = bridged | {device.name for device in plan.devices if device.vlan is not None}
    steps = [step for bridge in plan.bridges for step in bridge_steps(bridge, seen, absent)]
    for device in plan.devices:
        parent_there = device.parent in made or (device.parent or "") in seen.links
        if device.name in seen.links or device.name in bridged or (device.vlan and parent_there):
            steps += device_steps(device, seen, device.name in bridged)
        else:
            absent.append(device.name)
    if former is not None:
        steps += _former_steps(plan, former, seen)
    return sorted(steps, key=lambda step: (step.late, not step.first)), absent


def _refuse_impostors(plan: LinkPlan, seen: Seen) -> None:
    for bridge in plan.bridges:
        if bridge.name in seen.links and seen.links[bridge.name].kind != "bridge":
            raise LinkError(bridge.name, "is there and is no bridge")
    for device in plan.devices:
        if device.vlan is not None and device.name in seen.links and not _is_there(device, seen):
            raise LinkError(device.name, f"is there and is not VLAN {device.vlan} of `{device.parent}`")


def _is_there(device: Device, seen: Seen) -> bool:
    """Whether a sub-interface is, and nothing else that has its name."""
    found = seen.links.get(device.name)
    return found is not None and (found.kind, found.parent, found.vlan) == (
        "vlan",
        device.parent,
        device.vlan,
    )


def extras(plan: LinkPlan, seen: Seen) -> Iterator[Step]:
    """Steps that take away what somebody added to a bridge or a device of the plan."""
    for port, bridge in strangers(plan, seen):
        yield departure(port, bridge, seen)
    yield from extra_addresses(plan, seen)


def _former_steps(plan: LinkPlan, former: LinkPlan, seen: Seen) -> Iterator[Step]:
    bridges, ports = {bridge.name for bridge in plan.bridges}, ports_of(plan)
    for bridge in former.bridges:
        yield from departures(bridge, ports, seen)
        if bridge.name not in bridges:
            yield from withdrawn_vlans(bridge, seen)
    wanted = {device.name: device for device in plan.devices}
    for device in former.devices:
        present = [each for each in device.addresses if each in seen.addresses.get(device.name, ())]
        if device.vlan is not None and device.name not in wanted:
            if _is_there(device, seen):
                yield removal(device, present)
            continue
        kept = wanted[device.name].addresses if device.name in wanted else ()
        gone = [address for address in present if address not in kept]
        yield from withdrawals(device.name, gone, kept, seen)
