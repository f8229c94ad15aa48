from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segc.analysis.conflicts import check_conflicts
from segc.analysis.conflicts.expired import check_expired
from segc.analysis.conflicts.moments import Times, _week, moment, without
from segc.diagnostics.model import Severity
from segc.policy import calendar
from segc.policy.model import Schedule
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.unit.backends.helpers import NAMES, sample

ZONES = """
zone hr { subnet 10.0.10.0/24, 2001:db8:10::/64  host payroll = 10.0.10.20 { tag pii } }
zone it { subnet 10.0.20.0/24, 2001:db8:20::/64  host db = 10.0.20.9, 2001:db8:20::9 }
zone vpn { subnet 10.8.0.0/24 }
group staff { user "ana", "bo" }
group leads { user "ana" }
group remote from directory "sg-remote"
posture fit { edr = true }
"""


def check(text, zones=ZONES):
    text = zones + text
    file, broken = parse(SourceFile("policy.seg", text))
    assert not broken
    policy, findings = resolve([file])
    assert not [each for each in findings if each.severity is Severity.ERROR], findings
    return text, sorted(check_conflicts(policy), key=lambda each: each.sort_key())


def found(text, zones=ZONES):
    """Code and underlined text of each finding."""
    text, findings = check(text, zones)
    return [(d.code, text[d.primary.span.start : d.primary.span.end]) for d in findings]


