"""Zones: their addresses, VLANs and tags, and that no two of them claim the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segc.diagnostics.model import Label
from segc.diagnostics.suggest import did_you_mean
from segc.policy.addresses import addresses, check_lengths, overlapping
from segc.policy.hosts import check_external_hosts, hosts_of
from segc.policy.model import Zone
from segc.policy.scope import Findings
from segc.space.prefixes import EVERYTHING, PrefixSet, union
from segc.syntax import tree

REFUSALS = ("drop", "reject")
INTRA = ("allow", "deny")
ONCE = ("vlan", "external", "intra", "refuse", "about")


def resolve_zones(definitions: Mapping[str, tree.ZoneDef], findings: Findings) -> Mapping[str, Zone]:
    zones = {name: _zone(node, findings) for name, node in definitions.items()}
    external = _only_external(zones, findings)
    if external is not None:
        claimed = union(zone.space for zone in zones.values() if not zone.external)
        zones[external.name] = replace(external, space=EVERYTHING - claimed)
        check_external_hosts(definitions[external.name], external, claimed, findings)
    _check_overlaps(zones, findings)
    return zones


def _zone(node: tree.ZoneDef, findings: Findings) -> Zone:
    given = _settings(node, findings)
    external = "external" in given
    space, around = _space(node, given, findings)
    refuse = _choice(given.get("refuse"), REFUSALS, "drop" if external else "reject", findings)
    # A gateway is no relay between two outside addresses.
    intra = _choice(given.get("intra"), INTRA, "deny" if external else "allow", findings)
    return Zone(
        name=node.name.text,
        vlan=_vlan(given.get("vlan"), findings),
        space=space,
        external=external,
        hosts=hosts_of(node, around, findings),
        tags=_tags(node),
        isolated=intra == "deny",
        refuse=refuse,
        about=given["about"].values[0].text if "about" in given else "",
        span=node.name.span,
    )


def _space(
    node: tree.ZoneDef, given: Mapping[str, tree.Setting], findings: Findings
) -> tuple[PrefixSet, PrefixSet]:
    """The zone's own addresses, and all that its hosts may have."""
    before = len(findings.diagnostics)
    space = addresses(subnets(node), findings)
    readable = len(findings.diagnostics) == before
    check_lengths(subnets(node), findings)
    if "external" in given:
        if space:
            _not_external(node, given["external"], findings)
        return PrefixSet(), EVERYTHING
    if "subnet" not in given:
        findings.add(
            "SEG214",
            f"the zone `{node.name.text}` has no addresses",
            node.name.span,
            "so nothing said of it has any effect",
            help="give it a `subnet`; one zone may be `external` instead, and hold all that is left",
        )
    return space, space if readable else EVERYTHING


def _not_external(node: tree.ZoneDef, setting: tree.Setting, findings: Findings) -> None:
    findings.add(
        "SEG105",
        f"the external zone `{node.name.text}` has subnets of its own",
        setting.key.span,
        "claims every address that no other zone claims",
        help="delete `subnet`, or `external`",
    )


def subnets(node: tree.ZoneDef) -> list[tree.Word]:
    return [word for setting in node.settings if setting.key.text == "subnet" for word in setting.values]


def _settings(node: tree.ZoneDef, findings: Findings) -> dict[str, tree.Setting]:
    given: dict[str, tree.Setting] = {}
    for setting in node.settings:
        first = given.setdefault(setting.key.text, setting)
        if first is not setting and setting.key.text in ONCE:
            findings.repeated(f"`{setting.key.text}`", setting.key, first.span)
    return given


def _choice(setting: tree.Setting | None, choices: tuple[str, ...], default: str, findings: Findings) -> str:
    if setting is None:
        return default
    word = setting.values[0]
    if word.text not in choices:
        listed = " or ".join(f"`{choice}`" for choice in choices)
        message = f"`{setting.key.text}` is {listed}, not `{word.text}`"
        findings.add("SEG104", message, word.span, help=did_you_mean(word.text, choices))
        return default
    return word.text


def _vlan(setting: tree.Setting | None, findings: Findings) -> int | None:
    if setting is None:
        return None
    word = setting.values[0]
    if word.text.isdecimal() and word.text.isascii() and len(word.text) <= 4 and 1 <= int(word.text) <= 4094:
        return int(word.text)
    findings.add(
        "SEG104",
        f"`{word.text}` is not a VLAN",
        word.span,
        "not from 1 to 4094",
        help="802.1Q has VLANs 1 to 4094; 0 and 4095 are reserved",
    )
    return None


def _tags(node: tree.ZoneDef) -> frozenset[str]:
    tagged = (setting for setting in node.settings if setting.key.text == "tag")
    return frozenset(word.text for setting in tagged for word in setting.values)


def _only_external(zones: Mapping[str, Zone], findings: Findings) -> Zone | None:
    external = [zone for zone in zones.values() if zone.external]
    for zone in external[1:]:
        findings.add(
            "SEG203",
            f"`{zone.name}` is a second external zone",
            zone.span,
            "external, too",
            also=(Label(external[0].span, "the first external zone"),),
            help="give one of them its subnets: at most one zone can be every address that is left",
        )
    return external[0] if external else None


def _check_overlaps(zones: Mapping[str, Zone], findings: Findings) -> None:
    inner = [(zone.space, zone) for zone in zones.values() if not zone.external]
    for first, second, common in overlapping(inner):
        findings.add(
            "SEG201",
            f"the zones `{first.name}` and `{second.name}` overlap",
            second.span,
            f"claims {common}",
            also=(Label(first.span, "which is claimed here, too"),),
            help=_overlap_help(first, second),
        )


def _overlap_help(*zones: Zone) -> str:
    for zone in zones:
        if {EVERYTHING.v4, EVERYTHING.v6} & {zone.space.v4, zone.space.v6}:
            claims = "`external` is every address that no other zone claims"
            return f"{claims}: write it for the subnet in `{zone.name}`"
    return "an address lies in one zone only: give each its own subnet"
