"""Findings of segmentation: when they speak up, when they keep still, and with which figures."""

from __future__ import annotations

import time

import pytest

from segc.analysis.reach.exposure import Exposure
from segc.analysis.segmentation import check_segmentation
from segc.analysis.segmentation.equivalent import same_zones, told
from segc.analysis.segmentation.outline import Outline
from segc.diagnostics.codes import RULES
from segc.diagnostics.explain import explanation
from segc.diagnostics.model import Diagnostic
from segc.policy.limits import THRESHOLDS
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse

TWINS = """
zone desks { subnet 10.0.1.0/24 }
zone printers { vlan 2; subnet 10.0.2.0/24; host p1 = 10.0.2.9; host p2 = 10.0.2.8 }
zone scanners { vlan 3; subnet 10.0.3.0/24; host s1 = 10.0.3.9 }
zone mail { subnet 10.0.4.0/24 }
allow desks -> printers : tcp/631
allow desks -> scanners : tcp/631
allow printers -> mail : tcp/587
allow scanners -> mail : tcp/500-587
deny scanners -> mail : tcp/500-586
"""


def policy_of(text: str) -> Policy:
    file, broken = parse(SourceFile("p.seg", text))
    policy, findings = resolve([file])
    assert not broken
    assert not [each for each in findings if each.severity.value == "error"]
    return policy


def found(text: str, code: str) -> list[Diagnostic]:
    return [each for each in check_segmentation(policy_of(text)) if each.code == code]


def test_zones_are_the_same_however_it_is_written() -> None:
    (finding,) = found(TWINS, "SEG401")
    assert finding.message == "zones `printers` and `scanners` are the same to the policy"
    assert "exposes 2 x 1 hosts to each other" in finding.notes[0]
    assert "VLAN 3" in finding.notes[0]
    assert finding.notes[1] == "for instance: 10.0.3.1 -> 10.0.2.1 tcp/445 is denied today"


LINKS = """
zone head { vlan 10 subnet 10.1.0.0/24 }
zone one { subnet 10.9.0.0/30 }
zone two { subnet 10.9.0.4/30 }
gateway hq { interface lan0 { trunk head } %s }
gateway east { %s }
allow head -> one, two : tcp/22
"""


def test_links_between_gateways_are_not_the_same() -> None:
    """One zone on both interfaces would have all addresses of a gateway on the first."""
    apart = "interface wg0 { zone one } interface wg1 { zone two }"
    for code in ("SEG401", "SEG402"):
        assert not found(LINKS % (apart, apart), code)
    tagged = LINKS.replace("zone one {", "zone one { vlan 1").replace("zone two {", "zone two { vlan 2")
    apart, together = (
        "interface e1 { trunk one } interface e2 { trunk two }",
        "interface e1 { trunk one, two }",
    )
    assert not found(tagged % (apart, apart), "SEG401")
    assert found(tagged % (together, together), "SEG401")


def alike(count: int) -> str:
    """Zones of which each has a host with a rule of its own."""
    zones = [
        f"zone z{n} {{ subnet 10.{n // 250}.{n % 250}.0/24; host h = 10.{n // 250}.{n % 250}.5 }}"
        for n in range(count)
    ]
    denies = [f"deny any -> z{n}.h : tcp/{1000 + n} when mon 08:00-09:00" for n in range(count)]
    return "\n".join([*zones, "allow any -> any : tcp/443", *denies])


def test_a_class_of_zones_that_are_the_same_is_one_finding() -> None:
    (finding,) = found(alike(5), "SEG401")
    assert finding.message == "zones `z0`, `z1`, `z2` and 2 more are the same to the policy"
    assert finding.notes[0] == "merging them exposes the 5 hosts of 5 zones to each other and removes 4 zones"
    assert "is denied today" in finding.notes[1]
    assert finding.help == "`segc suggest merge z0 z1 z2 z3 z4` writes the edit"


def test_many_zones_that_are_the_same_are_found_at_once() -> None:
    outline = Outline(policy_of(alike(300)))
    started = time.process_time()
    (merged,) = same_zones(outline)
    assert told(merged).notes
    assert len(merged.zones) == 300
    assert time.process_time() - started < 2


