"""The language as agreed, statement by statement: each form parses, resolves and means what is written.

The blocks are those of the language's contract, word for word; `REST` supplies the names that they use and
leave undefined.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from segc.policy.model import Policy, Subject
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.space.prefixes import parse_prefixes
from segc.space.services import parse_service
from segc.syntax.format import format_source
from segc.syntax.parse import parse

INVENTORY = """
service https = tcp/443
service web   = https, tcp/80              # services compose
service erp   = tcp/8000-8100, tcp/8443
service ping  = icmp/echo-request, icmpv6/echo-request
service gre   = proto/47

zone hr {
  vlan    10
  subnet  10.10.10.0/24, 2001:db8:10::/64
  host    payroll = 10.10.10.20, 2001:db8:10::20
  host    printer = 10.10.10.30 { mac 02:00:00:00:00:1e  tag unpatched }
  tag     pii, regulated
  intra   deny                             # default: allow. deny = isolated ports inside the VLAN
  refuse  drop                             # default: drop from the external zone, reject elsewhere
  about   "Human resources"
}
zone vpn      { subnet 10.8.0.0/24 }
zone internet { external }                 # every address that no other zone claims; at most one

set databases = finance.erp-db, records.db, 10.9.9.0/28   # a named end; sets nest

group hr-staff    { user "ana@acme.example", "bo@acme.example"; group hr-leads }
group finance     from directory "sg-finance"    # membership comes from the identity snapshot
group staff       { group hr-staff, finance }

posture managed { disk_encrypted = true  edr = true  os_version >= "14.2" }
session staff   { max 10h  idle 1h }             # how long a verified binding is trusted
"""
FLOWS = """
allow hr -> finance.erp-db : erp
allow group finance, group auditors in vpn -> finance : erp, https
    require mfa, posture managed
    when mon-fri 08:00-18:00
    until 2027-03-31
    log
    owner "it-ops" ticket "CHG-104" because "month-end close"
allow staff-net except staff-net.kiosk -> internet : web limit 200/second
deny  vendor -> tag regulated : any because "PCI DSS 1.4"
staged allow hr -> printers : ipp                # audit mode: counted and logged, never enforced
allow as erp-access hr -> finance : erp          # `as` names the flow
"""
PROMISES = """
never vendor -> tag regulated                    # no allow may open this directly
never guest ~> finance                           # nor through any chain of allowed hops
never any -> hr : telnet, tcp/445

workflow invoice {                               # legitimate work: every step must be open,
  hr -> app.portal : https                       # and it is what over-segmentation is judged by
  app.portal -> finance.erp-db : postgres
}

test "vendors stay out" {
  deny  vendor -> hr.payroll : tcp/445
  allow user "ana@acme.example" in vpn -> hr.payroll : https with mfa, posture managed at "2026-11-24 09:30"
}
"""
PLACES = """
timezone "Europe/Berlin"

gateway gw1 {
  interface wan0 { zone internet  address dhcp  masquerade }
  interface lan0 { trunk hr, finance, vendor }   # 802.1Q: lan0.<vlan> for each of them
  interface br0  { bridge                        # VLAN-aware bridge with its own ports
                   port p1 zone hr
                   port p2 trunk hr, finance
                   port p3 zone vendor isolated }
  interface tun0 { zone vpn }
  address hr 10.10.10.1/24, 2001:db8:10::1/64    # the gateway's address in a zone
  serve  dns, dhcp to hr, finance                # the gateway's own services
  manage from it-admin : ssh                     # access that no apply may ever cut
  publish tcp/443 on wan0 -> dmz.web : tcp/8443  # DNAT, with the allow that it needs
}