def one(text, zones=ZONES):
    _, findings = check(text, zones)
    assert len(findings) == 1, [d.message for d in findings]
    return findings[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_samples_hold_nothing_but_notes(name):
    assert [d.message for d in check_conflicts(sample(name)) if d.severity is not Severity.NOTE] == []


# ---- expired


@pytest.mark.parametrize(
    ("options", "day", "over"),
    [
        ("until 2026-03-29", "2026-03-29T23:59:59+02:00", False),
        ("until 2026-03-29", "2026-03-30T00:00:00+02:00", True),
        ("from 2026-04-01 until 2026-04-30", "2026-01-01T00:00:00+01:00", False),
        ("when mon-fri until 2026-03-29", "2026-03-27T23:59:59+01:00", False),  # a Sunday, so no day is left
        ("when mon-fri until 2026-03-29", "2026-03-28T00:00:00+01:00", True),
        (
            "when sun 02:00-03:00 from 2026-03-29 until 2026-03-29",
            "2027-01-01T00:00:00+01:00",
            False,
        ),  # SEG302
        ("from 2026-01-01", "2030-01-01T00:00:00+01:00", False),
    ],
)
@pytest.mark.parametrize("word", ["allow", "deny", "staged deny"])
def test_a_flow_whose_time_is_over_has_expired(options, day, over, word):
    text = f'{ZONES}\ntimezone "Europe/Berlin"\n{word} it -> hr : tcp/22 {options}\n'
    policy, _ = resolve([parse(SourceFile("policy.seg", text))[0]])
    told = list(check_expired(policy, int(datetime.fromisoformat(day).timestamp())))
    assert [each.code for each in told] == ["SEG318"] * over


# ---- dead


def test_a_flow_lost_to_several_denies_names_them_all():
    told = one(
        "allow it -> hr : tcp/22\ndeny it -> hr.payroll : any\ndeny it -> hr except hr.payroll : tcp/20-30\n"
    )
    assert told.code == "SEG301"
    assert told.primary.text == "allows it -> hr : tcp/22"
    assert [label.text for label in told.secondary] == ["denies a part of it"] * 2
    assert told.notes == ("for instance: 10.0.20.1 -> 10.0.10.1 tcp/22 is denied",)


def test_a_deny_under_a_condition_does_not_kill():
    assert found("allow it -> hr : tcp/22\ndeny it -> hr : tcp/22 when mon-fri 08:00-18:00\n") == [
        ("SEG306", "deny it -> hr : tcp/22 when mon-fri 08:00-18:00")
    ]
    both = (
        "deny it -> hr : tcp/22 when mon-fri 08:00-18:00\ndeny it -> hr : tcp/22 when sat,sun 00:00-24:00\n"
    )
    night = "deny it -> hr : tcp/22 when mon-fri 18:00-08:00\n"
    assert [code for code, _ in found("allow it -> hr : tcp/22\n" + both)] == ["SEG306"] * 2
    # Saturday's small hours belong to Friday's night, Monday's to nobody's but Sunday's.
    codes = [code for code, _ in found("allow it -> hr : tcp/22\n" + both + night)]
    assert codes == ["SEG306"] * 3
    monday = "deny it -> hr : tcp/22 when mon 00:00-08:00\n"
    assert found("allow it -> hr : tcp/22\n" + both + night + monday)[0] == (
        "SEG301",
        "allow it -> hr : tcp/22",
    )


def test_a_deny_of_one_group_kills_what_its_members_are_allowed():
    assert found("allow group leads in vpn -> hr : tcp/22\ndeny group staff in vpn -> hr : any\n") == [
        ("SEG301", "allow group leads in vpn -> hr : tcp/22")
    ]
    assert [
        c for c, _ in found("allow group staff in vpn -> hr : tcp/22\ndeny group leads -> hr : any\n")
    ] == ["SEG306"]
    assert [c for c, _ in found('allow user "bo" -> hr : tcp/22\ndeny group leads -> hr : any\n')] == []


def test_a_term_that_was_named_and_is_lost():
    told = one("allow it, vpn -> hr : tcp/22\ndeny vpn -> hr : any\n")
    assert (told.code, told.message) == ("SEG311", "all that this flow allows for `vpn` is denied elsewhere")
    assert told.notes == ("for instance: 10.8.0.1 -> 10.0.10.1 tcp/22 is denied",)
    assert one("allow it -> hr.payroll, vpn : tcp/22\ndeny it -> tag pii : any\n").code == "SEG311"


def test_what_a_deny_takes_is_told_once_for_all_flows():
    told = one("allow it -> hr : tcp/22\nallow vpn -> hr : tcp/80\ndeny any -> hr.payroll : any\n" * 1)
    assert (told.code, told.message) == ("SEG306", "this deny takes a part of 2 flows")
    assert [label.text for label in told.secondary] == [
        "loses it -> hr.payroll : tcp/22",
        "loses vpn -> hr.payroll : tcp/80",
    ]


# ---- never


def test_what_can_never_match():
    never = "when sat 08:00-12:00 from 2026-11-23 until 2026-11-27"
    assert found(f"allow it -> hr : tcp/22 {never}\n") == [("SEG302", f"allow it -> hr : tcp/22 {never}")]
    assert one('allow user "ana" except group leads -> hr : tcp/22\n').primary.text.startswith(
        "nobody can be"
    )
    assert one("allow vpn -> hr : icmpv6\n").primary.text == "its ends have no packets in common"
    assert found("allow it -> hr : tcp/22 when sat 08:00-12:00 from 2026-11-23 until 2026-11-28\n") == []


def test_an_hour_that_the_clock_skips():
    flow = "allow it -> hr : tcp/22 when sun 02:00-03:00 from 2026-03-29 until 2026-03-29\n"
    skipped = 'timezone "Europe/Berlin"\n' + flow
    assert [code for code, _ in found(skipped)] == ["SEG302"]
    assert found(skipped.replace("03:00", "03:01")) == []


# ---- redundant


def test_what_a_union_grants_is_redundant():
    told = one("allow it -> hr : tcp/1-100\nallow it -> hr : tcp/1-60, udp/5\nallow it -> hr : tcp/50-120\n")
    assert told.code == "SEG307"
    assert [label.text for label in told.secondary] == ["grants a part of it"] * 2
    assert (
        found("allow it -> hr : tcp/1-100\nallow it -> hr : tcp/1-60, udp/5\nallow it -> hr : tcp/62-120\n")
        == []
    )


def test_of_two_equal_flows_the_second_is_told():
    told = one("allow it -> hr : tcp/22\nallow it -> hr : tcp/22\n")
    assert (told.message, told.primary.span.line - told.secondary[0].span.line) == (
        "this allow is said twice",
        1,
    )
    assert one("deny it -> hr : tcp/22\ndeny it -> hr : tcp/22\n").message == "this deny is said twice"


@pytest.mark.parametrize("option", ["log", "limit 5/minute"])
def test_a_flow_that_logs_or_limits_does_more_than_grant(option):
    assert found(f"allow it -> hr : tcp/22 {option}\nallow it -> hr : tcp/20-30\n") == []
    assert len(found(f"allow it -> hr : tcp/22\nallow it -> hr : tcp/20-30 {option}\n")) == (option == "log")


def test_hosts_of_an_open_zone_need_no_flow():
    told = one("allow hr -> hr.payroll : tcp/22\n")
    assert told.secondary[0].text == "hosts of one zone may talk without a flow"
    assert found("allow hr, it -> hr.payroll : tcp/22\n") == []


def test_hours_add_up():
    flows = "allow it -> hr : tcp/22 when mon 08:00-12:00\nallow it -> hr : tcp/22 when mon 10:00-18:00\n"
    assert found(flows) == []
    assert found(flows + "allow it -> hr : tcp/22 when mon 09:00-17:00\n") == [
        ("SEG307", "allow it -> hr : tcp/22 when mon 09:00-17:00")
    ]


# ---- bypass


def test_a_condition_beside_the_same_access_without_it():
    told = one("allow group staff in vpn -> hr : tcp/22 require mfa\nallow vpn -> hr : tcp/22\n")
    assert (told.code, told.message) == (
        "SEG308",
        "`require mfa` means nothing for all that this flow grants",
    )
    assert told.notes == ('for instance: 10.8.0.1 -> 10.0.10.1 tcp/22 (from user "ana") is allowed',)


def test_a_condition_without_meaning_for_a_zone_or_a_service():
    flow = "allow group staff in (it, vpn) -> hr : tcp/22, tcp/80 require mfa, posture fit\n"
    told = one(flow + "allow it -> hr : tcp/1-90\n")
    assert told.message == "`require mfa, posture fit` means nothing for all that this flow grants from `it`"
    assert one(flow + "allow it, vpn -> hr : tcp/80\n").message.endswith("means nothing for `tcp/80`")
    assert one(flow + "allow vpn -> hr.payroll : tcp/80\n").code == "SEG312"


def test_a_part_of_a_flow_that_holds_nobody_has_no_condition_to_lose():
    everybody = "group everybody { group staff }\nallow it except it.db -> hr : tcp/22\n"
    flow = "allow group staff in (it, hr) except group everybody in hr -> hr : tcp/22 require mfa\n"
    assert one(everybody + flow).code == "SEG312"


def test_dates_and_hours_are_conditions_too():
    assert one("allow it -> hr : tcp/22 until 2027-01-01\nallow it -> hr : tcp/22\n").code == "SEG308"
    assert (
        found("allow it -> hr : tcp/22 when mon-fri 08:00-18:00\nallow it -> hr : tcp/22 when sat,sun\n")
        == []
    )


# ---- evaded


def test_a_denial_of_people_that_addresses_without_a_session_evade():
    _, told = check("allow it, vpn -> hr : tcp/22\ndeny group staff in vpn -> hr : any require mfa\n")
    told = [each for each in told if each.code == "SEG321"]
    assert [each.primary.text for each in told] == ["holds only while a session binds group staff"]
    assert [label.text for label in told[0].secondary] == ["lets through what has none"]
    example, why = told[0].notes
    assert example == "for instance: 10.8.0.1 -> 10.0.10.1 tcp/22 is allowed while no session binds 10.8.0.1"
    assert why.startswith("nobody needs a session to be in `vpn`: no source of kind openvpn, wireguard or ")


def test_an_except_of_several_groups_names_them():
    told = one("allow vpn except group leads, group remote -> hr : tcp/22\n")
    assert (told.code, told.secondary) == ("SEG321", ())
    assert told.primary.text == "holds only while a session binds group leads or group remote"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("source s openvpn { zone vpn }", "SEG322"),
        ("source s radius { zone it, vpn }", "SEG322"),
        ("source s wireguard { zone it }", "SEG321"),
        ("source s dhcp { zone vpn }", "SEG321"),
        ("source s manual { zone vpn }", "SEG321"),
    ],
)
def test_where_people_enter_by_a_source_it_is_a_note(source, code):
    assert one(f"{source}\nallow vpn except group staff -> hr : tcp/22\n").code == code


