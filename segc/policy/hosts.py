"""Hosts of zones: each in its zone, and no two with one name or address."""

from __future__ import annotations

import re
from collections.abc import Iterable

from segc.diagnostics.model import Label
from segc.policy.addresses import addresses, overlapping
from segc.policy.model import Host, Zone
from segc.policy.scope import Findings
from segc.space.prefixes import PrefixSet
from segc.syntax import tree


def hosts_of(node: tree.ZoneDef, space: PrefixSet, findings: Findings) -> tuple[Host, ...]:
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
        findings.add(
            "SEG104",
            f"`{mac.text}` is not a MAC address",
            mac.span,
            "not six pairs of hex digits with colons",
            help=_mac_help(mac.text),
        )
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


def check_external_hosts(node: tree.ZoneDef, zone: Zone, claimed: PrefixSet, findings: Findings) -> None:
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
    for first, second, common in overlapping([(host.space, host) for host in hosts]):
        findings.add(
            "SEG212",
            f"the hosts `{first.name}` and `{second.name}` share {common}",
            second.span,
            "this one",
            also=(Label(first.span, "and this one"),),
            help="give each its own address",
        )


def _mac_help(text: str) -> str:
    digits = re.sub(r"[-.:]", "", text).lower()
    whole = digits if re.fullmatch(r"[0-9a-f]{12}", digits) else "02000000001e"
    return f"write it as `{':'.join(re.findall('..', whole))}`"
