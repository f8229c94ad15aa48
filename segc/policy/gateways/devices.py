"""The devices of a gateway: its interfaces, and their sub-interfaces for the zones on VLANs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from segc.policy.model import Attachment, Interface, Zone
from segc.policy.scope import Findings

DEVICE_NAME = 15  # IFNAMSIZ less its terminator


def attachments_of(interfaces: Iterable[Interface], zones: Mapping[str, Zone]) -> Iterable[Attachment]:
    for interface in interfaces:
        name = interface.name
        if interface.zone is not None:
            yield Attachment(name, interface.zone, name, None)
        carried = set(interface.trunk)
        for port in interface.ports:
            carried.update(port.trunk)
            if port.access is not None:
                carried.add(port.access)
        for zone in sorted(carried - {interface.zone}):
            vlan = zones[zone].vlan
            yield Attachment(f"{name}.{vlan or 0}", zone, name, vlan)


def check_devices(
    attachments: Iterable[Attachment], interfaces: Mapping[str, Interface], findings: Findings
) -> None:
    for attachment in attachments:
        if not _names_device(attachment.device):
            findings.add(
                "SEG501",
                f"Linux cannot name a device `{attachment.device}`",
                interfaces[attachment.interface].span,
                f"carries zone `{attachment.zone}`",
                help=f"it can have {DEVICE_NAME} letters, digits and `._-@`, the VLAN's number included",
            )


def _names_device(text: str) -> bool:
    """Whether Linux and its tools take this name; one that starts with `-` is an option to them."""
    return bool(re.fullmatch(rf"(?!-|\.\.?$)[A-Za-z0-9_.@-]{{1,{DEVICE_NAME}}}", text))
