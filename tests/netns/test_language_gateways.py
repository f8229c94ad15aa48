"""Gateways: what they serve, translate and publish, and which of several enforces what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.netns.conversation import Conversation, End
from tests.netns.harness import Outcome, Probe, Verdict
from tests.netns.policy import Compiled, allowed, compile_text, device_of, raise_gateway
from tests.netns.site import GATEWAY, ZONES, Site

pytestmark = pytest.mark.kernel
FAMILIES = pytest.mark.parametrize("family", [4, 6])

WAN = {4: "203.0.113.2", 6: "2001:db8:ffff:aaaa::2"}
LEASED = {4: "100.64.0.2", 6: "2001:db8:ffff:ffff::2"}
STATIC = """
gateway gw {
  interface wan0 { zone net  address 203.0.113.2/30, 2001:db8:ffff:aaaa::2/64  masquerade }
  interface lan0 { trunk a, b, c }
  address a 10.1.0.1/24, 2001:db8:1::1/64
  address b 10.2.0.1/24, 2001:db8:2::1/64
  address c 10.3.0.1/24, 2001:db8:3::1/64
  %s
}
"""


def test_serve_and_manage() -> None:
    with Site(
        in_gateway="""
        serve dns, ntp to a, b except b.one
        serve tcp/8080 to c
        manage from c.one : tcp/22, ping
    """
    ) as site:
        site.check("""
            a.5 -> gw : udp/53      yes
            a.5 -> gw : tcp/53      yes
            a.5 -> gw : udp/123     yes
            a.5 -> gw : tcp/123     no
            a.5 -> gw : tcp/22      no
            b.5 -> gw : udp/53      yes
            b.11 -> gw : udp/53     no
            c.5 -> gw : udp/53      no
            c.5 -> gw : tcp/8080    yes
            c.5 -> gw : tcp/22      no
            c.11 -> gw : tcp/22     yes
            c.11 -> gw : ping       yes
            net.5 -> gw : udp/53    no
            gw -> a.5 : udp/53      no
        """)
        other = [replace(line.probe, dst=site.address("b.1", 6 if ":" in line.probe.src else 4))
                 for line in site.lines("a.5 -> gw : udp/53 yes\n c.11 -> gw : tcp/22 yes")]  # fmt: skip
        assert all(outcome.passed for outcome in site.gateway.probe(other))


def test_addresses_side_by_side_are_the_gateways_own_each() -> None:
    two = STATIC.replace("address a 10.1.0.1/24", "address a 10.1.0.1/24, 10.1.0.2/24, 10.1.0.3/24")
    with Site("allow a -> gateway gw : tcp/22  allow a -> b : tcp/80", gateway_text=two) as site:
        site.check("a.5 -> b.5 : tcp/80 yes")
        to = [Probe("lan0.1", "10.1.0.5", f"10.1.0.{n}", "tcp", port) for n in (2, 3) for port in (22, 80)]
        assert [outcome.passed for outcome in site.gateway.probe(to)] == [True, False] * 2


def test_what_the_gateway_may_send() -> None:
    with Site("""
        allow gateway gw -> net : udp/123, ping
        allow gateway gw -> b.one : tcp/514
        deny gateway gw -> 203.0.113.0/24, 2001:db8:bad::/48 : any
        allow group staff in a -> gateway gw : tcp/22 require mfa
    """) as site:
        site.check("""
            gw -> net.5 : udp/123          yes
            gw -> net.5 : ping             yes
            gw -> net.5 : udp/53           no
            gw -> 203.0.113.9 : udp/123    no
            gw -> 2001:db8:bad::9 : ping   no
            gw -> b.11 : tcp/514           yes
            gw -> b.5 : tcp/514            no
            gw -> a.5 : ping               no
            net.5 -> gw : udp/123          no
            a.5 -> gw : tcp/22             no
        """)
        site.bind("a.5", "bo@x.example", mfa=True)
        site.check("a.5 -> gw : tcp/22 yes\n a.6 -> gw : tcp/22 no")


def test_masquerade_hides_what_leaves_by_its_interface() -> None:
    with Site("allow a, b -> net : udp/53  allow a -> b : udp/53", gateway_text=STATIC) as site:
        outcomes = site.check("a.5 -> net.7 : udp/53 yes\n a.5 -> b.7 : udp/53 yes")
        seen = [(outcome.interface, outcome.seen.src) for outcome in outcomes]
        assert seen == [
            ("wan0", WAN[4]),
            ("wan0", WAN[6]),
            ("lan0.2", site.address("a.5", 4)),
            ("lan0.2", site.address("a.5", 6)),
        ]
        for family in (4, 6):
            talk = site.talk("b.5", "net.7", family, "udp", 53)
            assert talk.to_server()
            assert talk.to_client()


@pytest.mark.parametrize("family", [4, 6])
def test_masquerade_of_one_family_leaves_the_other_as_it_is(family: int) -> None:
    """Who has a /56 of public addresses hides the private ones only."""
    text = STATIC.replace("masquerade", f"masquerade ipv{family}", 1)
    with Site("allow a -> net : udp/53", gateway_text=text) as site:
        outcomes = site.check("a.5 -> net.7 : udp/53 yes")
        hidden = {family: WAN[family]}
        assert [outcome.seen.src for outcome in outcomes] == [
            hidden.get(each, site.address("a.5", each)) for each in (4, 6)
        ]


def test_masquerade_on_a_trunk() -> None:
    gateway = """gateway gw { interface lan0 { trunk a, b, c masquerade } interface wan0 { zone net }
        address a 10.1.0.1/24, 2001:db8:1::1/64  address b 10.2.0.1/24, 2001:db8:2::1/64
        address c 10.3.0.1/24, 2001:db8:3::1/64 }"""
    with Site("allow net -> b : tcp/80", gateway_text=gateway) as site:
        outcomes = site.check("net.7 -> b.5 : tcp/80 yes")
        assert [outcome.seen.src for outcome in outcomes] == [
            site.address("b.1", family) for family in (4, 6)
        ]


@FAMILIES
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_a_session_bounds_what_is_translated(family: int, protocol: str) -> None:
    """Packets of either way are seen by the ends' own addresses, masqueraded on the way out or not."""
    statements = "allow group staff in a -> net, b : tcp/443, udp/53, ping  allow c -> net : any"
    with Site(statements, gateway_text=STATIC) as site:
        site.bind("a.5", "ana@x.example")
        port = {"tcp": 443, "udp": 53, "icmp": 9}[protocol]
        out, within, other = (
            site.talk(source, to, family, protocol, port)
            for source, to in (("a.5", "net.7"), ("a.5", "b.5"), ("c.5", "net.7"))
        )
        for talk in (out, within, other):
            assert protocol != "tcp" or talk.open()
            assert all(talk.to_server() and talk.to_client() for _ in range(3))
        assert out.server_sees[0] == WAN[family]
        site.unbind("a.5")
        for talk in (out, within):
            assert not talk.to_client()
            assert not talk.to_server()
        assert other.to_server()
        assert other.to_client()


