"""What a plan says of two policies, in words and figures, on cases that people meet."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from jsonschema import Draft202012Validator

from segc.plan.gains import parse_condition, stops
from segc.plan.make import Told, make_plan
from segc.plan.model import Access, Kind, Plan
from segc.plan.saved import plan_json, read_plan
from segc.plan.tell import code, plan_markdown, plan_text
from segc.plan.words import week_text
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.unit.cli.test_check import schema

INVENTORY = """
zone hr      { subnet 10.1.0.0/24  host printer = 10.1.0.30 { tag unpatched } }
zone finance { subnet 10.2.0.0/24, 2001:db8:2::/64  tag regulated }
zone vpn     { subnet 10.8.0.0/24  intra deny }
zone internet { external }
group staff { user "ana@acme.example", "bo@acme.example" }
posture managed { disk_encrypted = true }
"""


def told(text: str) -> Told:
    source = SourceFile("policy.seg", text)
    file, broken = parse(source)
    assert not broken, broken
    policy, findings = resolve([file])
    assert not any(each.severity.value == "error" for each in findings), findings
    return Told(policy, (source,))


def plan(before: str, after: str, inventory: Sequence[str] = (INVENTORY, INVENTORY)) -> Plan:
    was, now = told(inventory[0] + before + "\n"), told(inventory[1] + after + "\n")
    return make_plan(now, (), was, ("build", "old"), "0" * 64, ())


def only(found: Plan) -> Access:
    (access,) = found.access
    return access


def test_nothing_changes_where_only_the_writing_does() -> None:
    found = plan(
        "allow hr -> finance : tcp/443\nallow vpn -> hr : tcp/80",
        '# moved\nallow vpn -> 10.1.0.0-10.1.0.255 : tcp/80\nallow hr -> finance : tcp/443 because "x"',
    )
    assert (found.changes, found.unchanged) == (False, 2)


def test_a_new_flow_opens() -> None:
    access = only(plan("", "allow hr -> finance : tcp/443"))
    assert (access.kind, access.source, access.destination, access.services) == (
        "opens",
        "hr",
        "finance",
        "tcp/443",
    )
    assert access.pairs == 256 * 256
    assert access.parts[0].source == ("10.1.0.0/24",)
    assert access.statements[0].text == "allow hr -> finance : tcp/443"
    assert access.witness.text == "10.1.0.1 -> 10.2.0.1 tcp/443"


def test_only_what_was_not_open_before_is_told() -> None:
    found = plan("allow hr.printer -> finance : tcp/443", "allow hr -> finance : tcp/440-443").access
    assert [(each.kind.value, each.source, each.services, each.pairs) for each in found] == [
        ("opens", "hr except hr.printer", "tcp/440-443", 255 * 256),
        ("opens", "hr.printer", "tcp/440-442", 256),
    ]


def test_a_condition_less_loosens_and_one_more_tightens() -> None:
    strict = "allow group staff in vpn -> finance : tcp/443 require mfa"
    loose = "allow group staff in vpn -> finance : tcp/443"
    access = only(plan(strict, loose))
    assert (access.kind, access.conditions) == (Kind.LOOSENS, ("without mfa",))
    assert access.source == "group staff (2 people) in vpn"
    access = only(plan(loose, strict))
    assert (access.kind, access.conditions) == (Kind.TIGHTENS, ("without mfa",))


def test_hours_are_compared_as_times() -> None:
    access = only(
        plan(
            "allow hr -> finance : tcp/443 when mon-fri 08:00-18:00",
            "allow hr -> finance : tcp/443 when mon-fri 07:00-18:00",
        )
    )  # fmt: skip
    assert (access.kind, access.conditions) == (Kind.LOOSENS, ("mon-fri 07:00-08:00",))
    same = plan("allow hr -> finance : tcp/443", "allow hr -> finance : tcp/443 when daily 00:00-24:00")
    assert not same.access


def test_a_deny_that_goes_opens_what_it_held_back() -> None:
    web = "allow hr -> finance : tcp/443\n"
    access = only(plan(web + "deny hr.printer -> tag regulated : any", web))
    assert (access.kind, access.source, access.services) == ("opens", "hr.printer", "tcp/443")
    assert [each.side for each in access.statements] == ["before"]


def test_a_new_member_gains_what_the_group_has() -> None:
    flow = "allow group staff in vpn -> finance : tcp/443"
    grown = INVENTORY.replace('"bo@acme.example"', '"bo@acme.example", "cy@acme.example"')
    access = only(plan(flow, flow, (INVENTORY, grown)))
    assert (access.kind, access.witness.user) == ("opens", "cy@acme.example")
    assert access.source == "cy@acme.example (group staff) in vpn"
    assert access.people == ("cy@acme.example",)
    renamed = INVENTORY.replace("group staff", "group people")
    assert not plan(flow, flow.replace("staff", "people"), (INVENTORY, renamed)).access


def test_a_zone_that_grows_takes_its_flows_along() -> None:
    flow = "allow hr -> internet : tcp/443"
    grown = INVENTORY.replace("subnet 10.1.0.0/24", "subnet 10.1.0.0/24, 10.1.1.0/24")
    found = plan(flow, flow, (INVENTORY, grown))
    opened = [each for each in found.access if each.kind is Kind.OPENS]
    assert any(each.services == "tcp/443" and each.source == "10.1.1.0/24" for each in opened)
    assert any(each.services == "any" and "hr" in each.to_zones for each in opened)  # among its hosts


def test_logging_and_staged_flows_are_told_apart_from_access() -> None:
    web = "allow hr -> finance : tcp/443"
    assert only(plan(web, web + " log")).kind is Kind.LOGS
    assert only(plan(web + " log", web)).kind is Kind.UNLOGS
    assert only(plan("", "staged " + web)).kind is Kind.STAGES
    assert {each.kind for each in plan("staged " + web, web).access} == {Kind.OPENS, Kind.UNSTAGES}


def test_rates_postures_and_sessions_are_alterations() -> None:
    found = plan(
        "allow hr -> finance : tcp/443 limit 1/second", "allow hr -> finance : tcp/443 limit 30/minute"
    )
    assert [(each.kind, each.before, each.after, each.looser) for each in found.alterations] == [
        ("limit", "1/second", "30/minute", False)
    ]
    weaker = INVENTORY.replace("disk_encrypted = true", "edr = true")
    (posture,) = plan("", "", (INVENTORY, weaker)).alterations
    assert (posture.name, posture.after, posture.looser) == ("managed", "edr = true", True)
    (session,) = plan("session staff { max 8h }", "session staff { max 9h }").alterations
    assert (session.before, session.after, session.looser) == ("max 28800 s", "max 32400 s", True)


VPN = "source hq openvpn { zone vpn; max 8h }"
WAS = "openvpn in vpn, max 28800 s"


@pytest.mark.parametrize(
    ("now", "after", "looser"),
    [
        ("", "", True),  # then everybody is believed
        (VPN.replace("max", "mfa; max"), "openvpn in vpn, mfa, max 28800 s", True),
        (VPN.replace("8h", "9h"), "openvpn in vpn, max 32400 s", True),
        (VPN.replace("8h", "7h"), "openvpn in vpn, max 25200 s", False),
        (VPN.replace("vpn;", "vpn, hr;"), "openvpn in hr, vpn, max 28800 s", True),
        (VPN.replace("openvpn", "dhcp"), "dhcp in vpn, max 28800 s", True),
    ],
)
def test_whose_word_is_taken_is_an_alteration(now: str, after: str, looser: bool) -> None:
    (found,) = plan(VPN, now).alterations
    assert (found.kind, found.name, found.before, found.after) == ("source", "hq", WAS, after)
    assert found.looser == looser


def test_the_first_source_takes_the_word_of_all_others_back() -> None:
    (found,) = plan("", VPN).alterations
    assert (found.before, found.after, found.looser) == ("", WAS, False)


def test_another_source_beside_one_may_open_something() -> None:
    more = f"{VPN} source lab radius {{ zone vpn }}"
    (found,) = plan(VPN, more).alterations
    assert (found.name, found.after, found.looser) == ("lab", "radius in vpn", True)
    (found,) = plan(more, VPN).alterations
    assert (found.name, found.before, found.looser) == ("lab", "radius in vpn", False)


def test_whom_802_1x_takes_in_is_an_alteration() -> None:
    more = 'zone desk { vlan 5; subnet 10.99.0.0/24; dot1x group staff; dot1x user "zed" }'
    some = more.replace('dot1x user "zed"', "")
    (found,) = plan(some, more).alterations
    assert (found.kind, found.name, found.looser) == ("dot1x", "desk", True)
    assert (found.before, found.after) == ("group staff", 'group staff, user "zed"')
    (found,) = plan(more, some).alterations
    assert not found.looser


def test_gains_come_first_and_the_widest_first() -> None:
    found = plan("allow vpn -> hr : tcp/1", "allow hr.printer -> vpn : tcp/1\nallow hr -> vpn : tcp/2")
    assert [(each.kind.value, each.services) for each in found.access] == [
        ("opens", "tcp/2"), ("opens", "tcp/1"), ("closes", "tcp/1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("gains", True), ("losses", False), ("changes", True), ("gains:to-tag=regulated", True),
        ("gains:tag=regulated", True),
        ("gains:from=hr:to=finance", True), ("gains:from=finance", False), ("losses:to-tag=regulated", False),
        ("gains:from-tag=unpatched", True), ("gains:to=hr", False),
    ],
)  # fmt: skip
def test_what_a_condition_stops(condition: str, met: bool) -> None:
    assert bool(stops(parse_condition(condition), plan("", "allow hr -> finance : tcp/443"))) is met


@pytest.mark.parametrize(
    "text", ["", "gain", "gains:", "gains:zone=hr", "gains:to=", "gains:to=hr:", "gains to=hr"]
)
def test_a_condition_that_says_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"none of|says no place"):
        parse_condition(text)


def test_a_saved_plan_reads_back_as_it_was() -> None:
    found = plan(
        "allow group staff in vpn -> hr : tcp/1",
        "allow hr -> finance : tcp/443 limit 1/second log\n"
        "allow group staff in vpn -> hr : tcp/1 require mfa",
    )
    text = plan_json(found, whole=True)
    schema("plan").validate(json.loads(text))
    schema("plan").validate(json.loads(plan_json(found, whole=False)))
    assert read_plan(text) == found


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1}', '{"version": 1, "files": 3}', "null"]
)
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(ValueError, match=r"no plan|version 2|for reading|damaged"):
        read_plan(text)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema("plan").schema)


def test_nothing_of_a_policy_leaves_its_code_span() -> None:
    for text in ("`</details><img src=x>`", "a``b", "```\n# x", "|", "\x1b[31m", "‮", "@everyone", "", "`"):
        span = code(text)
        fence = span[: len(span) - len(span.lstrip("`"))] or "``"
        inner = span[len(fence) : -len(fence)]
        assert span.endswith(fence)
        assert fence not in inner.replace("`" * (len(fence) + 1), "")
        assert "\n" not in span
        assert "\x1b" not in span
        assert "‮" not in span


def test_hostile_names_stay_names() -> None:
    evil = INVENTORY.replace("ana@acme.example", "`</details><script>[x](y)@all").replace(
        "bo@acme", "b\u202eo"
    )
    found = plan("", 'allow user "`</details><script>[x](y)@all" in vpn -> finance : tcp/443', (evil, evil))
    text = plan_text(found, color=True, width=100)
    assert "\u202e" not in text
    markdown = plan_markdown(found)
    outside = [part for line in markdown.splitlines() for part in _outside_code(line)]
    assert not any("<script>" in part or "[x]" in part for part in outside)


def _outside_code(line: str) -> list[str]:
    parts, rest = [], line
    while "`" in rest:
        before, _, tail = rest.partition("`")
        parts.append(before)
        run = len(tail) - len(tail.lstrip("`")) + 1
        _, _, rest = tail[run - 1 :].partition("`" * run)
    return [*parts, rest]


def test_weeks_in_words() -> None:
    assert week_text(((480, 1079), (1920, 2519))) == "mon-tue 08:00-18:00"
    assert week_text(((0, 359), (9960, 10079))) == "mon 00:00-06:00, sun 22:00-24:00"
    assert week_text(((1380, 1499),)) == "mon 23:00 to tue 01:00"


SITE = """
zone dmz { subnet 10.2.0.0/24  tag core  host web = 10.2.0.10  host old = 10.2.0.11 }
zone internet { external }
gateway gw {
  interface wan0 { zone internet  address dhcp }
  interface lan0 { zone dmz }
  address dmz 10.2.0.1/24
  PUBLISH
}
allow internet -> dmz : tcp/22
"""


@pytest.mark.parametrize(
    ("was", "now", "told", "looser"),
    [
        ("", "tcp/2222 on wan0 -> dmz.web : tcp/22", {("", "10.2.0.10 tcp/22")}, {True}),
        ("tcp/22 on wan0 -> dmz.web", "tcp/22 on wan0 -> dmz.old",
         {("10.2.0.10 tcp/22", "10.2.0.11 tcp/22")}, {True}),
        ("tcp/21 on wan0 -> dmz.web : tcp/22", "tcp/22 on wan0 -> dmz.web",
         {("10.2.0.10 tcp/22", ""), ("", "10.2.0.10 tcp/22")}, {True, False}),
        ("tcp/22 on wan0 -> dmz.web", "", {("10.2.0.10 tcp/22", "")}, {False}),
    ],
)  # fmt: skip
def test_where_a_published_port_leads_is_an_alteration(
    was: str, now: str, told: set[tuple[str, str]], looser: set[bool]
) -> None:
    texts = (SITE.replace("PUBLISH", each and f"publish {each}") for each in (was, now))
    found = plan("", "", tuple(texts))
    assert not found.access
    assert {each.kind for each in found.alterations} == {"publish"}
    assert {(each.before, each.after) for each in found.alterations} == told
    assert {each.looser for each in found.alterations} == looser
    for condition in ("gains", "gains:from=internet:to-tag=core"):
        assert bool(stops(parse_condition(condition), found)) is (True in looser)
    assert not stops(parse_condition("gains:to=internet"), found)


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [("", "masquerade", ("", "IPv4 and IPv6")), ("masquerade", "masquerade ipv4", ("IPv4 and IPv6", "IPv4"))],
)
def test_whose_addresses_are_hidden_is_an_alteration(was: str, now: str, told: tuple[str, str]) -> None:
    """It is neither a gain nor a loss."""
    site = SITE.replace("PUBLISH", "").replace("allow internet -> dmz", "allow dmz -> internet")
    found = plan("", "", tuple(site.replace("dhcp }", f"dhcp {each} }}") for each in (was, now)))
    (altered,) = found.alterations
    assert (altered.kind, altered.name, altered.before, altered.after) == ("masquerade", "wan0 of gw", *told)
    assert (altered.from_zones, altered.to_zones) == (("dmz",), ("internet",))
    assert stops(parse_condition("changes:from-tag=core"), found)
    assert not any(stops(parse_condition(each), found) for each in ("gains", "losses"))


def test_a_condition_on_a_place_stops_what_no_set_shows() -> None:
    """Whoever takes the edge off a posture gives access to all that asks for it."""
    flows = "allow group staff in vpn -> finance : tcp/443 require posture managed"
    found = plan(flows, flows, (INVENTORY, INVENTORY.replace("disk_encrypted = true", "edr = true")))
    assert stops(parse_condition("gains:to-tag=regulated"), found)
    assert stops(parse_condition("gains:from=vpn:to=finance"), found)
    assert not stops(parse_condition("gains:to=hr"), found)
    longer = plan(f"session staff {{ max 8h }} {flows}", f"session staff {{ max 9h }} {flows}")
    assert stops(parse_condition("gains:to-tag=regulated"), longer)
    assert not stops(parse_condition("gains:to=hr"), longer)
    limited = "allow hr -> finance : tcp/443 limit {}/second"
    faster = plan(limited.format(1), limited.format(2))
    assert stops(parse_condition("gains:from=hr:to-tag=regulated"), faster)
    assert not stops(parse_condition("gains:from=vpn"), faster)


def test_less_of_what_denies_is_a_gain() -> None:
    flows = "allow vpn -> hr : tcp/1\ndeny group staff in vpn -> hr : tcp/1 require posture managed"
    asks_more = INVENTORY.replace("disk_encrypted = true", "disk_encrypted = true  edr = false")
    (posture,) = plan(flows, flows, (INVENTORY, asks_more)).alterations
    assert posture.looser
    for rest in (flows, "allow vpn except group staff -> hr : tcp/1"):
        (session,) = plan(
            f"session staff {{ max 8h }} {rest}", f"session staff {{ max 1h }} {rest}"
        ).alterations
        assert session.looser
        (source,) = plan(f"{VPN} {rest}", f"{VPN.replace('8h', '7h')} {rest}").alterations
        assert source.looser


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("allow as more hr -> finance : tcp/443-444", ["no limit by more"]),
        ("allow as more hr.printer -> finance : tcp/443 limit 9/second", ["9/second by more"]),
        ("allow as more hr -> finance : tcp/443-444 limit 1/second", []),
        ("allow as more vpn -> finance : tcp/443", []),
        ("staged allow as more hr -> finance : tcp/443", []),
    ],
)
def test_a_limit_is_lifted_by_another_flow(now: str, told: list[str]) -> None:
    was = "allow as few hr -> finance : tcp/443 limit 1/second\n"
    for after in (was + now, now):
        found = plan(was, after).alterations
        assert [(each.name, each.after) for each in found] == [("few", each) for each in told]
        assert all(each.looser for each in found)


# -- names of places ---------------------------------------------------------------------------------------

GATEWAY = """
zone hr { subnet %s }
zone it { subnet 10.9.0.0/24, 2001:db8:9::/64 }
zone internet { external }
gateway gw {
  interface a0 { zone hr }
  interface b0 { zone it }
  address hr %s
  address it 10.9.0.1/24, 2001:db8:9::1/64
}
"""
OLD = GATEWAY % ("10.1.0.0/24", "10.1.0.1/24")
FLOWS = "allow it -> hr : tcp/22\nallow gateway gw -> internet : udp/123"


def gains(before: str, after: str) -> set[str]:
    found = plan(FLOWS, FLOWS, (before, after)).access
    return {f"{a.source} -> {a.destination} : {a.services}" for a in found if a.kind is Kind.OPENS}


def test_a_zone_that_moves_with_its_gateway_is_called_by_its_name() -> None:
    assert gains(OLD, GATEWAY % ("10.2.0.0/24", "10.2.0.1/24")) == {
        "it -> hr : tcp/22",
        "hr -> hr : any",
        "gateway gw (10.2.0.1) -> internet : udp/123",
        "gateway gw -> 10.1.0.0/24 : udp/123",
    }


def test_a_zone_that_is_told_of_in_one_family_is_called_so() -> None:
    both = GATEWAY % ("10.1.0.0/24, 2001:db8:1::/64", "10.1.0.1/24, 2001:db8:1::1/64")
    assert gains(OLD, both) == {
        "it -> hr over IPv6 : tcp/22",
        "hr over IPv6 -> hr over IPv6 : any",
        "gateway gw (2001:db8:1::1) -> internet : udp/123",
    }


def test_hosts_that_are_told_of_in_one_family_are_called_so() -> None:
    host = "host erp = 10.1.0.9, 2001:db8:1::9"
    zone = f"zone hr {{ subnet 10.1.0.0/24, 2001:db8:1::/64 {host} }} zone it {{ subnet 2001:db8:9::/64 }}\n"
    found = only(plan("", "allow it -> 2001:db8:1::9 : tcp/22", (zone, zone)))
    assert found.destination == "hr.erp over IPv6"


def test_hours_are_told_by_what_they_leave_out_where_that_is_shorter() -> None:
    bound = "allow hr -> finance : tcp/443 when mon-fri 08:00-18:00"
    access = only(plan(bound, "allow hr -> finance : tcp/443"))
    assert (access.kind, access.conditions) == (Kind.LOOSENS, ("outside mon-fri 08:00-18:00",))
    zones = [f'timezone "{name}"\n{INVENTORY}' for name in ("Europe/Berlin", "Europe/London")]
    loosened = plan(bound, bound, zones).access[0]
    assert set(loosened.conditions) == {
        "mon-fri 08:00-18:00",
        "outside mon-fri 08:00-18:00 (Europe/Berlin)",
    }


# -- promises ----------------------------------------------------------------------------------------------


def promises(before: str, after: str, against: str = "revision") -> Plan:
    was, now = told(INVENTORY + before + "\n"), told(INVENTORY + after + "\n")
    return make_plan(now, (), was, (against, "old"), "0" * 64, ())


@pytest.mark.parametrize(
    ("line", "kind", "name", "zones"),
    [
        ("never hr ~> finance", "never", "hr ~> finance", (("hr",), ("finance",))),
        ("revoke within 15m", "revoke", "within 15m", ((), ())),
        ("workflow pay { hr -> hr.printer : tcp/631 }", "workflow", "pay: hr -> hr.printer : tcp/631",
         (("hr",), ("hr",))),
        ('test "t" { deny vpn -> finance : tcp/22 }', "test", "t: deny vpn -> finance : tcp/22",
         (("vpn",), ("finance",))),
    ],
)  # fmt: skip
def test_a_promise_that_is_taken_back_is_told(
    line: str, kind: str, name: str, zones: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    """Nobody gains by it now, but whoever reviews the next change relies on it."""
    found = promises(line, "")
    (gone,) = found.alterations
    assert (gone.kind, gone.name, gone.before, gone.after) == (kind, name, "promised", "")
    assert (gone.from_zones, gone.to_zones) == zones
    assert gone.statement
    assert gone.statement.side == "before"
    assert f"alters    {kind} {name}: promised becomes none  policy.seg:8 (as it was)" in plan_text(
        found, False, None
    )
    assert stops(parse_condition("promises"), found)
    assert not any(stops(parse_condition(each), found) for each in ("gains", "losses"))
    (come,) = promises("", line).alterations
    assert (come.before, come.after) == ("", "promised")
    assert not stops(parse_condition("promises"), promises("", line))
    assert not promises(line, "", "live").alterations  # a host holds none
    assert not promises(line, f"# moved\n{line}").alterations


def test_a_promise_of_less_is_another() -> None:
    found = promises("never hr ~> finance", "never hr -> finance")
    assert [(each.name, each.before) for each in found.alterations] == [
        ("hr ~> finance", "promised"),
        ("hr -> finance", ""),
    ]
    assert stops(parse_condition("promises:to-tag=regulated"), found)
    assert not stops(parse_condition("promises:to=vpn"), found)


def test_a_promise_in_other_words_is_the_same() -> None:
    assert not promises("never hr -> finance, vpn", "never 10.1.0.0/24 -> vpn, finance").alterations


def test_what_is_accepted_is_told() -> None:
    accepted = "allow hr -> finance : tcp/443  # segc: accept SEG307, SEG404 -- an audit"
    found = promises("allow hr -> finance : tcp/443", accepted)
    assert [(each.kind, each.name, each.after) for each in found.alterations] == [
        ("accept", "SEG307: an audit", "accepted"),
        ("accept", "SEG404: an audit", "accepted"),
    ]
    assert found.alterations[0].statement
    assert found.alterations[0].statement.line == 8
    assert stops(parse_condition("promises"), found)
    assert not stops(parse_condition("promises"), promises(accepted, "allow hr -> finance : tcp/443"))
    assert not promises(accepted, f"# moved\n{accepted}").alterations


# -- parts of zones ----------------------------------------------------------------------------------------


def test_all_of_a_zone_but_a_little_is_told_as_that() -> None:
    found = only(plan("", "allow hr except 10.1.0.7, 10.1.0.99 -> finance : tcp/443"))
    assert found.source == "hr except 10.1.0.7, 10.1.0.99"
    assert only(plan("", "allow 10.1.0.0/25 -> finance : tcp/443")).source == "10.1.0.0/25"


def test_what_can_talk_to_nothing_at_the_other_end_is_not_told() -> None:
    """No packet goes from IPv6 to IPv4."""
    found = only(plan("", "allow 2001:db8:2::/64, 10.2.0.0/25 -> vpn : tcp/443"))
    assert (found.source, found.destination) == ("10.2.0.0/25", "vpn")


def test_a_long_promise_is_compared_to_its_end() -> None:
    many = ", ".join(f"10.1.0.{n}" for n in range(40, 80))
    found = promises(f"never {many}, vpn -> finance", f"never {many} -> finance")
    assert [each.before for each in found.alterations] == ["promised", ""]


@pytest.mark.parametrize(
    ("was", "now", "left_out"),
    [
        ("set critical = finance, hr.printer", "set critical = hr.printer", "finance"),
        ("set critical = finance, hr.printer", "set critical = finance", "hr.printer"),
        ("set critical = finance, 10.1.0.0/24", "set critical = finance, 10.1.0.0/25", "hr"),
        ("set critical = finance, 10.1.0.0/28", "set critical = finance, 10.1.0.0/29", "10.1.0.8/29"),
        ("set critical = finance", "set critical = finance, hr", ""),
    ],
)
def test_a_promise_in_the_same_words_of_less_is_told(was: str, now: str, left_out: str) -> None:
    never = "\nnever vpn -> critical"
    found = promises(was + never, now + never)
    told = [(each.name, each.before, each.after) for each in found.alterations]
    assert told == ([("vpn -> critical", "promised", f"not of {left_out}")] if left_out else [])
    assert bool(stops(parse_condition("promises"), found)) == bool(left_out)


@pytest.mark.parametrize(
    ("was", "now", "left_out"),
    [("tcp/22, tcp/3389", "tcp/22", "tcp/3389"), ("tcp/22", "tcp/22, tcp/3389", "")],
)
def test_a_promise_of_a_service_that_shrinks_is_told(was: str, now: str, left_out: str) -> None:
    """By its definition it would be taken back unseen."""
    never = "\nnever vpn -> finance : admin"
    found = promises(f"service admin = {was}{never}", f"service admin = {now}{never}")
    assert [each.after for each in found.alterations] == ([f"not of {left_out}"] if left_out else [])
    assert bool(stops(parse_condition("promises"), found)) == bool(left_out)


def test_a_promise_of_a_host_that_gets_another_address_is_kept() -> None:
    never = "\nnever vpn -> hr.printer"
    before, after = told(INVENTORY + never), told(INVENTORY.replace("10.1.0.30", "10.1.0.31") + never)
    assert not make_plan(after, (), before, ("revision", "old"), "0" * 64, ()).alterations


def test_a_promise_of_zones_that_move_or_go_is_kept() -> None:
    never = "\nnever any -> hr\nnever internet -> finance, vpn"
    zone = "zone old { subnet 10.7.0.0/24 }"
    moved = INVENTORY.replace("10.2.0.0", "10.3.0.0")
    before, after = told(INVENTORY + zone + never), told(moved + never)
    found = make_plan(after, (), before, ("revision", "old"), "0" * 64, ())
    assert not found.alterations


def test_a_promise_by_a_tag_that_is_taken_off_is_told() -> None:
    never = "\nnever vpn -> tag regulated"
    bare = INVENTORY.replace("  tag regulated", "")
    hosts = "zone labs { subnet 10.9.0.0/24 tag regulated }\n"
    was, now = told(INVENTORY + hosts + never), told(bare + hosts + never)
    (lost,) = make_plan(now, (), was, ("revision", "old"), "0" * 64, ()).alterations
    assert (lost.name, lost.after) == ("vpn -> tag regulated", "not of finance")
