"""Random policies as data: rendered as text for the compiler, and judged here by a naive reading.

The reading is LANGUAGE.md word by word, over single addresses and packets; nothing of segc is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Address = IPv4Address | IPv6Address
Term = tuple[str, ...]
TIMEZONE = "America/New_York"
SERVICES = {
    "tcp/80": (6, 80, 80), "tcp/81": (6, 81, 81), "tcp/80-90": (6, 80, 90), "tcp/85-100": (6, 85, 100),
    "tcp/1-65535": (6, 1, 65535), "tcp": (6, 0, 65535), "udp/53": (17, 53, 53), "udp/50-60": (17, 50, 60),
    "icmp/echo-request": (1, 8, 8), "icmpv6/echo-request": (58, 128, 128), "icmp/timestamp": (1, 13, 13),
    "icmpv6": (58, 0, 255), "gre": (47, 0, 0), "proto/200": (200, 0, 0), "sctp/80-81": (132, 80, 81),
}  # fmt: skip
USERS = {"u1": "u1@x.example", "u2": "u2@x.example"}
GROUPS = {"g1": {"u1"}, "g2": {"u1", "u2"}}  # g2 holds g1
SPANS = {
    "mon-fri 08:00-18:00": ((0, 1, 2, 3, 4), 480, 1080),
    "sat,sun 22:00-06:00": ((5, 6), 1320, 360),
    "daily 00:00-12:00": (tuple(range(7)), 0, 720),
}
MOMENTS = tuple(
    int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(TIMEZONE)).timestamp())
    for text in ("2026-01-14 09:30", "2026-07-19 03:00", "2026-07-15 13:00", "2026-11-01 01:30")
)


@dataclass(frozen=True)
class ZoneSpec:
    name: str
    subnets: tuple[str, ...]  # none: the external zone
    hosts: tuple[tuple[str, str, bool], ...] = ()  # name, address, whether tagged `h`
    tagged: bool = False  # with `z`
    intra: bool = True


@dataclass(frozen=True)
class EndSpec:
    terms: tuple[Term, ...]
    excepted: tuple[Term, ...] = ()


@dataclass(frozen=True)
class FlowSpec:
    verb: str
    staged: bool
    source: EndSpec
    destination: EndSpec
    services: tuple[str, ...]  # none: any
    mfa: bool = False
    when: str = ""
    options: str = ""


@dataclass(frozen=True)
class Spec:
    zones: tuple[ZoneSpec, ...]
    sets: tuple[tuple[str, EndSpec], ...]
    flows: tuple[FlowSpec, ...]
    gateways: int

    def statements(self) -> list[str]:
        """The policy, one text a statement."""
        found = [f'timezone "{TIMEZONE}"']
        found += [_zone_text(zone, number) for number, zone in enumerate(self.zones, 1)]
        found += ['group g1 { user "u1@x.example" }', 'group g2 { user "u2@x.example"  group g1 }']
        found += [f"set {name} = {_end_text(end)}" for name, end in self.sets]
        found += [_flow_text(flow) for flow in self.flows]
        return found + [self._gateway_text(name) for name in self.gateway_names()]

    def gateway_names(self) -> tuple[str, ...]:
        return ("gw1", "gw2")[: self.gateways]

    def zones_of(self, gateway: str) -> tuple[ZoneSpec, ...]:
        """With two gateways zone `b` joins them, and each has what is on its side."""
        if self.gateways < 2:
            return self.zones
        sides = {"gw1": ("a", "b", "net"), "gw2": ("b", "c", "d")}
        return tuple(zone for zone in self.zones if zone.name in sides[gateway])

    def _gateway_text(self, name: str) -> str:
        lines = []
        for zone in self.zones_of(name):
            lines.append(f"interface {name}-{zone.name} {{ zone {zone.name} }}")
            own = [f"{address}/{network(zone.subnets[0]).prefixlen}" for address in self.own(name, zone)]
            lines += [f"address {zone.name} {', '.join(own)}"] if own else []
        return f"gateway {name} {{ {'  '.join(lines)} }}"

    def own(self, gateway: str, zone: ZoneSpec) -> list[str]:
        return (
            [str(network(zone.subnets[0])[1 + self.gateway_names().index(gateway)])] if zone.subnets else []
        )

    # -- the naive reading -------------------------------------------------------------------------

    def zone_of(self, address: Address) -> ZoneSpec | None:
        for zone in self.zones:
            if any(_within(address, subnet) for subnet in zone.subnets):
                return zone
        return next((zone for zone in self.zones if not zone.subnets), None)

    def gateway_of(self, address: Address) -> str | None:
        for name in self.gateway_names():
            if any(str(address) in self.own(name, zone) for zone in self.zones_of(name)):
                return name
        return None

    def holds(self, end: EndSpec, address: Address, user: str | None) -> bool:
        return any(self._term(term, address, user) for term in end.terms) and not any(
            self._term(term, address, user) for term in end.excepted
        )

    def _term(self, term: Term, address: Address, user: str | None) -> bool:
        kind, *words = term
        gateway, zone = self.gateway_of(address), self.zone_of(address)
        if kind == "set":
            return self.holds(dict(self.sets)[words[0]], address, user)
        if kind == "gateway":
            return gateway == words[0]
        if gateway is not None or zone is None:
            return False
        match kind:
            case "any":
                return True
            case "zone":
                return zone.name == words[0]
            case "host":
                return zone.name == words[0] and (words[1], str(address)) in {h[:2] for h in zone.hosts}
            case "tag":
                return zone.tagged if words[0] == "z" else str(address) in {h[1] for h in zone.hosts if h[2]}
            case "address":
                return _within(address, words[0])
            case "group":
                return user in GROUPS[words[0]] and (len(words) == 1 or zone.name in words[1:])
            case _:
                return user == words[0] and (len(words) == 1 or zone.name in words[1:])

    def verdict(
        self, src: Address, dst: Address, protocol: int, value: int, user: str | None, peer: str | None,
        mfa: bool, at: int,
    ) -> bool:  # fmt: skip
        """Whether the policy allows a packet; `user` sits at the source, `peer` at the destination."""
        verbs = {
            flow.verb
            for flow in self.flows
            if not flow.staged
            and _serves(flow, protocol, value)
            and self.holds(flow.source, src, user)
            and self.holds(flow.destination, dst, peer)
            and (mfa or not flow.mfa)
            and _on_time(flow.when, at)
        }
        if verbs:
            return "deny" not in verbs
        zones = self.zone_of(src), self.zone_of(dst)
        ours = self.gateway_of(src) or self.gateway_of(dst)
        return zones[0] is not None and zones[0] == zones[1] and zones[0].intra and not ours


network = cache(ip_network)
reading = cache(ip_address)


def _within(address: Address, text: str) -> bool:
    if "-" in text:
        first, last = map(reading, text.split("-"))
        return first.version == address.version and int(first) <= int(address) <= int(last)
    return address in network(text)


def _serves(flow: FlowSpec, protocol: int, value: int) -> bool:
    ranges = [SERVICES[name] for name in flow.services]
    return not ranges or any(p == protocol and a <= value <= b for p, a, b in ranges)


def _on_time(when: str, at: int) -> bool:
    if not when:
        return True
    days, start, end = SPANS[when]
    local = datetime.fromtimestamp(at, ZoneInfo(TIMEZONE))
    minute = local.hour * 60 + local.minute
    if start < end:
        return local.weekday() in days and start <= minute < end
    late, early = local.weekday() in days, (local.weekday() - 1) % 7 in days
    return (late and minute >= start) or (early and minute < end)


def _zone_text(zone: ZoneSpec, vlan: int) -> str:
    lines = [f"vlan {vlan}"]
    lines += [f"subnet {', '.join(zone.subnets)}"] if zone.subnets else ["external"]
    lines += [f"host {name} = {address} {'{ tag h }' if tag else ''}" for name, address, tag in zone.hosts]
    lines += ["tag z"] if zone.tagged else []
    lines.append(f"intra {'allow' if zone.intra else 'deny'}")
    return f"zone {zone.name} {{ {'  '.join(lines)} }}"


def _end_text(end: EndSpec) -> str:
    text = ", ".join(map(_term_text, end.terms))
    return text + (f" except {', '.join(map(_term_text, end.excepted))}" if end.excepted else "")


def _term_text(term: Term) -> str:
    kind, *words = term
    if kind == "host":
        return ".".join(words)
    if kind in ("group", "user"):
        name = words[0] if kind == "group" else f'"{USERS[words[0]]}"'
        return f"{kind} {name}" + (f" in ({', '.join(words[1:])})" if len(words) > 1 else "")
    return f"{kind} {words[0]}" if kind in ("tag", "gateway") else words[0] if words else "any"


def _flow_text(flow: FlowSpec) -> str:
    words = ["staged"] if flow.staged else []
    words += [flow.verb, _end_text(flow.source), "->", _end_text(flow.destination), ":"]
    words.append(", ".join(flow.services) or "any")
    words += ["require mfa"] if flow.mfa else []
    words += [f"when {flow.when}"] if flow.when else []
    return " ".join([*words, flow.options])


# -- drawing them ----------------------------------------------------------------------------------------


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    zones = tuple(draw(_zone(name, number)) for number, name in enumerate("abcd", 1))
    if draw(st.booleans()):
        zones += (ZoneSpec("net", (), tagged=draw(st.booleans()), intra=draw(st.booleans())),)
    gateways = draw(st.sampled_from([0, 1, 1, 2]))
    terms = _terms(zones, ("gw1", "gw2")[:gateways] or ("gateway",))
    sets = [("s1", EndSpec(tuple(draw(st.lists(terms, min_size=1, max_size=3)))))]
    ends = _ends(st.one_of(terms, st.just(("set", "s1"))))
    sets.append(("s2", draw(ends)))
    ends = _ends(st.one_of(terms, terms, st.sampled_from([("set", "s1"), ("set", "s2")])))
    flows = draw(st.lists(_flow(ends), min_size=1, max_size=9))
    flows += [draw(_sibling(flow)) for flow in flows[: draw(st.sampled_from([0, 0, 1, 2]))]]
    return Spec(zones, tuple(sets), tuple(flows), gateways)


@st.composite
def _zone(draw: st.DrawFn, name: str, number: int) -> ZoneSpec:
    subnets = [f"10.{number}.0.0/28"]
    if draw(st.booleans()):
        subnets.append(f"2001:db8:{number}::/124")
    if draw(st.booleans()):
        subnets.append(f"10.{number}.1.3-10.{number}.1.{draw(st.integers(4, 12))}")
    hosts = []
    for host in ("h1", "rest"):
        if draw(st.booleans()):
            address = f"10.{number}.0.{draw(st.integers(4, 6)) + (5 if host == 'rest' else 0)}"
            hosts.append((host, address, draw(st.booleans())))
    return ZoneSpec(name, tuple(subnets), tuple(hosts), draw(st.booleans()), draw(st.booleans()))


def _terms(zones: tuple[ZoneSpec, ...], gateways: tuple[str, ...]) -> st.SearchStrategy[Term]:
    names = [zone.name for zone in zones]
    fixed: list[Term] = [
        ("any",),
        *(("zone", name) for name in names),
        *(("gateway", name) for name in gateways),
    ]
    fixed += [("host", zone.name, host[0]) for zone in zones for host in zone.hosts]
    fixed += [("tag", "z")] if any(zone.tagged for zone in zones) else []
    fixed += [("tag", "h")] if any(host[2] for zone in zones for host in zone.hosts) else []
    fixed += [("address", "10.1.0.4/30"), ("address", "10.2.0.3-10.2.0.9"), ("address", "10.1.0.0/28")]
    if any(len(zone.subnets) > 1 and ":" in zone.subnets[1] and zone.name == "a" for zone in zones):
        fixed.append(("address", "2001:db8:1::8/126"))
    if "net" in names:
        fixed += [
            ("address", "198.51.100.0/25"),
            ("address", "2001:db8:ffff::/48"),
            ("address", "10.0.0.0/8"),
        ]
    where = st.lists(st.sampled_from(names), max_size=2, unique=True)
    people = st.sampled_from([("group", "g1"), ("group", "g2"), ("user", "u1"), ("user", "u2")])
    return st.one_of(st.sampled_from(fixed), st.sampled_from(fixed),
                     st.builds(lambda who, zones: (*who, *zones), people, where))  # fmt: skip


def _ends(terms: st.SearchStrategy[Term]) -> st.SearchStrategy[EndSpec]:
    some = st.lists(terms, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(EndSpec, some),
        st.builds(EndSpec, some, st.lists(terms, min_size=1, max_size=2).map(tuple)),
    )


@st.composite
def _flow(draw: st.DrawFn, ends: st.SearchStrategy[EndSpec]) -> FlowSpec:
    source, destination = draw(ends), draw(ends)
    people = all(term[0] in ("group", "user") for term in source.terms)
    services = draw(st.lists(st.sampled_from(sorted(SERVICES)), max_size=3, unique=True))
    verb = draw(st.sampled_from(["allow", "allow", "deny"]))
    limits = ["limit 1000000/second"] if verb == "allow" else []
    return FlowSpec(
        verb=verb,
        staged=draw(st.sampled_from([False, False, False, True])),
        source=source,
        destination=destination,
        services=tuple(services),
        mfa=people and draw(st.booleans()),
        when=draw(st.sampled_from(["", "", *SPANS])),
        options=draw(st.sampled_from(["", "", "log", *limits])),
    )


@st.composite
def _sibling(draw: st.DrawFn, flow: FlowSpec) -> FlowSpec:
    """Between the same places, for nobody in particular: both may be in one chain, where order counts."""
    terms: list[Term] = []
    for term in flow.source.terms:
        places = [("zone", zone) for zone in term[2:]]
        terms += places if term[0] in ("group", "user") and places else [term]
    source = EndSpec(tuple(dict.fromkeys(terms)), flow.source.excepted)
    other = draw(_flow(st.just(source)))
    ranges = st.lists(
        st.sampled_from([name for name in sorted(SERVICES) if "-" in name]), max_size=2, unique=True
    )
    services = tuple(draw(ranges)) or other.services
    return replace(other, destination=flow.destination, services=services)
