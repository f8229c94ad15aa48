"""Who vouches, how soon access ends, and who is put where: what is found, and what is not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from segc.analysis.identity import check_identity
from segc.analysis.identity.bounds import bounds
from segc.analysis.identity.postures import contradiction
from segc.policy.model import Policy, PostureFact
from segc.policy.resolve import resolve
from segc.space.words import duration_text
from segc.workspace import of_texts
from tests.unit.backends.helpers import policy

BASE = """
zone vpn { subnet 10.8.0.0/24 }
zone lab { subnet 10.9.0.0/24 }
zone erp { subnet 10.1.0.0/24 }
group leads { user "ana@acme.example" }
group staff { user "bo@acme.example"; group leads }
group finance from directory "sg-finance"
posture managed { edr = true }
posture patched { patched within 30d }
"""


def found(text: str) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in check_identity(policy(BASE + text))]


def codes(text: str) -> list[str]:
    return [code for code, _ in found(text)]


# -- who vouches


TUNNELS = """
zone net { external }
source s wireguard { zone vpn }
gateway gw { interface wan0 { zone net }  interface lan0 { zone erp }  interface tun0 { zone vpn } }
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", ["SEG230"]),
        ("wireguard", "openvpn", ["SEG230"]),
        ("wireguard", "radius", []),
        ("{ zone vpn }\n", "{ zone lab }\n", []),  # ends somewhere else
        ("{ zone net }", "{ zone lab }", []),  # at a gateway inside, where nobody comes from outside
    ],
)
def test_a_vpn_needs_a_way_in(old, new, expected):
    assert codes(TUNNELS.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ("allow net -> gateway gw : udp/1194", []),
        ("allow 192.0.2.0/24 -> gateway gw : tcp/443", []),
        ("allow lab -> gateway gw : udp/1194", ["SEG230"]),
        ("allow net -> gateway gw : icmp/echo-request", ["SEG230"]),
        ("staged allow net -> gateway gw : udp/1194", ["SEG230"]),
    ],
)
def test_what_lets_a_vpn_in(flow, expected):
    assert codes(TUNNELS + flow) == expected


@pytest.mark.parametrize(
    ("sources", "flow", "expected"),
    [
        ("", "group staff -> erp : tcp/1 require mfa", []),
        ("source a openvpn { zone vpn mfa }", "group staff -> erp : tcp/1 require mfa", []),
        ("source a openvpn { zone vpn }", "group staff -> erp : tcp/1 require mfa", ["SEG313"]),
        ("source a openvpn { zone vpn }", "group staff in lab -> erp : tcp/1", ["SEG313"]),
        ("source a openvpn { zone vpn }", "group staff in (vpn, lab) -> erp : tcp/1", ["SEG314"]),
        ("source a openvpn { zone vpn }", "group staff -> erp : tcp/1", []),
        ("source a openvpn { zone vpn }", "lab -> erp : tcp/1", []),
        ("source a posture { posture managed }", "group staff -> erp : tcp/1 require mfa", []),
        (
            "source a openvpn { zone vpn mfa } source b wireguard { zone vpn }",
            "group staff in vpn -> erp : tcp/1 require mfa",
            ["SEG314"],
        ),
        ("source a dhcp { zone vpn }", "group staff in vpn -> erp : tcp/1", ["SEG314"]),
        ("source a dhcp { zone vpn }", "group staff in vpn -> erp : tcp/1 require mfa", ["SEG313"]),
        (
            "source a openvpn { zone vpn } source b posture { posture managed }",
            "group staff in vpn -> erp : tcp/1 require posture managed",
            [],
        ),
        (
            "source a openvpn { zone vpn } source b posture { zone lab posture managed }",
            "group staff in vpn -> erp : tcp/1 require posture managed",
            ["SEG313"],
        ),
        (
            "source a openvpn { zone vpn mfa } source b radius { zone vpn posture managed }",
            "group staff in vpn -> erp : tcp/1 require mfa, posture managed",
            ["SEG313"],
        ),
    ],
)
def test_what_a_flow_asks_for_is_held_to_its_sources(sources: str, flow: str, expected: list[str]) -> None:
    assert codes(f"{sources} allow {flow}") == expected
    assert codes(f"{sources} staged allow {flow}") == []


