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
    "icmp": (1, 0, 255), "icmp/13": (1, 13, 13), "tcp/65535": (6, 65535, 65535), "tcp/1": (6, 1, 1),
    "proto/50": (50, 0, 0), "sctp": (132, 0, 65535), "udplite/80": (136, 80, 80), "proto/33": (33, 0, 65535),
    "proto/132": (132, 0, 65535), "proto/6": (6, 0, 65535), "proto/254": (254, 0, 0),
}  # fmt: skip
USERS = {"u1": "u1@x.example", "u2": "u2@x.example"}
GROUPS = {"g1": {"u1"}, "g2": {"u1", "u2"}}  # g2 holds g1
SPANS = {
    "mon-fri 08:00-18:00": ((0, 1, 2, 3, 4), 480, 1080),
    "sat,sun 22:00-06:00": ((5, 6), 1320, 360),
    "daily 00:00-12:00": (tuple(range(7)), 0, 720),
    "sat-mon": ((5, 6, 0), 0, 1440),
    "sat 23:45-02:15": ((5,), 1425, 135),
    "daily 12:00-11:59": (tuple(range(7)), 720, 719),
}
DATES = {
    "": ("", ""), "from 2026-07-15": ("2026-07-15", ""), "until 2026-07-18": ("", "2026-07-18"),
    "from 2026-10-31 until 2026-10-31": ("2026-10-31", "2026-10-31"), "until 2026-01-13": ("", "2026-01-13"),
}  # fmt: skip
TIMEZONES = (TIMEZONE, "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "Pacific/Chatham")
LOCAL = (
    "2026-01-14 09:30", "2026-01-13 23:59", "2026-01-14 00:00", "2026-07-19 03:00", "2026-07-19 01:50",
    "2026-07-15 13:00", "2026-07-15 00:00", "2026-11-01 01:30", "2026-10-31 23:50", "2026-11-01 00:10",
    "2026-10-04 02:10", "2026-04-05 01:45", "2026-09-27 03:10",
)  # fmt: skip
MOMENTS = tuple(
    dict.fromkeys(
        int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())
        for text in LOCAL
        for zone in TIMEZONES
        for fold in (0, 1)
    )
)
PIECES = {  # of subnets
    "10.1.0.4/30": "10.1.0.0/28", "10.2.0.3-10.2.0.9": "10.2.0.0/28", "10.1.0.0/28": "10.1.0.0/28",
    "2001:db8:1::8/126": "2001:db8:1::/124",
}  # fmt: skip
PUBLISHED = (("tcp/443", "tcp/80"), ("udp/1050-1060", "udp/50-60"), ("tcp/80-90", "tcp/80-90"))
SIDES: dict[str, dict[str, str]] = {  # which zones each gateway has an interface to
    "none": {},
    "one": {"gw1": "abcdn"},
    "one short": {"gw1": "abcn"},
    "joined by one": {"gw1": "abn", "gw2": "bcd"},
    "two uplinks": {"gw1": "abn", "gw2": "bcdn"},
    "joined by two": {"gw1": "abcn", "gw2": "bcd"},
    "joined outside": {"gw1": "abn", "gw2": "cdn"},
    "a chain": {"gw1": "ab", "gw2": "bc", "gw3": "cdn"},
}


@dataclass(frozen=True)
class ZoneSpec:
    name: str
    subnets: tuple[str, ...]  # none: the external zone
    hosts: tuple[tuple[str, str, bool], ...] = ()  # name, addresses, whether tagged `h`
    tagged: bool = False  # with `z`
    intra: bool = True
    tagged_h: bool = False  # with the tag of hosts


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
    fit: bool = False  # asks for the posture
    dates: str = ""