PUBLISHED = """
    publish tcp/443 on wan0 -> b.one : tcp/8443
    publish udp/500-510 on wan0 -> b.one
    publish tcp/2000-2003 on wan0 -> c.one : tcp/3000-3003
"""


def to_published(site: Site, source: str, family: int, outer: str, protocol: str, port: int) -> Outcome:
    host = site.address(source, family)
    return site.gateway.probe([Probe(site.device(host), host, outer, protocol, port)])[0]


@FAMILIES
@pytest.mark.parametrize("lease", [False, True], ids=["static", "dhcp"])
def test_publish(family: int, lease: bool) -> None:
    outer = (LEASED if lease else WAN)[family]
    with Site("allow a -> b.one : tcp/8443", PUBLISHED, gateway_text=GATEWAY if lease else STATIC) as site:
        for protocol, port, target, inner in (
            ("tcp", 443, "b.11", 8443),
            ("udp", 500, "b.11", 500),
            ("udp", 510, "b.11", 510),
            ("tcp", 2000, "c.11", 3000),
            ("tcp", 2003, "c.11", 3003),
        ):
            outcome = to_published(site, "net.7", family, outer, protocol, port)
            assert outcome.verdict is Verdict.FORWARDED
            seen = outcome.seen
            assert (seen.src, seen.dst, seen.dport) == (
                site.address("net.7", family), site.address(target, family), inner
            )  # fmt: skip
        for protocol, port in (
            ("tcp", 442),
            ("tcp", 444),
            ("udp", 443),
            ("udp", 499),
            ("udp", 511),
            ("tcp", 2004),
        ):
            assert not to_published(site, "net.7", family, outer, protocol, port).passed
        site.check("net.7 -> b.11 : tcp/8443 yes\n net.7 -> b.11 : tcp/443 no\n net.7 -> b.5 : tcp/8443 no")