# -- how soon access ends


def seconds(text: str, group: str | None = None) -> list[tuple[str, int | None]]:
    return [(each.who, each.seconds) for each in bounds(policy(BASE + text), group)]


FLOW = "allow group staff in vpn -> erp : tcp/1 "
ANA, BO, FINANCE = 'user "ana@acme.example"', 'user "bo@acme.example"', 'directory "sg-finance"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FLOW, [(ANA, None)]),
        (f"{FLOW} session staff {{ max 10h }}", [(ANA, 36001)]),
        (f"{FLOW} session staff {{ idle 10m }}", [(ANA, None)]),
        (f"{FLOW} session leads {{ max 1h }}", [(BO, None)]),
        (f"{FLOW} session staff {{ max 10h }} session leads {{ max 1h }}", [(BO, 36001)]),
        (f"{FLOW} session staff {{ max 1h }} session leads {{ max 10h }}", [(ANA, 3601)]),
        (f"{FLOW} session staff {{ max 10h }} source a openvpn {{ zone vpn max 2h }}", [(ANA, 7201)]),
        (f"{FLOW} session staff {{ max 1h }} source a openvpn {{ zone vpn max 2h }}", [(ANA, 3601)]),
        (f"{FLOW} source a openvpn {{ zone vpn max 2h }} source b radius {{ zone vpn }}", [(ANA, None)]),
        (f"{FLOW} source a openvpn {{ zone vpn max 2h }} source b radius {{ zone lab }}", [(ANA, 7201)]),
        (f"{FLOW} directory corp {{ sync 5m }}", [(ANA, None)]),
        ("allow group finance -> erp : tcp/1", [(FINANCE, None)]),
        ("allow group finance -> erp : tcp/1 directory corp { sync 5m }", [(FINANCE, 331)]),
        ("allow group finance -> erp : tcp/1 directory corp { sync 5m timeout 1m }", [(FINANCE, 361)]),
        (
            "allow group finance -> erp : tcp/1 directory a { sync 5m } directory b { sync 1h }",
            [(FINANCE, 3631)],
        ),
        (
            "allow group finance -> erp : tcp/1 directory corp { sync 1h } session finance { max 10m }",
            [(FINANCE, 601)],
        ),
        ("allow erp -> group finance in vpn : tcp/1 directory corp { sync 5m }", [(FINANCE, 331)]),
        ('allow user "zed" -> erp : tcp/1 session staff { max 1h }', [('user "zed"', None)]),
        ("deny group staff -> erp : tcp/1", []),
        ("staged allow group staff -> erp : tcp/1", []),
        ("allow vpn -> erp : tcp/1", []),
    ],
)
def test_the_worst_case_of_a_flow(text: str, expected: list[tuple[str, int | None]]) -> None:
    assert seconds(text) == expected


SNAPSHOT = """{"format": 1, "directories": {
  "fast": {"kind": "ldap", "source": "x", "users": ["ana@acme.example", "cem"],
           "groups": {"sg-finance": {"id": "1", "members": ["cem"]}}},
  "slow": {"kind": "ldap", "source": "y", "users": ["dora"],
           "groups": {"x": {"id": "2", "members": ["dora"]}, "sg-finance": {"id": "3", "members": []}}}}}"""


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ("group quick -> erp : tcp/1", [('directory "fast/sg-finance"', 331)]),
        ("group x -> erp : tcp/1", [('directory "x"', 3631)]),
        ("group quick, group x -> erp : tcp/1", [('directory "x"', 3631)]),
        (
            "group leads -> erp : tcp/1",
            [(ANA, 331)],
        ),  # removed from the directory, the policy still lists her
        ("group people -> erp : tcp/1", [(BO, None)]),  # no directory knows him
    ],
)
def test_a_directory_ends_what_the_snapshot_says_is_its_own(
    flow: str, expected: list[tuple[str, int | None]]
) -> None:
    groups = BASE.replace('group finance from directory "sg-finance"', "").replace(
        "group staff", "group people"
    )
    groups += 'group quick from directory "fast/sg-finance" group x from directory "x"'
    text = f"{groups} directory fast {{ sync 5m }} directory slow {{ sync 1h }} allow {flow}"
    read = of_texts({"p.seg": text, "identities.lock.json": SNAPSHOT})
    of, problems = resolve([file for _, file in read.files])
    assert not (*read.diagnostics, *problems)
    assert [(each.who, each.seconds) for each in bounds(of)] == expected