@dataclass(frozen=True)
class Spec:
    zones: tuple[ZoneSpec, ...]
    sets: tuple[tuple[str, EndSpec], ...]
    flows: tuple[FlowSpec, ...]
    sides: str = "none"
    timezone: str = TIMEZONE
    outside: bool = False  # whether gateways have an address of their own outside, and masquerade
    implied: tuple[tuple[str, str, FlowSpec], ...] = ()  # a gateway, what it says, what that means

    def statements(self) -> list[str]:
        """The policy, one text a statement."""
        found = [f'timezone "{self.timezone}"', "posture fit { edr = true }"]
        found += [_zone_text(zone, number) for number, zone in enumerate(self.zones, 1)]
        found += ['group g1 { user "u1@x.example" }', 'group g2 { user "u2@x.example"  group g1 }']
        found += [f"set {name} = {_end_text(end)}" for name, end in self.sets]
        found += [_flow_text(flow) for flow in self.flows]
        return found + [self._gateway_text(name) for name in self.gateway_names()]

    def gateway_names(self) -> tuple[str, ...]:
        return tuple(SIDES[self.sides])

    def zones_of(self, gateway: str) -> tuple[ZoneSpec, ...]:
        return tuple(zone for zone in self.zones if zone.name[0] in SIDES[self.sides][gateway])

    def _gateway_text(self, name: str) -> str:
        lines = []
        for zone in self.zones_of(name):
            own = ", ".join(self.own(name, zone))
            inside = f"zone {zone.name}"
            if zone.subnets:
                lines += [f"address {zone.name} {own}"]
            elif own:
                inside += f" address {own} masquerade"
            lines.append(f"interface {name}-{zone.name} {{ {inside} }}")
        lines += [text for gateway, text, _ in self.implied if gateway == name]
        return f"gateway {name} {{ {'  '.join(lines)} }}"

    def own(self, gateway: str, zone: ZoneSpec) -> list[str]:
        """A gateway's own addresses in a zone, each with its prefix length."""
        number = 1 + self.gateway_names().index(gateway)
        if zone.subnets:
            return [
                f"{network(subnet)[number]}/{network(subnet).prefixlen}"
                for subnet in zone.subnets
                if "-" not in subnet
            ]
        return [f"203.0.113.{number}/24", f"2001:db8:bad::{number}/64"] if self.outside else []

    # -- the naive reading -------------------------------------------------------------------------

    def zone_of(self, address: Address) -> ZoneSpec | None:
        for zone in self.zones:
            if any(_within(address, subnet) for subnet in zone.subnets):
                return zone
        return next((zone for zone in self.zones if not zone.subnets), None)

    def gateway_of(self, address: Address) -> str | None:
        for name in self.gateway_names():
            if str(address) in {
                a.split("/")[0] for zone in self.zones_of(name) for a in self.own(name, zone)
            }:
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
                named = [h for h in zone.hosts if h[0] == words[1]]
                return zone.name == words[0] and any(str(address) in h[1].split(", ") for h in named)
            case "tag":
                marked = [h for h in zone.hosts if h[2]]
                if words[0] == "z":
                    return zone.tagged
                return zone.tagged_h or any(str(address) in h[1].split(", ") for h in marked)
            case "address":
                return _within(address, words[0])
            case "group":
                return user in GROUPS[words[0]] and (len(words) == 1 or zone.name in words[1:])
            case _:
                return user == words[0] and (len(words) == 1 or zone.name in words[1:])

    def verdict(
        self, src: Address, dst: Address, protocol: int, value: int, user: str | None, peer: str | None,
        mfa: bool, at: int, fit: bool = True,
    ) -> bool:  # fmt: skip
        """Whether the policy allows a packet; `user` sits at the source, `peer` at the destination."""
        verbs = {
            flow.verb
            for flow in (*self.flows, *(means for _, _, means in self.implied))
            if not flow.staged
            and _serves(flow, protocol, value)
            and self.holds(flow.source, src, user)
            and self.holds(flow.destination, dst, peer)
            and (mfa or not flow.mfa)
            and (fit or not flow.fit)
            and _on_time(flow.when, flow.dates, self.timezone, at)
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


@cache
def _on_time(when: str, dates: str, timezone: str, at: int) -> bool:
    local = datetime.fromtimestamp(at, ZoneInfo(timezone))
    first, last = DATES[dates]
    if (first and f"{local:%Y-%m-%d}" < first) or (last and f"{local:%Y-%m-%d}" > last):
        return False
    if not when:
        return True
    days, start, end = SPANS[when]
    minute = local.hour * 60 + local.minute
    if start < end:
        return local.weekday() in days and start <= minute < end
    late, early = local.weekday() in days, (local.weekday() - 1) % 7 in days
    return (late and minute >= start) or (early and minute < end)


def _zone_text(zone: ZoneSpec, vlan: int) -> str:
    lines = [f"vlan {vlan}"]
    lines += [f"subnet {', '.join(zone.subnets)}"] if zone.subnets else ["external"]
    lines += [f"host {name} = {address} {'{ tag h }' if tag else ''}" for name, address, tag in zone.hosts]
    tags = ["z"] * zone.tagged + ["h"] * zone.tagged_h
    lines += [f"tag {', '.join(tags)}"] if tags else []
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
    required = ["mfa"] * flow.mfa + ["posture fit"] * flow.fit
    words += [f"require {', '.join(required)}"] if required else []
    words += [f"when {flow.when}"] if flow.when else []
    words.append(flow.dates)
    return " ".join([*words, flow.options])


# -- drawing them ----------------------------------------------------------------------------------------


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    zones = tuple(draw(_zone(name, number)) for number, name in enumerate("abcd", 1))
    if draw(st.booleans()):
        tagged, intra, tagged_h, marked = (draw(st.booleans()) for _ in range(4))
        host = ("h1", "198.51.100.9, 2001:db8:ffff::9", marked)
        hosts = (host,) if draw(st.booleans()) else ()
        zones += (ZoneSpec("net", (), hosts, tagged, intra, tagged_h),)
    sides = draw(st.sampled_from(sorted(SIDES)))
    terms = _terms(zones, tuple(SIDES[sides]) or ("gateway",))
    sets = [("s1", EndSpec(tuple(draw(st.lists(terms, min_size=1, max_size=3)))))]
    ends = _ends(st.one_of(terms, st.just(("set", "s1"))))
    sets.append(("s2", draw(ends)))
    ends = _ends(st.one_of(terms, terms, st.sampled_from([("set", "s1"), ("set", "s2")])))
    flows = draw(st.lists(_flow(ends), min_size=1, max_size=9))
    flows += [draw(_sibling(flow)) for flow in flows[: draw(st.sampled_from([0, 0, 1, 2]))]]
    spec = Spec(
        zones, tuple(sets), tuple(flows), sides, draw(st.sampled_from(TIMEZONES)), draw(st.booleans())
    )
    said = [draw(_implied(spec, name, ends)) for name in SIDES[sides] for _ in range(draw(st.integers(0, 2)))]
    return replace(spec, implied=tuple(filter(None, said)))


@st.composite
def _implied(
    draw: st.DrawFn, spec: Spec, gateway: str, ends: st.SearchStrategy[EndSpec]
) -> tuple[str, str, FlowSpec] | None:
    """Something that a gateway serves, is managed by, or publishes."""
    kind = draw(st.sampled_from(["serve", "manage", "publish"]))
    itself, service = EndSpec((("gateway", gateway),)), draw(st.sampled_from(sorted(SERVICES)))
    if kind != "publish":
        end = draw(ends)
        text = f"serve {service} to {_end_text(end)}"
        if kind == "manage":
            text = f"manage from {_end_text(end)} : {service}"
        return gateway, text, FlowSpec("allow", False, end, itself, (service,))
    inside = draw(st.sampled_from([zone.name for zone in spec.zones_of(gateway)]))
    hosts = [("host", zone.name, host[0]) for zone in spec.zones if zone.subnets for host in zone.hosts]
    if not hosts:
        return None
    outer, inner = draw(st.sampled_from(PUBLISHED))
    target = draw(st.sampled_from(hosts))
    text = f"publish {outer} on {gateway}-{inside} -> {_term_text(target)} : {inner}"
    return gateway, text, FlowSpec("allow", False, EndSpec((("zone", inside),)), EndSpec((target,)), (inner,))


@st.composite
def _zone(draw: st.DrawFn, name: str, number: int) -> ZoneSpec:
    families = draw(st.sampled_from(["4", "4", "46", "46", "46", "6"]))
    subnets = [f"10.{number}.0.0/28"] if "4" in families else []
    subnets += [f"2001:db8:{number}::/124"] if "6" in families else []
    if draw(st.booleans()):
        subnets.append(f"10.{number}.1.3-10.{number}.1.{draw(st.integers(4, 12))}")
    hosts = []
    for host in ("h1", "rest"):
        if draw(st.booleans()):
            last = draw(st.integers(4, 6)) + (5 if host == "rest" else 0)
            addresses = {"4": f"10.{number}.0.{last}", "6": f"2001:db8:{number}::{last:x}"}
            chosen = draw(st.sampled_from([families, families, families[0], families[-1]]))
            hosts.append((host, ", ".join(addresses[family] for family in chosen), draw(st.booleans())))
    tagged, intra, tagged_h = (draw(st.booleans()) for _ in range(3))
    return ZoneSpec(name, tuple(subnets), tuple(hosts), tagged, intra, tagged_h)


def _terms(zones: tuple[ZoneSpec, ...], gateways: tuple[str, ...]) -> st.SearchStrategy[Term]:
    names = [zone.name for zone in zones]
    fixed: list[Term] = [
        ("any",),
        *(("zone", name) for name in names),
        *(("gateway", name) for name in gateways),
    ]
    fixed += [("host", zone.name, host[0]) for zone in zones for host in zone.hosts]
    fixed += [("tag", "z")] if any(zone.tagged for zone in zones) else []
    if any(zone.tagged_h or any(host[2] for host in zone.hosts) for zone in zones):
        fixed.append(("tag", "h"))
    claimed = {subnet for zone in zones for subnet in zone.subnets}
    fixed += [("address", text) for text, subnet in PIECES.items() if subnet in claimed]
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
        when=draw(st.sampled_from(["", "", "", "", *SPANS])),
        options=draw(st.sampled_from(["", "", "log", *limits])),
        fit=people and draw(st.sampled_from([False, False, True])),
        dates=draw(st.sampled_from(["", "", "", "", *DATES])),
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