@pytest.mark.parametrize("odd", [0, 3, 8])
def test_one_that_is_told_apart_leaves_the_others_together(odd: int) -> None:
    text = f"{alike(9)}\nzone mail {{ subnet 10.9.0.0/24; tag mail }}\ndeny z{odd} -> mail : tcp/443 when mon"
    (finding,) = found(text, "SEG401")
    assert finding.help == (
        f"`segc suggest merge {' '.join(f'z{n}' for n in range(9) if n != odd)}` writes the edit"
    )


def test_a_promise_between_two_that_are_the_same_as_a_third_makes_two_classes() -> None:
    helps = [finding.help for finding in found(f"{alike(4)}\nnever z1 -> z3 : tcp/22", "SEG401")]
    assert helps == [
        "`segc suggest merge z0 z1` writes the edit",
        "`segc suggest merge z0 z2 z3` writes the edit",
    ]


def test_zones_whose_people_are_vouched_for_by_others_are_not_the_same() -> None:
    one = "source a radius { zone printers }"
    assert not found(TWINS + one, "SEG401")
    assert found(TWINS + one.replace("printers", "printers, scanners"), "SEG401")


def test_zones_of_which_one_takes_hosts_in_by_their_mac_are_not_the_same() -> None:
    mac = TWINS.replace("host p1 = 10.0.2.9", "host p1 = 10.0.2.9 { mac 02:00:00:00:00:01 }")
    assert found(mac, "SEG401")
    assert not found(mac.replace("vlan 2;", "vlan 2; dot1x mac;"), "SEG401")


def test_zones_that_speak_to_other_hosts_are_not_compared_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    zones = [f"zone z{n} {{ subnet 10.0.{n}.0/24; host h = 10.0.{n}.1 }}" for n in range(9)]
    flows = [f"allow z{n} -> z{(n + 1) % 9}.h : tcp/80" for n in range(9)]
    monkeypatch.setattr("segc.analysis.segmentation.equivalent.same", None)
    assert not found("\n".join(zones + flows), "SEG401")


def test_hosts_within_are_no_reason_to_stay_apart() -> None:
    text = """
zone b { subnet 10.0.1.0/24  intra deny }
zone c { subnet 10.0.2.0/24  intra deny  host c1 = 10.0.2.9 }
zone d { subnet 10.0.3.0/24  intra deny  tag other }
allow c -> c : any
allow any except c.c1 -> any except c.c1 : any
"""
    assert found(text, "SEG401")


@pytest.mark.parametrize(
    "more",
    [
        "allow scanners -> mail : tcp/25",
        "staged allow desks -> desks : any allow group g in scanners -> mail : tcp/25 group g { }",
        "deny desks -> scanners : tcp/631 when mon-fri",
        "allow printers -> scanners : tcp/9100",
        "never printers -> scanners",
        "never desks ~> scanners never scanners ~> printers",
    ],
)
def test_what_tells_them_apart(more: str) -> None:
    assert not found(f"{TWINS}\n{more}", "SEG401")


@pytest.mark.parametrize("change", ["tag pii", "intra deny", "refuse drop"])
def test_zones_of_different_kinds_are_not_compared(change: str) -> None:
    assert not found(TWINS.replace("zone scanners {", f"zone scanners {{ {change};"), "SEG401")


def test_isolated_zones_expose_nothing() -> None:
    text = TWINS.replace("zone printers {", "zone printers { intra deny;")
    (finding,) = found(text.replace("zone scanners {", "zone scanners { intra deny;"), "SEG401")
    assert finding.notes == ("merging them exposes nothing within and removes 1 flow and VLAN 3",)


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (1, 1), (9, 1)])
def test_nearly_the_same_is_a_matter_of_statements(limit: int, count: int) -> None:
    flows = "\n".join(f"allow a, b -> c : tcp/{port}" for port in range(1, 8))
    zones = "zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.0/24 } zone c { subnet 10.0.3.0/24 }"
    text = f"{zones} limits {{ near-statements {limit} }}\n{flows}\nallow a -> c : udp/9"
    near = found(text, "SEG402")
    assert len(near) == count
    assert all(
        "it also opens 10.0.2.0/24 -> c : udp/9" in " ".join(f.notes) or "b -> c : udp/9" in " ".join(f.notes)
        for f in near
    )