# ---- withheld

ENTERED = "source s openvpn { zone vpn }\nallow group staff in vpn -> hr : tcp/22 %s\n"


def withheld(text):
    _, told = check(text)
    return [each for each in told if each.code == "SEG323"]


def test_a_deny_that_one_evades_by_proving_less():
    (told,) = withheld(ENTERED % "" + "deny group staff in vpn -> hr : any require mfa, posture fit\n")
    assert told.message == "who does not prove a second factor or posture `fit` evades this deny"
    assert [label.text for label in told.secondary] == ["lets through who does not"]
    assert told.notes == ('for instance: 10.8.0.1 -> 10.0.10.1 tcp/22 (from user "ana") is allowed',)


@pytest.mark.parametrize(
    ("allow", "deny", "lacking"),
    [
        ("require mfa", "require mfa, posture fit", "posture `fit`"),
        ("require posture fit", "require mfa, posture fit", "a second factor"),
        ("require mfa", "require mfa", ""),  # who is let in proves it
        ("require mfa, posture fit", "require mfa", ""),
        ("", "", ""),
        ("", "require mfa\ndeny vpn -> hr : any", ""),  # another stops them
        ("", "require mfa\ndeny group staff in vpn -> hr : tcp/22", ""),
    ],
)
def test_only_what_the_allow_does_not_ask_for_is_withheld(allow, deny, lacking):
    told = withheld(ENTERED % allow + f"deny group staff in vpn -> hr : any {deny}\n")
    assert [each.message for each in told] == (
        [f"who does not prove {lacking} evades this deny"] if lacking else []
    )