switch sw1 {
  platform cisco-ios                             # or arista-eos, junos, aruba-cx, linux-bridge, openwrt
  port "GigabitEthernet1/0/1-12" zone hr
  port "GigabitEthernet1/0/24"   trunk hr, finance, vendor
}
"""
REST = """
zone finance   { vlan 20  subnet 10.10.20.0/24, 2001:db8:20::/64  tag regulated  host erp-db = 10.10.20.5 }
zone vendor    { vlan 30  subnet 10.10.90.0/24 }
zone records   { subnet 10.10.40.0/24  host db = 10.10.40.5 }
zone archive   { subnet 10.9.9.0/24 }
zone staff-net { subnet 10.10.50.0/24  host kiosk = 10.10.50.9 }
zone printers  { subnet 10.10.60.0/24 }
zone guest     { subnet 10.10.70.0/24 }
zone app       { subnet 10.10.80.0/24  host portal = 10.10.80.5 }
zone it-admin  { subnet 10.10.1.0/24 }
zone dmz       { subnet 10.10.2.0/24  host web = 10.10.2.5 }
group hr-leads { user "di@acme.example" }
group auditors { user "cy@acme.example" }
service ipp = tcp/631  service telnet = tcp/23  service postgres = tcp/5432  service ssh = tcp/22
"""
WHOLE = INVENTORY + FLOWS + PROMISES + PLACES + REST


def resolved(text: str) -> Policy:
    file, syntax = parse(SourceFile("p.seg", text))
    assert syntax == ()
    policy, found = resolve([file])
    assert {each.code for each in found} <= {"SEG110"}  # no snapshot lies beside a text
    return policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    return resolved(WHOLE)


def flow(policy: Policy, line: str, kind: str = "flow"):
    """The flow whose statement begins with these words, however they are spaced."""
    for each in policy.flows:
        text = WHOLE[each.span.start : each.span.end]
        if each.kind == kind and re.sub(r"\s+", " ", text).startswith(line):
            return each
    raise LookupError(line)


def space(*texts: str):
    return parse_prefixes(texts[0]) if len(texts) == 1 else parse_prefixes(texts[0]) | space(*texts[1:])


@pytest.mark.parametrize("block", [INVENTORY, FLOWS, PROMISES, PLACES])
def test_each_block_parses_alone_and_survives_the_formatter(block: str) -> None:
    file, found = parse(SourceFile("p.seg", block))
    assert found == ()
    again, found = parse(SourceFile("p.seg", format_source(SourceFile("p.seg", block))))
    assert found == ()
    assert again == file


def test_services_compose(policy: Policy) -> None:
    assert policy.services["web"] == parse_service("tcp", "443") | parse_service("tcp", "80")
    assert policy.services["erp"] == parse_service("tcp", "8000-8100") | parse_service("tcp", "8443")
    assert policy.services["gre"] == parse_service("gre", None)
    assert policy.services["ping"].values(1) == ((8, 8),)
    assert policy.services["ping"].values(58) == ((128, 128),)


def test_zones_and_their_defaults(policy: Policy) -> None:
    hr, vpn, internet = policy.zones["hr"], policy.zones["vpn"], policy.zones["internet"]
    assert (hr.vlan, hr.isolated, hr.refuse, hr.about) == (10, True, "drop", "Human resources")
    assert hr.tags == {"pii", "regulated"}
    payroll, printer = hr.hosts
    assert payroll.space == space("10.10.10.20", "2001:db8:10::20")
    assert (printer.mac, printer.tags) == ("02:00:00:00:00:1e", {"unpatched"})
    assert (vpn.isolated, vpn.refuse, internet.refuse, internet.external) == (False, "reject", "drop", True)
    claimed = [zone.space for zone in policy.zones.values() if not zone.external]
    assert not any(each.overlaps(internet.space) for each in claimed)
    assert internet.space.size + sum(each.size for each in claimed) == 2**32 + 2**128


def test_groups_nest_and_come_from_directories(policy: Policy) -> None:
    assert policy.groups["staff"].users == {"ana@acme.example", "bo@acme.example", "di@acme.example"}
    assert policy.groups["staff"].directories == {"sg-finance"}
    facts = {(fact.name, fact.operator, fact.value) for fact in policy.postures["managed"].facts}
    assert facts == {("disk_encrypted", "=", True), ("edr", "=", True), ("os_version", ">=", "14.2")}
    (rule,) = policy.sessions
    assert (rule.group, rule.max_age, rule.idle) == ("staff", 36000, 3600)


def test_a_set_is_a_named_end(policy: Policy) -> None:
    assert policy.sets["databases"].space == space("10.10.20.5", "10.10.40.5", "10.9.9.0/28")


def test_a_group_in_a_zone_and_its_conditions(policy: Policy) -> None:
    found = flow(policy, "allow group finance, group auditors in vpn")
    held = {part.subject: part.space for part in found.source.parts}
    everywhere = space("0.0.0.0/0", "::/0")
    assert held == {
        Subject("group", "finance"): everywhere,
        Subject("group", "auditors"): space("10.8.0.0/24"),
    }
    conditions = found.conditions
    assert (conditions.mfa, conditions.postures) == (True, ("managed",))
    assert conditions.schedule == ((0, 1, 2, 3, 4), 8 * 60, 18 * 60, "Europe/Berlin")
    end_of_day = datetime(2027, 4, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (conditions.not_before, conditions.not_after) == (None, int(end_of_day.timestamp()))
    assert found.log


def test_except_takes_out_and_any_is_every_zone_but_no_gateway(policy: Policy) -> None:
    found = flow(policy, "allow staff-net except")
    assert found.source.space == space("10.10.50.0/24") - space("10.10.50.9")
    assert found.destination.space == policy.zones["internet"].space
    assert found.limit == (200, "second")
    (anywhere,) = (never.source for never in policy.nevers if never.source.text == "any")
    assert anywhere.space == space("0.0.0.0/0", "::/0")
    assert anywhere.gateways == ()


def test_a_tag_is_the_zones_and_hosts_that_carry_it(policy: Policy) -> None:
    found = flow(policy, "deny vendor")
    assert found.destination.space == policy.zones["hr"].space | policy.zones["finance"].space
    assert found.services == parse_service("proto", "0-255")


def test_staged_and_named_flows(policy: Policy) -> None:
    assert flow(policy, "staged allow hr").staged
    assert flow(policy, "allow as erp-access hr").id == "erp-access"


def test_promises(policy: Policy) -> None:
    assert [never.transitive for never in policy.nevers] == [False, True, False]
    (workflow,) = policy.workflows
    assert [step.destination.text for step in workflow.steps] == ["app.portal", "finance.erp-db"]
    (test,) = policy.tests
    first, second = test.expectations
    assert (first.action, first.at, first.mfa) == ("deny", None, False)
    moment = datetime(2026, 11, 24, 9, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (second.mfa, second.postures, second.at) == (True, ("managed",), int(moment.timestamp()))


def test_where_it_is_enforced(policy: Policy) -> None:
    gateway = policy.gateways["gw1"]
    devices = {(each.device, each.zone) for each in gateway.attachments}
    assert {("wan0", "internet"), ("tun0", "vpn"), ("lan0.10", "hr"), ("lan0.30", "vendor")} <= devices
    assert {("br0.10", "hr"), ("br0.20", "finance"), ("br0.30", "vendor")} <= devices
    assert gateway.own == space("10.10.10.1", "2001:db8:10::1")
    assert gateway.dhcp_zones == ("finance", "hr")
    served = {str(each.services) for each in policy.flows if each.kind == "serve"}
    assert served == {"tcp/53, udp/53", "udp/67, udp/547"}
    manage = flow(policy, "manage from it-admin", "manage")
    assert (manage.destination.gateways, str(manage.services)) == (("gw1",), "tcp/22")
    (publish,) = gateway.publishes
    assert (publish.first, publish.target_first, publish.target) == (443, 8443, space("10.10.2.5"))
    needed = flow(policy, "publish tcp/443", "publish")
    assert (needed.source.text, needed.destination.text, str(needed.services)) == (
        "internet",
        "dmz.web",
        "tcp/8443",
    )
    assert [port.name for port in policy.switches["sw1"].ports][::12] == [
        "GigabitEthernet1/0/1",
        "GigabitEthernet1/0/24",
    ]


def test_without_a_gateway_one_is_assumed() -> None:
    (gateway,) = resolved(INVENTORY + REST).gateways.values()
    assert (gateway.name, gateway.implicit) == ("gateway", True)


@pytest.mark.parametrize(
    "name", ["ip", "dst", "log", "accept", "fwd", "zone", "allow", "to", "require", "mfa", "tcp"]
)
def test_names_that_mean_something_elsewhere(name: str) -> None:
    text = f"zone {name} {{ subnet 10.0.0.0/24 }} set s = {name} "
    text += f"allow {name} -> s : tcp/1 allow s -> {name} : tcp/2 log"
    assert list(resolved(text).zones) == [name]


@pytest.mark.parametrize("name", ["a", "_", "A-1", "a-", "a--b", "_-_", "any-", "in_", "a-" * 40])
def test_names(name: str) -> None:
    text = f"zone {name}{{subnet 10.0.0.0/24 host {name}=10.0.0.1}}set s={name}.{name},{name} "
    text += f"service {name}=tcp/1 group {name}{{}}allow {name}->s:{name},tcp/2"
    text += f" allow group {name} in {name}->{name}:any"
    policy = resolved(text)
    assert [[*policy.zones], [*policy.services], [*policy.groups]] == [[name]] * 3
    assert {flow.source.text for flow in policy.flows} == {name, f"group {name} in {name}"}


@pytest.mark.parametrize("name", ["any", "group", "user", "tag", "gateway", "as", "in"])
def test_only_these_cannot_name_a_zone_or_a_set(name: str) -> None:
    for text in (f"zone {name} {{ subnet 10.0.0.0/24 }}", f"set {name} = 10.0.0.0/24"):
        assert parse(SourceFile("p.seg", text))[1] != ()
    for kind in ("service {} = tcp/1", "group {} {{ }}", "posture {} {{ }}", "workflow {} {{ }}"):
        assert parse(SourceFile("p.seg", kind.format(name)))[1] == (), kind


def test_zones_and_sets_share_their_names_and_others_do_not() -> None:
    both = "zone a { subnet 10.0.0.0/24 } set a = 10.0.0.0/28"
    file, _ = parse(SourceFile("p.seg", both))
    assert [each.code for each in resolve([file])[1]] == ["SEG102"]
    resolved(
        "zone a { vlan 2 subnet 10.0.0.0/24 } service a = tcp/1 group a { } posture a { }"
        " gateway a { interface lan0 { zone a } } switch b { platform junos } allow a -> gateway a : a"
    )


def test_separators_mean_nothing() -> None:
    spread = "zone a {\n  vlan 2\n\n  subnet 10.0.0.0/24\n}\nallow a\n  -> a\n  : tcp/1"
    dense = ";zone a{vlan 2;subnet 10.0.0.0/24;};allow a->a:tcp/1;"
    assert parse(SourceFile("p.seg", spread)) == parse(SourceFile("p.seg", dense))


@pytest.mark.parametrize(
    ("when", "schedule"),
    [
        ("mon-fri 22:00-06:00", ((0, 1, 2, 3, 4), 22 * 60, 6 * 60, "UTC")),
        ("sat,sun", ((5, 6), 0, 24 * 60, "UTC")),
        ("daily 00:00-24:00", (tuple(range(7)), 0, 24 * 60, "UTC")),
        ("sat-mon, wed 8:30-9:00", ((0, 2, 5, 6), 8 * 60 + 30, 9 * 60, "UTC")),
    ],
)
def test_hours_and_days(when: str, schedule: tuple[object, ...]) -> None:
    policy = resolved(f"zone a {{ subnet 10.0.0.0/24 }} allow a -> a : tcp/1 when {when}")
    assert policy.flows[0].conditions.schedule == schedule


def test_from_and_until_bound_a_flow() -> None:
    policy = resolved("zone a { subnet 10.0.0.0/24 } allow a -> a : tcp/1 from 2026-01-01 until 2026-01-01")
    begin = int(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp())
    conditions = policy.flows[0].conditions
    assert (conditions.not_before, conditions.not_after) == (begin, begin + 86400)