def test_a_member_of_two_directory_groups_is_among_the_members_of_both() -> None:
    snapshot = SNAPSHOT.replace('"members": []', '"members": ["dora"]')
    text = BASE.replace('"sg-finance"', '"slow/sg-finance"') + 'group x from directory "x" '
    text += "directory slow { sync 1h } allow group x -> erp : tcp/1 revoke group finance within 5m"
    for directory, expected in ((snapshot, ["SEG315"]), (SNAPSHOT, [])):
        read = of_texts({"p.seg": text, "identities.lock.json": directory})
        of, problems = resolve([file for _, file in read.files])
        assert not (*read.diagnostics, *problems)
        assert [each.code for each in check_identity(of)] == expected


def test_a_promise_is_of_the_members_of_its_group() -> None:
    text = f"{FLOW} session staff {{ max 10h }} session leads {{ max 10m }} "
    assert codes(text + "revoke within 15m") == ["SEG315"]
    assert codes(text + "revoke group leads within 15m") == []
    assert codes(text + "revoke group leads within 10m") == ["SEG315"]
    assert codes(text + "revoke group leads within 601s") == []
    assert codes(text + "revoke group finance within 1s") == []


def test_a_broken_promise_names_the_flow_the_bound_and_what_dominates_it() -> None:
    text = "allow as books group staff in vpn -> erp : tcp/1 session staff { max 10h } revoke within 15m"
    (diagnostic,) = check_identity(policy(BASE + text))
    assert diagnostic.message == "whoever is removed keeps `books` open for 36001 s (10h1s)"
    assert [label.text for label in diagnostic.secondary] == [
        'user "ana@acme.example" keeps this',
        "nothing ends it sooner: session staff: max 10h",
    ]
    assert diagnostic.help == "shorten that to 14m59s or less, or promise 10h1s"


def test_flows_that_one_thing_keeps_open_are_one_finding() -> None:
    flows = "".join(f"allow group staff -> erp : tcp/{port} " for port in range(1, 9))
    assert codes(f"{flows} session staff {{ max 10h }} revoke within 15m") == ["SEG315"]


# -- lifetimes


def test_rules_for_sessions_of_nobody() -> None:
    assert codes(f"{FLOW} session leads {{ max 1h }} session staff {{ max 1h }}") == []
    assert codes(f"{FLOW} session finance {{ max 1h }}") == ["SEG316"]
    assert codes(f"{FLOW} session staff {{ }}") == ["SEG316"]
    assert codes('allow user "ana@acme.example" -> erp : tcp/1 session staff { max 1h }') == []
    assert codes("allow any except group finance -> erp : tcp/1 session finance { max 1h }") == []
    desk = "zone desk { vlan 5  subnet 10.9.1.0/24  dot1x group leads }"
    desk += ' switch s { platform junos  port "a" dot1x }'
    assert codes(f"{desk} session staff {{ max 1h }}") == [], "RADIUS has the switch ask again after that"
    assert codes(f"{desk} session staff {{ idle 1h }}") == ["SEG316"]


# -- postures


def fact(operator: str, value: str | bool | int, type_: str) -> PostureFact:
    return PostureFact("f", operator, value, type_)


@pytest.mark.parametrize(
    ("facts", "possible"),
    [
        ("edr = true edr != false", True),
        ("edr = true edr = false", False),
        ("edr != true edr != false", False),
        ("n > 3 n < 5", True),
        ("n > 3 n < 4", False),
        ("n >= 3 n <= 4 n != 3 n != 4", False),
        ("n >= 3 n <= 5 n != 3 n != 5", True),
        ("n != 1 n != 2 n != 3 n < 4", True),
        ('v > "3" v < "4"', True),
        ('v > "3" v < "3.0.0.1"', True),
        ('v > "3" v <= "3.0"', False),
        ('v = "3" v = "3.0"', True),
        ('v != "3" v >= "3" v <= "3.0"', False),
        ('v < "14.10" v > "14.2"', True),
        ('v < "0"', False),
        ('v < "0.1" v != "0"', True),
        ('v < "5" v != "5" v != "4" v != "4.1"', True),
        ('s = "debian" s = "ubuntu"', False),
        ('s != "debian" s != "ubuntu"', True),
        ("patched within 3d patched within 30d", True),
        ("patched within 3d patched = true", False),
        ('v >= "14" v >= 14', False),
    ],
)
def test_facts_that_contradict_each_other(facts: str, possible: bool) -> None:
    assert codes(f"posture p {{ {facts} }}") == ([] if possible else ["SEG317"])