SMALL = """
zone desks { subnet 10.0.1.0/24 }
zone wiki { subnet 10.0.2.0/24; host w = 10.0.2.9 }
zone internet { external }
allow desks -> wiki.w : tcp/443
"""


def test_a_zone_for_one_host_is_small() -> None:
    assert [each.message for each in found(SMALL, "SEG403")] == ["zone `wiki` is for 1 host"]


@pytest.mark.parametrize("tag", ["regulated", "guest", "mgmt", "ot"])
def test_some_zones_are_small_on_purpose(tag: str) -> None:
    assert not found(SMALL.replace("host w", f"tag {tag}; host w"), "SEG403")


@pytest.mark.parametrize(
    "more",
    ["allow wiki -> internet : tcp/443", "allow internet -> wiki.w : tcp/443", "limits { zone-hosts 0 }"],
)
def test_a_zone_with_more_than_its_hosts_or_that_the_outside_enters_is_not(more: str) -> None:
    assert not found(f"{SMALL}\n{more}", "SEG403")


BETWEEN = """
zone desks {{ subnet 10.0.1.0/24 }}
zone link {{ subnet {0} }}
zone lab {{ subnet 10.0.2.0/24 }}
gateway gw1 {{ interface lan0 {{ zone desks }} interface up0 {{ zone link {1} }} }}
gateway gw2 {{ interface lan0 {{ zone lab }} interface up0 {{ zone link }} }}
allow desks -> lab : tcp/443
allow link -> lab : icmp/echo-request
"""


@pytest.mark.parametrize(
    ("subnet", "address", "hosts"),
    [
        ("10.0.9.0/30", "", None),
        ("10.0.9.0/30", "address 10.0.9.1/30", None),
        ("10.0.9.0/31", "address 10.0.9.0/31", None),
        ("10.0.9.0/32", "", None),  # of which a gateway has the only address
        ("10.0.9.0/29", "address 10.0.9.1/29", 4),  # six less two gateways
        ("10.0.9.0/29", "", 4),
    ],
)
def test_gateways_and_their_links_are_no_hosts(subnet: str, address: str, hosts: int | None) -> None:
    """A /30 between two gateways was for one host, where the address of one of them was not stated."""
    text = BETWEEN.format(subnet, address)
    limits = f"limits {{ zone-hosts {hosts} }}"
    told = [each.message for each in found(f"{text}\n{limits if hosts else ''}", "SEG403")]
    assert told == ([f"zone `link` is for {hosts} hosts"] if hosts else [])
    assert not found(f"{text}\nlimits {{ zone-hosts {(hosts or 1) - 1} }}", "SEG403")


def test_a_single_address_without_a_gateway_is_for_one_host() -> None:
    text = "zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.1/32 } allow a -> b : tcp/1"
    assert [each.message for each in found(text, "SEG403")] == ["zone `b` is for 1 host"]


def test_an_open_boundary_counts_zones_that_are_open_alike() -> None:
    zones = "zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.0/24 } zone c { subnet 10.0.3.0/24 }"
    (finding,) = found(f"{zones} allow any -> any : any allow a, b -> c : tcp/1", "SEG406")
    assert finding.primary is not None
    assert finding.primary.text.endswith(", and 1 more zone is open to them alike")


def test_an_open_boundary_counts_denies() -> None:
    text = "zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.0/24 } allow a -> b : any allow b -> a : any"
    (finding,) = found(text, "SEG406")
    assert "100% of all ports are open both ways" in finding.message
    assert not found(f"{text} deny a -> b : tcp/1-40000", "SEG406")
    assert not found(text.replace("allow b -> a : any", "allow b -> a : tcp"), "SEG406")


