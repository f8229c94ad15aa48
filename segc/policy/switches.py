"""Switches: their platform and their ports."""

from __future__ import annotations

from collections.abc import Mapping

from segc.policy.model import Switch
from segc.policy.ports import PortReader
from segc.policy.scope import Findings
from segc.syntax import tree

PLATFORMS = ("cisco-ios", "arista-eos", "junos", "aruba-cx", "linux-bridge", "openwrt")


def resolve_switches(nodes: Mapping[str, tree.SwitchDef], ports: PortReader) -> dict[str, Switch]:
    return {
        name: Switch(name, _platform(node, ports.findings), ports.ports(node.ports), node.name.span)
        for name, node in nodes.items()
    }


def _platform(node: tree.SwitchDef, findings: Findings) -> str:
    given = [setting for setting in node.settings if setting.key.text == "platform"]
    for again in given[1:]:
        findings.repeated("`platform`", again.key, given[0].span)
    if not given:
        findings.add(
            "SEG109",
            f"the switch `{node.name.text}` has no platform",
            node.name.span,
            help=f"add `platform NAME`: one of {', '.join(PLATFORMS)}",
        )
        return ""
    word = given[0].values[0]
    if word.text not in PLATFORMS:
        findings.unknown("platform", word, PLATFORMS, f"write one of {', '.join(PLATFORMS)}")
    return word.text