@FAMILIES
@pytest.mark.parametrize("lease", [False, True], ids=["static", "dhcp"])
def test_hairpin(family: int, lease: bool) -> None:
    """From another zone it takes a flow; from the target's own the answer must come by the gateway."""
    outer = (LEASED if lease else WAN)[family]
    with Site("allow a -> b.one : tcp/8443", PUBLISHED, gateway_text=GATEWAY if lease else STATIC) as site:
        inner = site.address("b.11", family)
        from_a, from_b = (to_published(site, host, family, outer, "tcp", 443) for host in ("a.5", "b.5"))
        assert (from_a.interface, from_a.seen.src, from_a.seen.dst, from_a.seen.dport) == (
            "lan0.2", site.address("a.5", family), inner, 8443
        )  # fmt: skip
        assert (from_b.interface, from_b.seen.src, from_b.seen.dst, from_b.seen.dport) == (
            "lan0.2", site.address("b.1", family), inner, 8443
        )  # fmt: skip
        assert not to_published(site, "c.5", family, outer, "tcp", 443).passed
        assert not to_published(site, "a.5", family, site.address("a.1", family), "tcp", 443).passed
        for host in ("a.5", "b.5", "net.7"):
            address = site.address(host, family)
            client = End(site.device(address), address, 40000)
            talk = Conversation(site.gateway, client, End("lan0.2", inner, 8443))
            talk.client_sees = (address, outer, 40000, 443)
            assert talk.open(), host
            assert talk.to_server()
            assert talk.to_client()


@FAMILIES
@pytest.mark.parametrize("flow", ["", "allow b -> b.one : tcp/8443"])
def test_hairpin_into_an_isolated_zone_takes_a_flow(family: int, flow: str) -> None:
    zones = ZONES.replace("tag core\n", "tag core  intra deny\n", 1)
    assert zones != ZONES
    with Site(f"allow b -> c : tcp/80 {flow}", PUBLISHED, zones=zones, gateway_text=STATIC) as site:
        assert to_published(site, "b.5", family, WAN[family], "tcp", 443).passed == bool(flow)
        assert to_published(site, "net.7", family, WAN[family], "tcp", 443).passed


@FAMILIES
def test_a_session_bounds_what_is_reached_by_a_published_port(family: int) -> None:
    statements = "allow group staff in a -> b.one : tcp/8443"
    with Site(statements, PUBLISHED, gateway_text=STATIC) as site:
        host, inner = site.address("a.5", family), site.address("b.11", family)
        talk = Conversation(site.gateway, End("lan0.1", host, 40000), End("lan0.2", inner, 8443))
        talk.client_sees = (host, WAN[family], 40000, 443)
        assert not talk.open()
        site.bind("a.5", "ana@x.example")
        assert talk.open()
        assert all(talk.to_server() and talk.to_client() for _ in range(3))
        site.unbind("a.5")
        assert not talk.to_client()
        assert not talk.to_server()


