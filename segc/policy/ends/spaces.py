"""The addresses of zones, hosts and tags, and those that are written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from segc.policy.model import Zone
from segc.policy.scope import Findings
from segc.policy.topology import ZoneIndex
from segc.source import Span
from segc.space.prefixes import PrefixSet, parse_prefixes, union
from segc.syntax import tree


@dataclass
class Spaces:
    """What is named and does not exist goes to `findings`, and stands for no address."""

    zones: Mapping[str, Zone]
    findings: Findings
    everywhere: PrefixSet = field(init=False)
    tagged: Mapping[str, PrefixSet] = field(init=False)
    hosts: Mapping[str, Mapping[str, PrefixSet]] = field(init=False)  # by zone

    def __post_init__(self) -> None:
        self.everywhere = union(zone.space for zone in self.zones.values())
        self.tagged = _by_tag(self.zones)
        self.hosts = {z.name: {host.name: host.space for host in z.hosts} for z in self.zones.values()}

    def host(self, term: tree.NameTerm) -> PrefixSet:
        assert term.host is not None
        zone, hosts = term.name.text, self.hosts[term.name.text]
        if term.host.text not in hosts:
            self.findings.unknown(
                "host",
                term.host,
                hosts,
                f"add it to the zone: `host {term.host.text} = ADDRESS`",
                f"the zone `{zone}` has no host `{term.host.text}`",
            )
        return hosts.get(term.host.text, PrefixSet())

    def tag(self, name: tree.Word) -> PrefixSet:
        if name.text not in self.tagged:
            self.findings.unknown(
                "tag",
                name,
                self.tagged,
                f"add `tag {name.text}` to zones or hosts",
                f"no zone or host has the tag `{name.text}`",
            )
        return self.tagged.get(name.text, PrefixSet())

    def literal(self, text: str, span: Span) -> PrefixSet:
        try:
            space = parse_prefixes(text)
        except ValueError as error:
            self.findings.add("SEG104", str(error), span, "not an address, prefix or range")
            return PrefixSet()
        outside = space - self.everywhere
        if outside:
            self._unclaimed(text, span, outside, nothing_left=outside == space)
        return space & self.everywhere

    def _unclaimed(self, text: str, span: Span, outside: PrefixSet, nothing_left: bool) -> None:
        self.findings.add(
            "SEG108" if nothing_left else "SEG205",
            f"no zone claims {'any' if nothing_left else 'all'} of `{text}`",
            span,
            f"{outside} exists in no zone",
            help="give these addresses to a zone, or declare an external zone for all that is left",
        )

    def lone(self, space: PrefixSet) -> tuple[str, ...]:
        """The zone that holds all of it, if there is one."""
        found = self._index.zones(space)
        return tuple(found) if len(found) == 1 else ()

    @cached_property
    def _index(self) -> ZoneIndex:
        return ZoneIndex(self.zones.values())

    def within(self, zones: tuple[tree.Word, ...]) -> PrefixSet:
        for zone in zones:
            if zone.text not in self.zones:
                help = f"define it: `zone {zone.text} {{ subnet 10.0.0.0/24 }}`"
                self.findings.unknown("zone", zone, self.zones, help)
        if not zones:
            return self.everywhere
        return union(self.zones[zone.text].space for zone in zones if zone.text in self.zones)


def _by_tag(zones: Mapping[str, Zone]) -> dict[str, PrefixSet]:
    tagged: dict[str, list[PrefixSet]] = {}
    for zone in zones.values():
        for tag in zone.tags:
            tagged.setdefault(tag, []).append(zone.space)
        for host in zone.hosts:
            for tag in host.tags:
                tagged.setdefault(tag, []).append(host.space)
    return {tag: union(spaces) for tag, spaces in sorted(tagged.items())}