def test_names_used_only_by_unused_names_are_unused() -> None:
    text = """
    service x = tcp/1 service y = x service z = tcp/2
    posture fit { edr = true } group g { user "a@x.example" } group h { group g }
    zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.0/24 } set s = a, b set t = s
    allow a -> b : z
    """
    unused = sorted(each.message for each in found(text, "SEG407"))
    assert unused == [
        f"the {kind} `{name}` is unused"
        for kind, name in [
            ("group", "g"), ("group", "h"), ("posture", "fit"), ("service", "x"), ("service", "y"),
            ("set", "s"), ("set", "t"),
        ]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        ("allow a -> b : any", "every service"),
        ("allow a -> b : tcp/1-1025", "1,025 ports"),
        ("allow internet -> b : tcp/443", "anybody outside reaches 256 addresses"),
        ("allow a -> any : tcp/443", "the destination is every zone"),
        ("allow a -> b : tcp/1-1024", ""),
        ("allow internet -> b.h : tcp/443", ""),
        ("allow 198.51.100.0/24 -> b : tcp/443", ""),
        ("allow internet -> gateway gateway : tcp/443", ""),
        ("staged allow a -> b : any", ""),
        ("deny a -> b : any", ""),
    ],
)
def test_broad_flows(flow: str, words: str) -> None:
    text = "zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.0/24; host h = 10.0.2.9 }"
    told = found(f"{text} zone internet {{ external }}\n{flow}", "SEG411")
    assert [words in each.primary.text for each in told if each.primary] == [True] * bool(words)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("serve dns to any", "the gateway serves everybody outside, too"),
        ("manage from any : tcp/22", "the gateway is managed by everybody outside, too"),
        ("serve dns to any except internet", ""),
        ("serve dns to internet", ""),
    ],
)
def test_what_serves_any_serves_the_outside(statement: str, words: str) -> None:
    text = "zone a { subnet 10.0.1.0/24 } zone internet { external } gateway g { %s; %s }"
    interfaces = "interface a0 { zone a } interface w0 { zone internet }"
    told = found(text % (interfaces, statement), "SEG411")
    assert [each.message for each in told] == [words] * bool(words)
    inside = text.replace("zone internet { external }", "zone b { subnet 10.0.2.0/24 }") % (
        interfaces.replace("internet", "b"),
        "serve dns to any",
    )
    assert not found(inside, "SEG411")


def test_reach_of_groups_is_what_membership_opens() -> None:
    policy = policy_of("""
    zone a { subnet 10.0.1.0/24 } zone b { subnet 10.0.2.0/24 } zone c { subnet 10.0.3.0/24 }
    group g { user "x@x.example" } group other { user "y@x.example" } group both { group g, other }
    allow group g in a -> b : tcp/22
    allow group both in a -> c : tcp/80 require mfa
    allow b -> c : tcp/22
    deny a -> b : tcp/1-21
    """)
    exposure = Exposure(policy)
    assert [exposure.zones(mask) for mask in exposure.of_group("g")] == [["b", "c"]] * 3
    assert [exposure.zones(mask) for mask in exposure.of_group("other")] == [["c"]] * 3
    assert [exposure.zones(mask) for mask in exposure.of_group("both")] == [["c"]] * 3  # not all are in g
    assert round(exposure.score()) == 50  # a reaches b and c, b reaches c, c nothing: 3 of 6


def test_a_policy_sets_its_own_limits() -> None:
    zones = "\n".join(f"zone z{n} {{ subnet 10.0.{n}.0/24; tag t{n} }}" for n in range(6))
    text = f"{zones}\nallow z0 -> z1, z2 : tcp/443"
    assert not found(text, "SEG412")
    (finding,) = found(f"{text} limits {{ blast-radius 30 }}", "SEG412")
    assert "at least 2 of 5 others are one hop away" in finding.message


def test_every_threshold_belongs_to_a_finding_that_explains_it() -> None:
    for name, threshold in THRESHOLDS.items():
        code = f"SEG{threshold.check}"
        assert code in RULES
        assert f"`{name}` ({threshold.default})" in (explanation(code) or "").replace("\n", " "), name
        assert threshold.source
