"""Configuration of switches, `<switch>/…`: the VLANs and ports that the policy speaks of, and nothing else.

A file states what is wanted. Loaded onto a switch that has an older one, it adds to lists of VLANs where the
platform's commands do (`vlan trunk allowed` of AOS-CX, `set` of Junos): load it by difference.
"""

from __future__ import annotations

from collections.abc import Iterator

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.linux import links_json
from segc.backends.switch.config import config_text
from segc.backends.switch.limits import problems
from segc.backends.switch.platforms import BRIDGE, LINUX_BRIDGE, PLATFORMS, Platform
from segc.diagnostics.model import Diagnostic
from segc.enforcement.layer2 import Bridge, BridgePort, Device, LinkPlan, SwitchPlan, switch_plan
from segc.policy.model import Policy


def emit(target: Target) -> Output:
    artifacts: list[Artifact] = []
    found: list[Diagnostic] = []
    for plan, platform in _plans(target.policy):
        wrong = tuple(problems(plan, platform))
        found += wrong
        if not wrong:
            artifacts.append(Artifact(plan.node, platform.file, _text(plan, platform, target.policy)))
    return Output(tuple(artifacts), tuple(found))


def _text(plan: SwitchPlan, platform: Platform, policy: Policy) -> str:
    if platform is LINUX_BRIDGE:
        return links_json(bridge_plan(plan))
    return config_text(plan, platform, tuple(policy.zones))


def limits(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG503` for what a platform cannot express."""
    for plan, platform in _plans(policy):
        yield from problems(plan, platform)


def _plans(policy: Policy) -> Iterator[tuple[SwitchPlan, Platform]]:
    for _, switch in sorted(policy.switches.items()):
        plan = switch_plan(policy, switch)
        yield plan, PLATFORMS[plan.platform]


def bridge_plan(plan: SwitchPlan) -> LinkPlan:
    """A switch as one bridge that has no VLAN itself: the machine forwards and takes part in no zone."""
    ports = tuple(
        BridgePort(
            port.name,
            port.access.number if port.access else None,
            tuple(vlan.number for vlan in port.trunk),
            port.isolated,
        )
        for port in plan.ports
    )
    return LinkPlan(
        plan.node, (Bridge(BRIDGE, None, (), ports),), (Device(BRIDGE, None, None, None, False, ()),)
    )