def test_postures_asked_for_at_once() -> None:
    text = "posture old { n < 3 } posture new { n > 4 } allow group staff -> erp : tcp/1 require posture"
    assert codes(f"{text} old, posture new") == ["SEG317"]
    assert codes(f"{text} old, posture managed") == []


def test_contradictions_are_those_that_trying_every_value_finds() -> None:
    """Random facts over small integers, and over versions of up to three small numbers."""
    rng = random.Random(5)
    versions = [(a, b, c) for a in range(4) for b in range(4) for c in range(9)]
    seen = {True: 0, False: 0}
    for _ in range(3000):
        asked = [(rng.choice([*SIGNS]), rng.randrange(4)) for _ in range(rng.randrange(1, 5))]
        possible = any(_all(value, asked) for value in range(-2, 7))
        assert (not contradiction([fact(sign, value, "integer") for sign, value in asked])) == possible
        wide = [(rng.choice([*SIGNS]), (rng.randrange(3), rng.randrange(3), 0)) for _ in asked]
        possible = any(_all(value, wide) for value in versions)
        facts = [fact(sign, ".".join(map(str, value)), "version") for sign, value in wide]
        assert (not contradiction(facts)) == possible, facts
        seen[possible] += 1
    assert min(seen.values()) > 300


SIGNS = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}


def _all(value: object, asked: Sequence[tuple[str, object]]) -> bool:
    return all(getattr(value, SIGNS[sign])(bound) for sign, bound in asked)


# -- 802.1X

SWITCH = 'switch s { platform cisco-ios port "GigabitEthernet1/0/1" dot1x }'


def wired(first: str, second: str, more: str = "") -> Policy:
    one = f"zone a {{ vlan 5 subnet 10.20.0.0/24 {first} }}"
    other = f"zone b {{ vlan 6 subnet 10.21.0.0/24 {second} }}"
    return policy(f"{BASE} {one} {other} {more}")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("dot1x group staff", "dot1x group finance", []),
        ("dot1x group staff", "dot1x group leads", ["SEG220"]),
        ("dot1x group staff", 'dot1x user "ana@acme.example"', ["SEG220"]),
        ("dot1x group staff dot1x group leads", "", []),
        ("dot1x group finance", "dot1x group money", ["SEG220"]),
        (
            "host p = 10.20.0.9 { mac 02:00:00:00:00:01 } dot1x mac",
            "host q = 10.21.0.9 { mac 02:00:00:00:00:01 } dot1x mac",
            ["SEG220"],
        ),
        (
            "host p = 10.20.0.9 { mac 02:00:00:00:00:01 } dot1x mac",
            "host q = 10.21.0.9 { mac 02:00:00:00:00:01 }",
            [],
        ),
    ],
)
def test_nobody_is_put_into_two_zones(first: str, second: str, expected: list[str]) -> None:
    of = wired(first, second, f'group money from directory "sg-finance" {SWITCH}')
    assert [each.code for each in check_identity(of)] == expected


def test_ports_that_ask_and_zones_that_take_people_in_need_each_other() -> None:
    assert [each.code for each in check_identity(wired("", "", SWITCH))] == ["SEG221"]
    unasked = SWITCH.replace("dot1x", "zone a")
    assert [each.code for each in check_identity(wired("dot1x group staff", "", unasked))] == ["SEG221"]
    assert [each.code for each in check_identity(wired("dot1x group staff", ""))] == []


def test_lengths_of_time_are_worded_as_they_are_written() -> None:
    assert [duration_text(each) for each in (0, 59, 3601, 90061, 900)] == [
        "0s",
        "59s",
        "1h1s",
        "1d1h1m1s",
        "15m",
    ]
