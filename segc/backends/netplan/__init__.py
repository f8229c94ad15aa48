"""A netplan file, `<gateway>/netplan.yaml`, for gateways that netplan can describe.

Netplan knows no VLANs of bridge ports and no isolated ports. A gateway with such a bridge gets no file, and
a note says so: its other targets say all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segc.backends.artifact import Artifact, Output, Target
from segc.backends.linux import described, odd_names
from segc.diagnostics.model import Diagnostic, finding
from segc.enforcement.layer2 import Device, LinkPlan, link_plan
from segc.policy.model import Gateway, Policy

HEADER = (
    "# Written by segc. Edit the policy, not this file.",
    "network:",
    "  version: 2",
    "  renderer: networkd",
)


def emit(target: Target) -> Output:
    plans = tuple(_plans(target.policy))
    texts = (Artifact(plan.node, "netplan.yaml", netplan_yaml(plan)) for _, plan in plans if not _aware(plan))
    return Output(tuple(texts), tuple(_left_out(plans)))


def limits(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG504` for each gateway that is left out."""
    return _left_out(_plans(policy))


def _plans(policy: Policy) -> Iterator[tuple[Gateway, LinkPlan]]:
    for gateway in described(policy):
        if not any(odd_names(gateway)):
            yield gateway, link_plan(policy, gateway)


def _aware(plan: LinkPlan) -> str | None:
    """A bridge whose ports have VLANs, if there is one."""
    return next((bridge.name for bridge in plan.bridges if bridge.vlan_aware), None)


def _left_out(plans: Iterable[tuple[Gateway, LinkPlan]]) -> Iterator[Diagnostic]:
    for gateway, plan in plans:
        if name := _aware(plan):
            yield finding(
                "SEG504",
                f"netplan cannot describe gateway `{gateway.name}`, so it gets no `netplan.yaml`",
                gateway.interface(name).span,
                "a bridge whose ports have VLANs",
                help="use the files for systemd-networkd, or `links.json`",
            )


def netplan_yaml(plan: LinkPlan) -> str:
    """The plan in netplan's format, version 2; all its bridges are plain ones."""
    bridges = {bridge.name for bridge in plan.bridges}
    base = [device for device in plan.devices if device.parent is None]
    kinds = {
        "ethernets": [device for device in base if device.name not in bridges],
        "bridges": [device for device in base if device.name in bridges],
        "vlans": [device for device in plan.devices if device.parent is not None],
    }
    lines = [line for kind, devices in kinds.items() if devices for line in _kind(kind, devices)]
    return "\n".join([*HEADER, *lines]) + "\n"


def _kind(kind: str, devices: Iterable[Device]) -> Iterator[str]:
    yield f"  {kind}:"
    for device in devices:
        yield f'    "{device.name}":'
        yield from (f"      {line}" for line in _device(device))


def _device(device: Device) -> Iterator[str]:
    if device.parent is not None:
        yield from (f"id: {device.vlan}", f'link: "{device.parent}"')
    if device.bare:
        yield from ("optional: true", "link-local: []")
    dhcp = "true" if device.dhcp else "false"
    yield from (f"dhcp4: {dhcp}", f"dhcp6: {dhcp}", f"accept-ra: {dhcp}")
    if device.addresses:
        yield "addresses:"
        yield from (f'  - "{address}"' for address in device.addresses)