@pytest.mark.parametrize(
    "deny",
    [
        "deny group staff in vpn -> hr : tcp/23 require mfa",
        "deny group staff in vpn -> it : any require mfa",
        "deny group remote in it -> hr : any require mfa",
        "staged deny group staff in vpn -> hr : any require mfa",
    ],
)
def test_a_deny_of_something_else_is_not_evaded(deny):
    assert withheld(ENTERED % "" + deny + "\n") == []


# ---- staged


def test_what_a_staged_deny_would_cut_is_what_is_open_now():
    told = one("allow it -> hr : tcp/22\nstaged deny it -> hr.payroll : any\n")
    assert (told.code, told.secondary[0].text) == ("SEG309", "would lose it -> hr.payroll : tcp/22")
    assert found("allow it -> hr.payroll : tcp/22\nstaged deny vpn -> hr : any\n") == []
    assert "SEG309" not in dict(
        found("allow it -> hr : tcp/22\nstaged deny it -> hr : any\ndeny it -> hr : tcp/22\n")
    )


# ---- within a VLAN

LAB = """
zone lab { vlan 30  subnet 10.10.30.0/24  host press = 10.10.30.9 }
zone it { vlan 40  subnet 10.10.40.0/24 }
gateway gw { interface lan0 { trunk lab, it } }
"""


def test_a_deny_within_a_vlan_holds_on_paper_only():
    told = one("deny any -> lab.press : tcp/22\n", LAB)
    assert told.message == "no gateway sees what this deny forbids between hosts of zone `lab`"
    assert found("deny it -> lab.press : tcp/22\n", LAB) == []
    assert found("deny any -> lab.press : tcp/22\n", LAB.split("gateway")[0]) == []


def test_isolated_ports_keep_a_deny():
    ports = "switch sw { platform openwrt  port p1-4 zone lab isolated  port p9 trunk lab, it }\n"
    assert found(ports + "deny lab -> lab.press : tcp/22\n", LAB) == []
    assert found(ports.replace("isolated", "") + "deny lab -> lab.press : tcp/22\n", LAB)[0][0] == "SEG310"


def test_intra_deny_needs_something_that_keeps_apart():
    closed = LAB.replace("host press", "intra deny  host press")
    assert one("", closed).message == "nothing that the policy describes keeps hosts of zone `lab` apart"
    assert found("switch sw { platform openwrt  port p1-4 zone lab  port p9 trunk lab, it }\n", closed) == []


def test_intra_deny_with_an_exception_needs_something_that_keeps_apart_as_well():
    closed = LAB.replace("host press", "intra deny  host press")
    for flow in ("allow lab -> lab.press : tcp/22\n", "allow lab, it -> lab.press : tcp/22\n"):
        assert (
            one(flow, closed).message == "nothing that the policy describes keeps hosts of zone `lab` apart"
        )


def test_an_allow_among_isolated_ports_only_is_told():
    closed = LAB.replace("host press", "intra deny  host press")
    flow = "allow lab, it -> lab.press : tcp/22\n"
    ports = "switch sw { platform openwrt  port p1-4 zone lab isolated  port p9 trunk lab, it }\n"
    told = one(ports + flow, closed)
    assert (
        told.message == "hosts of zone `lab` cannot use this among themselves: all their ports are isolated"
    )
    assert found(ports + "allow it -> lab.press : tcp/22\n", closed) == []
    assert found(ports + "staged " + flow, closed) == []
    assert found(ports.replace("p9", "p5 zone lab  port p9") + flow, closed) == []


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("lab", True),
        ("lab.press, it", True),
        ("presses", True),  # a set of one zone
        ("deeper", True),
        ("both", True),  # as if its zones stood in its place
        ("tag hot", True),
        ("10.10.30.7", True),
        ("10.10.30.4-10.10.30.7, it", True),
        ("group crew in lab", True),
        ("group crew in (lab, it)", True),
        ("it", False),
        ("any", False),  # which holds them as it holds all
        ("any except lab.press", False),
        ("any except it", False),
        ("group lab", False),  # whose name says nothing
        ("tag lab", False),  # nor that of a tag that others have as well
        ("10.0.0.0/8", False),
    ],
)  # fmt: skip
def test_an_allow_among_isolated_ports_is_told_where_it_names_their_zone(end, told):
    closed = LAB.replace("host press", "intra deny  tag lab  host press").replace(
        "= 10.10.30.9", "= 10.10.30.9 { tag hot }"
    )
    closed = closed.replace("zone it {", "zone it { tag lab ")
    lists = "set presses = lab.press\nset deeper = presses\nset both = lab, it\n"
    lists += 'group crew { user "ana@x.example" }\ngroup lab { user "bo@x.example" }\n'
    ports = "switch sw { platform openwrt  port p1-4 zone lab isolated  port p9 trunk lab, it }\n"
    found = check(f"{lists}{ports}allow {end} -> lab.press : tcp/22\n", closed)[1]
    assert ["cannot use this among themselves" in each.message for each in found] == [True] * told