def test_a_published_flow_yields_to_a_deny() -> None:
    with Site(
        "deny 198.51.100.0/28, 2001:db8:ffff::/124 -> b.one : any", PUBLISHED, gateway_text=STATIC
    ) as site:
        for family in (4, 6):
            assert to_published(site, "net.77", family, WAN[family], "tcp", 443).passed
            assert not to_published(site, "net.7", family, WAN[family], "tcp", 443).passed


TWO = ZONES + """
zone link { subnet 10.4.0.0/24, 2001:db8:4::/64 }
zone far  { subnet 10.5.0.0/24, 2001:db8:5::/64  host one = 10.5.0.11, 2001:db8:5::11 }
zone lost { subnet 10.6.0.0/24, 2001:db8:6::/64 }
gateway east {
  interface wan0 { zone net }  interface lan0 { trunk a, b }  interface wg0 { zone link }
  address a 10.1.0.1/24, 2001:db8:1::1/64  address b 10.2.0.1/24, 2001:db8:2::1/64
  address link 10.4.0.1/24, 2001:db8:4::1/64
}
gateway west {
  interface eth0 { zone far }  interface wg0 { zone link }  interface wan0 { zone net address 203.0.113.9/30 }
  address far 10.5.0.1/24, 2001:db8:5::1/64  address link 10.4.0.2/24, 2001:db8:4::2/64
}
gateway alone { interface eth0 { zone lost } address lost 10.6.0.1/24, 2001:db8:6::1/64 }
allow a -> far.one : tcp/22
allow any -> any : tcp/80
allow far -> net : udp/53
allow gateway west -> a : tcp/25
allow b -> gateway west, gateway east : tcp/26
allow gateway west -> net : tcp/27
allow net -> gateway west : tcp/28
deny a -> b : tcp/80
"""  # fmt: skip


def probe_at(compiled: Compiled, gateway: str, src: str, dst: str, port: int) -> tuple[Probe, bool]:
    """A probe that enters where its source belongs, and what trace says of it there."""
    from ipaddress import ip_address

    program = compiled.program(gateway)
    zones = compiled.policy.zones
    zone = next(name for name in program.position.devices if ip_address(src) in zones[name].space)
    probe = Probe(device_of(program, zone), src, dst, "tcp", port)
    return probe, allowed(compiled, probe, 0, gateway=gateway)


def test_each_of_several_gateways_enforces_what_crosses_it() -> None:
    compiled = compile_text(TWO)
    wanted = {
        "east": [
            ("10.1.0.5", "10.5.0.11", 22, True),
            ("10.1.0.5", "10.5.0.12", 22, False),
            ("10.1.0.5", "10.2.0.5", 80, False),
            ("10.2.0.5", "10.1.0.5", 80, True),
            ("10.2.0.5", "10.5.0.5", 80, True),
            ("10.5.0.5", "10.2.0.5", 80, True),
            ("10.4.0.9", "10.2.0.5", 80, True),
            ("10.4.0.2", "10.1.0.5", 25, True),  # the other gateway itself
            ("10.4.0.2", "10.1.0.5", 80, False),
            ("10.5.0.1", "10.1.0.5", 25, True),
            ("10.2.0.5", "10.4.0.2", 26, True),
            ("10.2.0.5", "10.5.0.1", 26, True),
            ("10.2.0.5", "10.5.0.1", 80, False),
            ("10.2.0.5", "10.2.0.1", 26, True),
            ("10.1.0.5", "10.4.0.2", 26, False),
            ("198.51.100.7", "10.5.0.1", 28, True),
            ("203.0.113.9", "10.1.0.5", 25, True),
        ],
        "west": [
            ("10.1.0.5", "10.5.0.11", 22, True),
            ("10.1.0.5", "10.5.0.12", 22, False),
            ("10.2.0.5", "10.5.0.1", 26, True),
            ("198.51.100.7", "203.0.113.9", 28, True),
            ("198.51.100.7", "10.5.0.5", 80, True),
            ("10.1.0.5", "198.51.100.7", 80, True),
            ("10.5.0.5", "10.4.0.1", 26, False),
        ],
    }
    for name, cases in wanted.items():
        with raise_gateway(compiled.program(name), compiled.ruleset(name)) as gateway:
            cases += [
                (six(case[0]), six(case[1]), *case[2:]) for case in cases if "203" not in case[0] + case[1]
            ]
            found = [probe_at(compiled, name, *case[:3]) for case in cases]
            outcomes = gateway.probe([probe for probe, _ in found])
            for case, (_, said), outcome in zip(cases, found, outcomes, strict=True):
                assert (outcome.passed, said) == (case[3], case[3]), (name, case, outcome.verdict)


