"""Zones and hosts: their addresses, VLANs and tags, and that no two of them claim the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from segc.diagnostics.model import Label
from segc.diagnostics.suggest import did_you_mean
from segc.policy.model import Host, Zone
from segc.policy.scope import Findings
from segc.space.prefixes import EVERYTHING, PrefixSet, parse_prefixes, union
from segc.syntax import tree

T = TypeVar("T")
REFUSALS = ("drop", "reject")
INTRA = ("allow", "deny")
MOST_SHARED = 8
ONCE = ("vlan", "external", "intra", "refuse", "about")


def resolve_zones(definitions: Mapping[str, tree.ZoneDef], findings: Findings) -> Mapping[str, Zone]:
    zones = {name: _zone(node, findings) for name, node in definitions.items()}
    external = _only_external(zones, findings)
    if external is not None:
        claimed = union(zone.space for zone in zones.values() if not zone.external)
        zones[external.name] = replace(external, space=EVERYTHING - claimed)
        _check_external_hosts(definitions[external.name], external, claimed, findings)
    _check_overlaps(zones, findings)
    return zones


def _zone(node: tree.ZoneDef, findings: Findings) -> Zone:
    given = _settings(node, findings)
    before = len(findings.diagnostics)
    space = addresses(subnets(node), findings)
    readable = len(findings.diagnostics) == before
    _check_lengths(subnets(node), findings)
    external = "external" in given
    if external and space:
        findings.add(
            "SEG105",
            f"the external zone `{node.name.text}` has subnets of its own",
            given["external"].key.span,
            "claims every address that no other zone claims",
            help="delete `subnet`, or `external`",
        )
        space = PrefixSet()
    if not external and "subnet" not in given:
        findings.add(
            "SEG214",
            f"the zone `{node.name.text}` has no addresses",
            node.name.span,
            "so nothing said of it has any effect",
            help="give it a `subnet`; one zone may be `external` instead, and hold all that is left",
        )
    refuse = _choice(given.get("refuse"), REFUSALS, "drop" if external else "reject", findings)
    # A gateway is no relay between two outside addresses.
    intra = _choice(given.get("intra"), INTRA, "deny" if external else "allow", findings)
    return Zone(
        name=node.name.text,
        vlan=_vlan(given.get("vlan"), findings),
        space=space,
        external=external,
        hosts=_hosts(node, EVERYTHING if external or not readable else space, findings),
        tags=_tags(node),
        isolated=intra == "deny",
        refuse=refuse,
        about=given["about"].values[0].text if "about" in given else "",
        span=node.name.span,
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


def addresses(words: Iterable[tree.Word], findings: Findings) -> PrefixSet:
    found = []
    for word in words:
        try:
            found.append(parse_prefixes(word.text))
        except ValueError as error:
            findings.add("SEG104", str(error), word.span, "not an address, prefix or range")
    return union(found)


def _check_lengths(words: Iterable[tree.Word], findings: Findings) -> None:
    """`SEG222` for what looks like a network and is one address, as its length was left out."""
    for word in words:
        length, whole = _usual_length(word.text), 128 if ":" in word.text else 32
        if length is not None:
            findings.add(
                "SEG222",
                f"`{word.text}` has no prefix length, so it is one address",
                word.span,
                "looks like a network",
                help=f"write `{word.text}/{length}`, or `{word.text}/{whole}` if one address is meant",
            )


def _usual_length(text: str) -> int | None:
    """What is usually written behind the address of a network: none that a host is given ends in zeros."""
    if text.endswith("::") and text != "::":
        return 64
    numbers = text.split(".")
    if len(numbers) != 4 or numbers[-1] != "0" or numbers[0] == "0":
        return None
    return 24 if numbers[2] != "0" else 16 if numbers[1] != "0" else 8


def _hosts(node: tree.ZoneDef, space: PrefixSet, findings: Findings) -> tuple[Host, ...]:
    """The hosts, all of which must lie in `space`."""
    hosts: dict[str, Host] = {}
    for written in node.hosts:
        host = _host(node, written, findings)
        first = hosts.setdefault(host.name, host)
        if first is not host:
            findings.add(
                "SEG102",
                f"the host `{node.name.text}.{host.name}` is defined twice",
                written.name.span,
                "defined again here",
                also=(Label(first.span, "first defined here"),),
                help="rename one of them, or list both addresses in one",
            )
        elif not host.space <= space:
            _outside(node, written, host.space - space, findings)
    _check_shared(hosts.values(), findings)
    return tuple(hosts[name] for name in sorted(hosts))


def _host(node: tree.ZoneDef, written: tree.Host, findings: Findings) -> Host:
    for again in written.mac[1:]:
        findings.repeated("`mac`", again, written.mac[0].span)
    mac = written.mac[0] if written.mac else None
    if mac and not re.fullmatch(r"(?i)[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac.text):
        findings.add("SEG104", f"`{mac.text}` is not a MAC address", mac.span, "six pairs of hex digits")
    return Host(
        name=written.name.text,
        zone=node.name.text,
        space=addresses(written.addresses, findings),
        mac=mac.text.lower() if mac else None,
        tags=frozenset(word.text for word in written.tags),
        span=written.name.span,
    )


def _outside(node: tree.ZoneDef, written: tree.Host, space: PrefixSet, findings: Findings) -> None:
    given = [setting for setting in node.settings if setting.key.text == "subnet"]
    findings.add(
        "SEG202",
        f"the host `{written.name.text}` lies outside its zone `{node.name.text}`",
        written.span,
        f"{space} is in no subnet of the zone",
        also=tuple(Label(setting.span, "the zone's subnets") for setting in given[:1]),
        help="correct the address, or add its subnet to the zone",
    )


def _check_external_hosts(node: tree.ZoneDef, zone: Zone, claimed: PrefixSet, findings: Findings) -> None:
    spaces = {host.span: host.space for host in zone.hosts}
    for written in node.hosts:
        inside = spaces.get(written.name.span, PrefixSet()) & claimed
        if inside:
            findings.add(
                "SEG202",
                f"the host `{written.name.text}` lies outside its zone `{node.name.text}`",
                written.span,
                f"{inside} is claimed by another zone",
                help="correct the address, or name the host in the zone that it lies in",
            )


def _check_shared(hosts: Iterable[Host], findings: Findings) -> None:
    """Two names for one address would let a reader believe in two machines."""
    for first, second, common in _overlapping([(host.space, host) for host in hosts]):
        findings.add(
            "SEG212",
            f"the hosts `{first.name}` and `{second.name}` share {common}",
            second.span,
            "this one",
            also=(Label(first.span, "and this one"),),
            help="give each its own address",
        )


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
    for first, second, common in _overlapping(inner):
        findings.add(
            "SEG201",
            f"the zones `{first.name}` and `{second.name}` overlap",
            second.span,
            f"claims {common}",
            also=(Label(first.span, "which is claimed here, too"),),
            help="an address lies in one zone only: give each its own subnet",
        )


def _overlapping(owned: Iterable[tuple[PrefixSet, T]]) -> Iterator[tuple[T, T, PrefixSet]]:
    """Pairs of owners with an address in common, by a sweep over each family; O(n log n).

    Each that begins within another gets at least one pair, and at most MOST_SHARED for each of its ranges:
    of those that began before it, the ones that reach furthest are enough.
    """
    entries = list(owned)
    pairs: dict[tuple[int, int], None] = {}
    for family in (4, 6):
        ranges = sorted((*span, i) for i, (space, _) in enumerate(entries) for span in space.ranges(family))
        active: list[tuple[int, int]] = []  # (last address, owner)
        for first, last, owner in ranges:
            active = [entry for entry in active if entry[0] >= first]
            pairs.update(((min(owner, other), max(owner, other)), None) for _, other in active)
            active = sorted((*active, (last, owner)), reverse=True)[:MOST_SHARED]
    for a, b in pairs:
        if a != b:
            yield entries[a][1], entries[b][1], entries[a][0] & entries[b][0]