@pytest.mark.parametrize(
    ("core", "codes"),
    [
        ("", ["SEG310"]),  # they meet where nobody describes it
        ("switch core { platform openwrt  port p1-3 trunk lab, it }", ["SEG310"]),
        ("switch core { platform openwrt  port p1 trunk lab, it  port p2-3 trunk lab, it isolated }", []),
    ],
)
def test_intra_deny_at_two_switches_needs_something_that_keeps_them_apart(core, codes):
    """A switch isolates its own ports alone, and hosts at two of them reached each other by their trunks."""
    closed = LAB.replace("host press", "intra deny  host press")
    switches = "".join(
        f"switch {name} {{ platform openwrt  port p1-4 zone lab  port p9 trunk lab, it }}\n" for name in "ab"
    )
    told = check(switches + core, closed)[1]
    assert [each.code for each in told] == codes
    for each in told:
        assert each.message == "nothing described keeps hosts of zone `lab` at `a` and at `b` apart"
    apart = closed.replace("it }", "it }  interface lan1 { trunk lab }", 1)
    assert found(switches + core, apart) == []


HOME = """
zone home { subnet 10.0.1.0/24  host tv = 10.0.1.9  host nas = 10.0.1.8 }
zone net { external }
gateway gw {
  interface lan0 { zone home }  interface wan0 { zone net }
  address home 10.0.1.1/24
}
"""


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("", "", []),  # for all we know tunnels, which the gateway joins
        ("address home", "serve dhcp to home  address home", ["SEG310"]),
        ("10.0.1.9", "10.0.1.9 { mac 02:00:00:00:00:01 }", ["SEG310"]),
    ],
)
def test_a_link_without_a_vlan_is_one_where_hosts_lease_or_have_macs(old, new, codes):
    home = HOME.replace(old, new, 1)
    told = check("deny home.tv -> home.nas : any\n", home)[1]
    assert [each.code for each in told] == codes
    assert [each.notes[0].split(" is ")[0] for each in told] == [
        "for instance: 10.0.1.9 -> 10.0.1.8 tcp/445" for _ in codes
    ]
    closed = home.replace("zone home {", "zone home { intra deny ")
    assert [each.code for each in check("", closed)[1]] == codes


# ---- moments

ZONE_NAMES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


@settings(deadline=None)
@given(
    st.sampled_from(ZONE_NAMES),
    st.lists(st.integers(0, 6), min_size=1, unique=True),
    st.integers(0, 47),
    st.integers(0, 47),
    st.integers(0, 24 * 400),
    st.integers(1, 200),
)
def test_a_moment_is_found_where_the_calendar_has_one(zone, days, start, end, hour, hours):
    if start == end:
        return
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    schedule = Schedule(tuple(sorted(days)), start * 30, end * 30, zone)
    span = int(first.timestamp()), int((first + timedelta(hours=hours)).timestamp())
    found = moment(Times(_week(schedule), *span), zone)
    held = [at for at in range(*span, 900) if calendar.holds(*schedule, at)]
    assert found == min(held, default=None)


def test_boxes_of_time_are_cut_exactly():
    whole = Times(((0, 99),), 0, 100)
    left = without(whole, [Times(((10, 19),), 50, 60)])
    assert sum((t.last - t.first) * sum(b - a + 1 for a, b in t.week) for t in left) == 100 * 100 - 10 * 10
    assert without(whole, [Times(((0, 200),), -5, 50), Times(((0, 99),), 50, 100)]) == []