def test_names_that_a_ruleset_cannot_hold_are_findings() -> None:
    for device in ('"wan*"', '"wan\'0"', "wan0123456789012"):
        with pytest.raises(AssertionError, match="cannot name a device"):
            compile_text(f"zone net {{ external }} gateway gw {{ interface {device} {{ zone net }} }}")
    long = "g" * 80
    with pytest.raises(AssertionError, match="too long for nftables"):
        compile_text(f"zone net {{ external }} gateway {long} {{ interface wan0 {{ zone net }} }}").ruleset()


def six(address: str) -> str:
    first, second, _, last = address.split(".")
    return f"2001:db8:ffff::{last}" if first == "198" else f"2001:db8:{second}::{last}"


@pytest.mark.parametrize(
    ("device", "source"),
    [
        ("wan0", "10.5.0.5"),  # behind the other gateway, so behind wg0
        ("lan0.1", "10.5.0.5"),
        ("wan0", "10.4.0.2"),  # the other gateway's inner address
        ("wan0", "10.5.0.1"),
        ("lan0.2", "10.4.0.2"),
        ("wg0", "203.0.113.9"),  # its outer one
        ("wg0", "10.6.0.5"),  # a zone that no other gateway joins to this one
        ("wan0", "10.6.0.5"),
        ("wan0", "10.6.0.1"),
        ("wg0", "10.4.0.1"),  # this gateway's own
    ],
)
def test_sources_behind_another_gateway_come_by_its_way_only(device: str, source: str) -> None:
    compiled = compile_text(TWO)
    with raise_gateway(compiled.program("east"), compiled.ruleset("east")) as gateway:
        probes = [
            Probe(device, source, to, "tcp", port) for to in ("10.1.0.5", "10.2.0.5") for port in (25, 80)
        ]
        assert {outcome.verdict for outcome in gateway.probe(probes)} == {Verdict.DROPPED}


def test_without_a_gateway_statement_one_is_assumed_that_goes_by_address() -> None:
    with Site("allow a -> b : tcp/80  allow a -> gateway gateway : tcp/22  deny a.one -> b : any",
              gateway_text="") as site:  # fmt: skip
        site.check("""
            a.5 -> b.5 : tcp/80    yes
            a.11 -> b.5 : tcp/80   no
            a.5 -> c.5 : tcp/80    no
            a.5 -> a.6 : tcp/81    yes
            net.5 -> b.5 : tcp/80  no
        """)
        elsewhere = Probe("zone3", "10.1.0.5", "10.2.0.5", "tcp", 80)
        assert site.gateway.probe([elsewhere])[0].passed


def test_marks_of_others_are_kept() -> None:
    with Site("allow as seen a.one -> b : tcp/80 log  allow a -> b.one : udp", "mark 0xffff0000") as site:
        site.gateway.load("""
            table inet other {
              chain c_before { type filter hook prerouting priority -200; policy accept
                meta mark set 0x0000beef
              }
              chain c_after { type filter hook postrouting priority 200; policy accept
                meta mark != 0x0000beef drop
              }
            }
        """)
        site.check("a.11 -> b.5 : tcp/80 yes\n a.5 -> b.11 : udp/9 yes\n a.5 -> a.6 : tcp/9 yes")
