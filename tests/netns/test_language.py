"""What LANGUAGE says of ends, services, verdicts and conditions, tried statement by statement in the kernel.

Every line of a `check` is tried with both families and put to `segc trace` as well.

| the language says | here |
|---|---|
| default deny between zones, to and from the gateway; nothing turns it round | test_nothing_passes_unasked |
| deny beats allow, wherever either stands | test_deny_beats_allow_in_any_order |
| names that mean something to nftables | test_zones_may_be_called_anything |
| both families are equals | every line of every check, test_hosts_of_one_family |
| services compose; ports, ranges, ICMP types, protocols | test_services_compose |
| ports of connections that stand | test_a_connection_opens_no_other_port |
| host, tag, set, nesting, address, prefix, range | test_every_kind_of_end |
| external: what no other zone claims; without it, nothing | test_unclaimed_addresses |
| intra | test_intra |
| refuse | test_refusals_are_answered_as_the_zone_says |
| any is every zone, never a gateway | test_any_is_no_gateway |
| except addresses, sets, groups | test_except, test_except_group |
| group, user, in; no session, nobody in a group | test_groups, test_group_in_zones |
| directory groups, nested groups | test_groups |
| require mfa, posture | test_require |
| staged | test_staged_counts_and_enforces_nothing |
| as, counters | test_counters_count_connections_by_name |
| log, denied packets | test_log |
| limit, over the whole flow | test_limit_holds_for_the_whole_flow |
| when, from, until, time zones | test_language_time.py |
| return traffic, ICMP errors, sessions that end | test_language_state.py |
| gateways: serve, manage, masquerade, publish, several, none | test_language_gateways.py |
| order of statements and files | tests/property/test_verdicts.py |
| import, folders, tests, promises, switches | not for packets: tests/unit, tests/diagnostics |
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from itertools import pairwise, permutations

import pytest

from tests.netns.harness import Outcome, Verdict
from tests.netns.namespace import run
from tests.netns.nflog import LogReader, to_group
from tests.netns.site import GATEWAY, ZONES, Site

pytestmark = pytest.mark.kernel

WORDS = (
    "ip", "dst", "log", "accept", "fwd", "th", "meta", "counter", "chain", "element", "set", "map", "drop",
    "tcp", "src", "mark", "table", "inet", "define", "include",
)  # fmt: skip


def test_nothing_passes_unasked() -> None:
    with Site() as site:
        site.check("""
            a.5 -> b.7 : tcp/443     no
            a.5 -> b.7 : ping        no
            a.5 -> net.7 : udp/53    no
            net.7 -> a.5 : tcp/22    no
            net.7 -> net.8 : tcp/22  no
            a.5 -> gw : tcp/22       no
            a.5 -> gw : ping         no
            net.7 -> gw : gre        no
            gw -> a.5 : tcp/22       no
            gw -> net.7 : udp/53     no
            a.5 -> a.6 : tcp/22      yes
        """)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_deny_beats_allow_in_any_order(order: tuple[int, ...]) -> None:
    statements = [
        "deny a.one -> tag core : tcp/22, tcp/8000-8010",
        "allow a -> b, c : tcp/22, tcp/8005-8020, udp/53, ping",
        "deny any -> b.one : any  deny a -> a.two : tcp/25  deny group staff in c -> b : udp",
    ]
    with Site("\n".join(statements[each] for each in order)) as site:
        site.bind("c.9", "ana@x.example")
        site.check("""
            a.5 -> b.7 : tcp/22       yes
            a.11 -> b.7 : tcp/22      no
            a.11 -> b.7 : tcp/8010    no
            a.11 -> b.7 : tcp/8011    yes
            a.5 -> b.7 : tcp/8005     yes
            a.5 -> b.7 : tcp/8004     no
            a.11 -> c.11 : tcp/22     no
            a.11 -> c.5 : tcp/22      yes
            a.5 -> b.11 : tcp/22      no
            a.5 -> b.11 : ping        no
            a.5 -> b.7 : ping         yes
            a.5 -> a.12 : tcp/25      no
            a.5 -> a.12 : tcp/26      yes
            b.7 -> b.11 : tcp/22      no
        """)


def test_a_narrow_allow_does_not_pierce_a_wide_deny() -> None:
    with Site("allow as hole a.one -> b.one : tcp/80 log  deny a -> any : any  allow a -> c : tcp") as site:
        site.check("""
            a.11 -> b.11 : tcp/80  no
            a.5 -> c.5 : tcp/80    no
            a.5 -> a.6 : tcp/80    no
        """)


def test_conditional_denies_beat_plain_allows() -> None:
    with Site("""
        allow a, b -> c : tcp/1-1000
        deny a -> c : tcp/22 log
        deny group staff in b -> c : tcp/20-30
        deny user "dee@x.example" -> c : any
    """) as site:
        site.check("a.5 -> c.5 : tcp/22 no\n a.5 -> c.5 : tcp/23 yes\n b.5 -> c.5 : tcp/22 yes")
        site.bind("b.5", "cy@x.example")
        site.bind("a.6", "dee@x.example")
        site.check("""
            b.5 -> c.5 : tcp/20  no
            b.5 -> c.5 : tcp/30  no
            b.5 -> c.5 : tcp/31  yes
            b.6 -> c.5 : tcp/22  yes
            a.6 -> c.5 : tcp/80  no
            a.7 -> c.5 : tcp/80  yes
        """)


def test_zones_may_be_called_anything() -> None:
    zones = "zone net { external }\n"
    for number, word in enumerate(WORDS, 1):
        zones += f"zone {word} {{ vlan {number} subnet 10.9.{number}.0/24, 2001:db8:9{number:02}::/64"
        zones += f" host rest = 10.9.{number}.9, 2001:db8:9{number:02}::9 }}\n"
    names = list(WORDS)
    flows = [f"allow {x} -> {y} : tcp/80" for x, y in pairwise(names)]
    flows += [f"allow {y} -> {x}.rest : tcp/81 log" for x, y in pairwise(names)]
    flows.append("deny ip, element -> log : any  allow as accept chain -> meta : udp limit 9/second")
    flows.append('group drop { user "u@x" } allow group drop in log -> ip : udp when daily')
    gateway = (
        f"gateway accept {{ interface wan0 {{ zone net }} interface lan0 {{ trunk {', '.join(names)} }} }}"
    )
    lines = []
    for at in range(1, len(WORDS)):
        allowed_pair = (WORDS[at - 1], WORDS[at]) not in {("ip", "log"), ("element", "log")}
        for address in ("10.9.{}.5", "2001:db8:9{:02}::5"):
            one, two = address.format(at), address.format(at + 1)
            lines.append(f"{one} -> {two} : tcp/80  {'yes' if allowed_pair else 'no'}")
            lines.append(f"{two} -> {one} : tcp/80  no")
            lines.append(f"{two} -> {one} : tcp/81  no")
            lines.append(f"{two} -> {one[:-1]}9 : tcp/81  yes")
    with Site("\n".join(flows), zones=zones, gateway_text=gateway) as site:
        site.check("\n".join(lines))


def test_hosts_of_one_family() -> None:
    with Site("allow a -> b.four, b.six : tcp/80") as site:
        site.check("""
            a.5 -> 10.2.0.14 : tcp/80       yes
            a.5 -> 10.2.0.16 : tcp/80       no
            a.5 -> 2001:db8:2::16 : tcp/80  yes
            a.5 -> 2001:db8:2::14 : tcp/80  no
        """)


def test_services_compose() -> None:
    with Site("""
        service one = tcp/80, udp/100-200
        service two = one, tcp/81-90, tcp/65535
        service all = two, ping, gre, proto/200, sctp/5, icmp/13
        allow a -> b : all
        allow a -> c : tcp
        allow b -> c : any
        allow c -> b : proto/100-102
    """) as site:
        site.check("""
            a.5 -> b.5 : tcp/79     no
            a.5 -> b.5 : tcp/80     yes
            a.5 -> b.5 : tcp/90     yes
            a.5 -> b.5 : tcp/91     no
            a.5 -> b.5 : tcp/65534  no
            a.5 -> b.5 : tcp/65535  yes
            a.5 -> b.5 : udp/99     no
            a.5 -> b.5 : udp/100    yes
            a.5 -> b.5 : udp/200    yes
            a.5 -> b.5 : udp/201    no
            a.5 -> b.5 : udp/80     no
            a.5 -> b.5 : ping       yes
            a.5 -> b.5 : icmp/13    yes v4
            a.5 -> b.5 : icmp/15    no v4
            a.5 -> b.5 : gre        yes
            a.5 -> b.5 : proto/200  yes
            a.5 -> b.5 : proto/201  no
            a.5 -> b.5 : sctp/5     yes
            a.5 -> b.5 : sctp/6     no
            a.5 -> c.5 : tcp/1      yes
            a.5 -> c.5 : tcp/65535  yes
            a.5 -> c.5 : udp/9      no
            a.5 -> c.5 : ping       no
            b.5 -> c.5 : udp/1      yes
            b.5 -> c.5 : ping       yes
            b.5 -> c.5 : esp        yes
            b.5 -> c.5 : proto/253  yes
            c.5 -> b.5 : proto/99   no
            c.5 -> b.5 : proto/100  yes
            c.5 -> b.5 : proto/102  yes
            c.5 -> b.5 : proto/103  no
        """)


def test_overlapping_ranges_of_many_flows() -> None:
    with Site("""
        allow a -> b : tcp/100-200
        allow a -> b : tcp/150-250 log
        allow a, c -> b : tcp/180-300 limit 1000/second
        allow a.one -> b : tcp/50-120
        deny a -> b : tcp/190-195, tcp/260
        staged deny a -> b : tcp/1-65535
    """) as site:
        site.check("""
            a.5 -> b.5 : tcp/99    no
            a.5 -> b.5 : tcp/100   yes
            a.5 -> b.5 : tcp/189   yes
            a.5 -> b.5 : tcp/190   no
            a.5 -> b.5 : tcp/195   no
            a.5 -> b.5 : tcp/196   yes
            a.5 -> b.5 : tcp/259   yes
            a.5 -> b.5 : tcp/260   no
            a.5 -> b.5 : tcp/300   yes
            a.5 -> b.5 : tcp/301   no
            a.11 -> b.5 : tcp/50   yes
            a.11 -> b.5 : tcp/49   no
            c.5 -> b.5 : tcp/179   no
            c.5 -> b.5 : tcp/180   yes
            c.5 -> b.5 : tcp/260   yes
        """)


def test_every_kind_of_end() -> None:
    with Site("""
        set inner = b.one, 10.2.0.32/28, 2001:db8:2::20-2001:db8:2::2f
        set outer = inner, tag old
        set far   = 203.0.113.8-203.0.113.11, 2001:db8:aaaa::/48
        allow a -> outer : tcp/1
        allow tag old -> tag core : tcp/2
        allow 10.1.0.40-10.1.0.42, 2001:db8:1::40-2001:db8:1::42 -> far : tcp/3
        allow a, c.one -> 10.2.0.0/24, 2001:db8:2::/64 : tcp/4
        allow c -> b.one, far : tcp/5
    """) as site:
        site.check("""
            a.5 -> b.11 : tcp/1                   yes
            a.5 -> b.12 : tcp/1                   no
            c.5 -> b.11 : tcp/1                   no
            a.5 -> 10.2.0.31 : tcp/1              no
            a.5 -> 10.2.0.32 : tcp/1              yes
            a.5 -> 10.2.0.47 : tcp/1              yes
            a.5 -> 10.2.0.48 : tcp/1              no
            a.5 -> 2001:db8:2::1f : tcp/1         no
            a.5 -> 2001:db8:2::20 : tcp/1         yes
            a.5 -> 2001:db8:2::2f : tcp/1         yes
            a.5 -> 2001:db8:2::30 : tcp/1         no
            a.12 -> b.5 : tcp/2                   yes
            a.12 -> c.11 : tcp/2                  yes
            a.12 -> c.5 : tcp/2                   no
            a.5 -> b.5 : tcp/2                    no
            a.39 -> 203.0.113.8 : tcp/3           no
            a.40 -> 203.0.113.8 : tcp/3           yes
            a.42 -> 203.0.113.11 : tcp/3          yes
            a.43 -> 203.0.113.11 : tcp/3          no
            a.41 -> 203.0.113.7 : tcp/3           no
            a.41 -> 203.0.113.12 : tcp/3          no
            a.41 -> 2001:db8:aaaa::1 : tcp/3      yes
            a.41 -> 2001:db8:aaab::1 : tcp/3      no
            c.11 -> b.5 : tcp/4                   yes
            c.5 -> b.5 : tcp/4                    no
            c.5 -> b.11 : tcp/5                   yes
            c.5 -> 203.0.113.9 : tcp/5            yes
            c.5 -> 203.0.113.9 : tcp/4            no
        """)


def test_unclaimed_addresses() -> None:
    statements = "allow any -> any : tcp/80"
    with Site(statements) as site:
        site.check("a.5 -> net.7 : tcp/80 yes\n net.7 -> a.5 : tcp/80 yes\n a.5 -> b.5 : tcp/80 yes")
    zones = ZONES.replace("zone net { external }", "zone net { subnet 198.51.100.0/24, 2001:db8:ffff::/64 }")
    with Site(statements, zones=zones) as site:
        site.check("a.5 -> net.7 : tcp/80 yes\n net.7 -> a.5 : tcp/80 yes")
        inside = site.lines("a.5 -> net.7 : tcp/80 yes")
        strangers = {4: "203.0.113.5", 6: "2001:db8:eeee::5"}
        probes = []
        for line in inside:
            stranger = strangers[6 if ":" in line.probe.src else 4]
            probes.append(replace(line.probe, dst=stranger))
            probes.append(replace(line.probe, interface="wan0", src=stranger, dst=line.probe.src))
        assert not any(outcome.passed for outcome in site.gateway.probe(probes))


@pytest.mark.parametrize("external", ["intra allow", ""])
def test_intra(external: str) -> None:
    zones = ZONES.replace("zone b {", "zone b { intra deny").replace("external", f"external {external}")
    with Site("allow b -> b.one : tcp/22  deny a -> a.one : tcp/23", zones=zones) as site:
        site.check(f"""
            a.5 -> a.6 : tcp/22        yes
            a.5 -> a.6 : ping          yes
            a.5 -> a.11 : tcp/23       no
            a.5 -> a.11 : tcp/24       yes
            b.5 -> b.6 : tcp/22        no
            b.5 -> b.11 : tcp/22       yes
            b.5 -> b.11 : tcp/23       no
            net.5 -> net.6 : tcp/80    {"yes" if external else "no"}
        """)


def test_refusals_are_answered_as_the_zone_says() -> None:
    zones = ZONES.replace("zone b {", "zone b { refuse drop")
    lines = """
        a.5 -> c.5 : tcp/80     no
        a.5 -> c.5 : udp/80     no
        a.5 -> gw : tcp/80      no
        a.5 -> c.11 : tcp/81    no
        b.5 -> c.5 : tcp/80     no
        b.5 -> gw : udp/80      no
        net.5 -> c.5 : tcp/80   no
        net.5 -> gw : tcp/80    no
    """
    with Site("deny a -> c.one : any log", zones=zones) as site:
        outcomes = site.check(lines)
        answers = {"icmp 3/13", "icmpv6 1/1"}
        assert {(o.verdict, o.interface) for o in outcomes[:8]} == {(Verdict.REJECTED, "lan0.1")}
        assert {o.answer for o in outcomes[:8]} == answers
        assert {o.verdict for o in outcomes[8:]} == {Verdict.DROPPED}
    with Site(zones=ZONES.replace("external", "external refuse reject")) as site:
        outcomes = site.check("net.5 -> c.5 : tcp/80 no\n net.5 -> gw : tcp/80 no\n b.5 -> gw : tcp/2 no")
        assert {o.answer for o in outcomes} == answers


def test_any_is_no_gateway() -> None:
    with Site(
        "allow any -> any : any  allow b -> gateway gw : tcp/22  allow gateway gw -> c : tcp/25"
    ) as site:
        site.check("""
            a.5 -> net.5 : tcp/1   yes
            net.5 -> a.5 : ping    yes
            a.5 -> b.5 : proto/99  yes
            a.5 -> gw : tcp/22     no
            net.5 -> gw : ping     no
            b.5 -> gw : tcp/22     yes
            b.5 -> gw : tcp/23     no
            gw -> c.5 : tcp/25     yes
            gw -> c.5 : tcp/26     no
            gw -> a.5 : tcp/25     no
            gw -> net.5 : ping     no
        """)
    with Site("allow any, gateway gw -> any, gateway gw : tcp/22  deny a -> any : tcp/22") as site:
        site.check("a.5 -> gw : tcp/22 yes\n a.5 -> b.5 : tcp/22 no\n gw -> net.5 : tcp/22 yes")


def test_an_address_of_the_gateway_is_no_host() -> None:
    with Site("allow a -> b, 10.2.0.0/24 : tcp/22  allow 10.1.0.1, a -> c : tcp/22") as site:
        site.check("a.5 -> b.5 : tcp/22 yes\n a.5 -> b.1 : tcp/22 no\n gw -> c.5 : tcp/22 no")


def test_except() -> None:
    with Site("""
        set some = 10.1.0.64/26, 2001:db8:1::40/122
        allow a except a.one, some -> any except b, tag core : tcp/1
        allow any except net -> net : tcp/2
        deny any except a.one -> b.one : tcp/4
        allow a -> b : tcp/4
    """) as site:
        site.check("""
            a.5 -> c.5 : tcp/1                    yes
            a.11 -> c.5 : tcp/1                   no
            10.1.0.63 -> 10.3.0.5 : tcp/1         yes
            10.1.0.64 -> 10.3.0.5 : tcp/1         no
            10.1.0.127 -> 10.3.0.5 : tcp/1        no
            10.1.0.128 -> 10.3.0.5 : tcp/1        yes
            2001:db8:1::3f -> 2001:db8:3::5 : tcp/1  yes
            2001:db8:1::40 -> 2001:db8:3::5 : tcp/1  no
            2001:db8:1::7f -> 2001:db8:3::5 : tcp/1  no
            2001:db8:1::80 -> 2001:db8:3::5 : tcp/1  yes
            a.5 -> c.11 : tcp/1                   no
            a.5 -> b.5 : tcp/1                    no
            a.5 -> net.5 : tcp/1                  yes
            b.5 -> net.5 : tcp/2                  yes
            net.5 -> net.6 : tcp/2                no
            net.5 -> a.5 : tcp/2                  no
            a.5 -> b.11 : tcp/4                   no
            a.11 -> b.11 : tcp/4                  yes
            a.5 -> b.5 : tcp/4                    yes
        """)


def test_groups() -> None:
    with Site("""
        allow group staff -> b : tcp/1
        allow group chiefs -> b : tcp/2
        allow user "bo@x.example" -> b : tcp/3
        allow group ledger -> b : tcp/4
        allow c -> group staff, b.one : tcp/5
    """) as site:
        nobody = "\n".join(
            f"{zone}.5 -> b.5 : tcp/{port} no" for zone in ("a", "net") for port in (1, 2, 3, 4)
        )
        site.check(nobody + "\n c.5 -> a.5 : tcp/5 no\n c.5 -> b.11 : tcp/5 yes")
        site.bind("a.5", "ana@x.example")
        site.bind("c.6", "bo@x.example")
        site.bind("net.7", "cy@x.example")
        site.bind("a.8", "dee@x.example", groups="ledger")
        site.check("""
            a.5 -> b.5 : tcp/1    yes
            a.5 -> b.5 : tcp/2    no
            a.5 -> b.5 : tcp/3    no
            a.5 -> c.5 : tcp/1    no
            c.6 -> b.5 : tcp/1    yes
            c.6 -> b.5 : tcp/2    no
            c.6 -> b.5 : tcp/3    yes
            net.7 -> b.5 : tcp/1  yes
            net.7 -> b.5 : tcp/2  yes
            net.7 -> b.5 : tcp/3  no
            a.8 -> b.5 : tcp/1    no
            a.8 -> b.5 : tcp/4    yes
            a.9 -> b.5 : tcp/1    no
            c.5 -> a.5 : tcp/5    yes
            c.5 -> a.8 : tcp/5    no
        """)
        site.unbind("a.5")
        site.check("a.5 -> b.5 : tcp/1 no\n c.6 -> b.5 : tcp/1 yes")


def test_group_in_zones() -> None:
    with Site("""
        allow group staff in a -> b : tcp/1
        allow group staff in (a, c) -> b : tcp/2
        allow c, group staff in c, user "dee@x.example" in a -> b.one : tcp/3
        allow group staff in a -> group chiefs in c : tcp/4
    """) as site:
        site.bind("a.5", "ana@x.example")
        site.bind("c.5", "cy@x.example")
        site.bind("net.5", "bo@x.example")
        site.bind("a.6", "dee@x.example")
        site.check("""
            a.5 -> b.5 : tcp/1    yes
            c.5 -> b.5 : tcp/1    no
            net.5 -> b.5 : tcp/1  no
            a.5 -> b.5 : tcp/2    yes
            c.5 -> b.5 : tcp/2    yes
            net.5 -> b.5 : tcp/2  no
            c.5 -> b.11 : tcp/3   yes
            c.6 -> b.11 : tcp/3   yes
            a.5 -> b.11 : tcp/3   no
            a.6 -> b.11 : tcp/3   yes
            a.5 -> c.5 : tcp/4    yes
            a.5 -> c.6 : tcp/4    no
            a.6 -> c.5 : tcp/4    no
            c.5 -> a.5 : tcp/4    no
        """)


def test_require() -> None:
    with Site("""
        allow group staff in a -> b : tcp/1 require mfa
        allow group staff in a -> b : tcp/2 require posture managed
        allow group staff in a -> b : tcp/3 require mfa, posture managed, posture patched
        allow user "ana@x.example" -> c : tcp/4 require mfa
    """) as site:
        site.bind("a.5", "ana@x.example")
        site.bind("a.6", "ana@x.example", mfa=True)
        site.bind("a.7", "ana@x.example", "managed")
        site.bind("a.8", "ana@x.example", "managed", "patched", mfa=True)
        site.bind("a.9", "dee@x.example", "managed", "patched", mfa=True)
        granted = {"a.5": "", "a.6": "14", "a.7": "2", "a.8": "1234", "a.9": "", "a.10": ""}
        site.check("\n".join(
            f"{host} -> {'c' if port == '4' else 'b'}.5 : tcp/{port}  {'yes' if port in ports else 'no'}"
            for host, ports in granted.items() for port in "1234"
        ))  # fmt: skip


def test_except_group() -> None:
    with Site("""
        allow a except group staff in a -> b : tcp/1
        deny any except group staff -> c : tcp/2
        allow any -> c : tcp/2
        allow group staff except user "bo@x.example" -> b : tcp/3
        deny any except group staff in a, group staff in net, group chiefs -> b.one : tcp/4
        allow any -> b.one : tcp/4
    """) as site:
        site.bind("a.5", "ana@x.example")
        site.bind("a.6", "bo@x.example")
        site.bind("net.5", "ana@x.example")
        site.check("""
            a.5 -> b.5 : tcp/1    no
            a.7 -> b.5 : tcp/1    yes
            a.5 -> c.5 : tcp/2    yes
            net.5 -> c.5 : tcp/2  yes
            a.7 -> c.5 : tcp/2    no
            net.7 -> c.5 : tcp/2  no
            a.5 -> b.5 : tcp/3    yes
            a.6 -> b.5 : tcp/3    no
            a.7 -> b.5 : tcp/3    no
            a.5 -> b.11 : tcp/4   yes
            net.5 -> b.11 : tcp/4 yes
            c.5 -> b.11 : tcp/4   no
        """)
        site.unbind("a.5")
        site.check("a.5 -> b.5 : tcp/1 yes\n a.5 -> c.5 : tcp/2 no")


def test_staged_counts_and_enforces_nothing() -> None:
    with Site("""
        allow a -> b : tcp/80
        allow a.one -> c : tcp/80
        staged deny as less a -> b : tcp/80
        staged allow as more a -> c : tcp/80-90
        staged allow as whole c -> a : any
        staged allow as people group staff in c -> a, b : udp
        deny c -> b.one : tcp
    """) as site:
        site.bind("c.6", "ana@x.example")
        site.check("""
            a.5 -> b.5 : tcp/80   yes
            a.6 -> b.11 : tcp/80  yes
            a.5 -> c.5 : tcp/80   no
            a.11 -> c.5 : tcp/80  yes
            a.5 -> c.5 : tcp/91   no
            c.5 -> a.5 : ping     no
            c.6 -> b.5 : udp/9    no
            c.7 -> b.5 : udp/9    no
        """)
        counts = {name: site.count(name) for name in ("less", "more", "whole", "people")}
        assert counts == {"less": 4, "more": 4, "whole": 2, "people": 2}


def test_counters_count_connections_by_name() -> None:
    with Site("allow as erp-access a -> b : tcp/80  deny as never-that a -> b : tcp/81") as site:
        conversation = site.talk("a.5", "b.5", 4, "tcp", 80)
        assert conversation.open()
        assert all(conversation.to_server() and conversation.to_client() for _ in range(3))
        assert site.count("erp-access") == 1
        site.check("a.6 -> b.5 : tcp/80 yes\n a.6 -> b.5 : tcp/81 no\n a.6 -> b.5 : tcp/82 no")
        assert (site.count("erp-access"), site.count("never-that")) == (3, 2)
        assert {name for name in ("erp-access", "never-that") if name in site.compiled.ruleset()}


def logged(site: Site, lines: str) -> tuple[list[Outcome], list[str]]:
    site.gateway.load(to_group(site.compiled.ruleset()))
    with closing(LogReader(site.gateway.namespace)) as reader:
        outcomes = site.check(lines)
        return outcomes, reader.prefixes()


def test_log() -> None:
    with Site("""
        allow as seen a -> b : tcp/80 log
        deny as caught a -> b : tcp/81 log
        deny as quiet a -> b : tcp/82
        staged allow as trial a -> c : tcp/80
        allow a -> b : tcp/83
    """) as site:
        tried = {
            "a.5 -> b.5 : tcp/80 yes v4": ["segc allow seen"],
            "a.5 -> b.5 : tcp/81 no v6": ["segc deny caught"],
            "a.5 -> b.5 : tcp/82 no v4": ["segc deny a>b"],
            "a.5 -> b.5 : tcp/83 yes v4": [],
            "a.5 -> c.5 : tcp/80 no v6": ["segc staged allow trial", "segc deny a>c"],
            "net.5 -> a.5 : tcp/80 no v4": ["segc deny net>a"],
            "net.5 -> gw : tcp/80 no v6": ["segc deny net>gateway"],
            "gw -> c.5 : tcp/80 no v4": ["segc deny gateway>c"],
        }
        for line, prefixes in tried.items():
            assert logged(site, line)[1] == prefixes, line
        for zone in "abc":
            spoofed = next(site.lines(f"{zone}.5 -> b.9 : tcp/80 yes")).probe
            with closing(LogReader(site.gateway.namespace)) as reader:
                site.gateway.probe([replace(spoofed, interface="wan0")])
                assert reader.prefixes() == ["segc deny spoofed"]


def test_denied_packets_are_logged_at_a_bounded_rate() -> None:
    with Site() as site:
        _, prefixes = logged(site, "\n".join(f"a.5 -> b.5 : tcp/{port} no" for port in range(1, 200)))
        assert 20 <= len(prefixes) < 60
        assert set(prefixes) == {"segc deny a>b"}


def test_limit_holds_for_the_whole_flow() -> None:
    with Site("""
        allow as slow a, c, b.one -> net : tcp/80 limit 6/minute
        allow a -> net : tcp/81 limit 1000/second
        allow as people group staff in c, a -> b : tcp/82 limit 3/hour
    """) as site:
        lines = "\n".join(f"{host}.11 -> net.{n} : tcp/80 yes" for n in range(1, 9) for host in "acb")
        probes = [line.probe for line in site.lines(lines)]
        assert sum(outcome.passed for outcome in site.gateway.probe(probes)) == 6
        assert site.count("slow") == 6
        site.check("\n".join(f"a.11 -> net.{n} : tcp/81 yes" for n in range(1, 20)))
        site.bind("c.5", "ana@x.example")
        probes = [line.probe for line in site.lines("c.5 -> b.5 : tcp/82 yes\na.5 -> b.5 : tcp/82 yes\n" * 4)]
        assert sum(outcome.passed for outcome in site.gateway.probe(probes)) == 3


def test_spoofed_sources_are_dropped() -> None:
    assert "%s" in GATEWAY
    with Site("allow any -> any : any  allow any -> gateway gw : any") as site:
        probes = []
        for source in ("a.5", "b.5", "c.5", "net.5"):
            for line in site.lines(f"{source} -> {'b' if source[0] != 'b' else 'c'}.9 : tcp/80 yes"):
                others = set(site.gateway.interfaces) - {line.probe.interface}
                probes += [replace(line.probe, interface=device) for device in sorted(others)]
                own = site.address("a.1", 6 if ":" in line.probe.src else 4)
                probes += [replace(line.probe, interface=device, dst=own) for device in sorted(others)]
                probes += [replace(line.probe, src=own)]
        assert len(probes) == 4 * 2 * 7
        assert {outcome.verdict for outcome in site.gateway.probe(probes)} == {Verdict.DROPPED}


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp", "udplite"])
def test_a_connection_opens_no_other_port(protocol: str) -> None:
    with Site(f"allow a -> b : {protocol}/81  deny a -> b : {protocol}/90") as site:
        if protocol == "udplite":  # the kernel checks it by the sum of UDP, and finds all of it invalid
            run(site.gateway.namespace, ["sysctl", "-w", "net.netfilter.nf_conntrack_checksum=0"])
        site.check(f"""
            a.5 -> b.5 : {protocol}/81  yes
            b.5 -> a.5 : {protocol}/81  no
            b.5 -> a.5 : {protocol}/99  no
            a.5 -> b.5 : {protocol}/80  no
            a.5 -> b.5 : {protocol}/90  no
        """)
