import json
import re

import pytest

from tests.unit.cli.policies import BROKEN, CLEAN, policy, segc
from tests.unit.cli.test_check import schema

WORKDAY = ("--at", "2026-11-24 09:30")
LINES = CLEAN.splitlines()


def line(start):
    return next(number for number, text in enumerate(LINES, 1) if text.startswith(start))


@pytest.fixture
def ask(tmp_path):
    path = policy(tmp_path)

    def ask(*arguments):
        done = segc("trace", path, *arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        schema("trace").validate(answer)
        return answer

    return ask


@pytest.fixture
def tell(tmp_path):
    path = policy(tmp_path)
    return lambda *arguments: segc("trace", path, *arguments)


def test_a_flow_allows(ask):
    answer = ask("10.1.0.9", "10.2.0.9", "https")
    assert (answer["verdict"], answer["reason"], answer["service"]) == ("allow", "flow", "tcp/443")
    (statement,) = answer["statements"]
    assert statement["file"].endswith("policy.seg")
    assert statement["line"] == line("allow hr -> finance")
    assert statement["text"] == "allow hr -> finance : https, ping"
    assert answer["source"] == {"address": "10.1.0.9", "gateway": None, "zone": "hr", "host": None}


def test_a_deny_beats_it(ask):
    answer = ask("hr.printer", "finance", "tcp/443")
    assert (answer["verdict"], answer["reason"]) == ("deny", "deny")
    assert [each["line"] for each in answer["statements"]] == [line("deny hr.printer")]
    assert [each["line"] for each in answer["overruled"]] == [line("allow hr -> finance")]
    assert answer["source"]["host"] == "printer"


def test_nothing_speaks_of_it(ask):
    answer = ask("finance", "hr", "tcp/1")
    assert (answer["verdict"], answer["reason"], answer["statements"]) == ("deny", "default", [])
    inside = ask("10.1.0.8", "10.1.0.9", "tcp/1")
    assert (inside["verdict"], inside["reason"]) == ("allow", "default")
    assert ask("10.8.0.8", "10.8.0.9", "tcp/1")["verdict"] == "deny"


def test_a_zone_with_itself_is_two_addresses(ask):
    for source, destination in (("hr", "hr"), ("hr", "10.1.0.2"), ("10.1.0.2", "hr")):
        answer = ask(source, destination, "tcp/1")
        assert {answer[end]["address"] for end in ("source", "destination")} == {"10.1.0.2", "10.1.0.3"}
    assert ask("vpn", "vpn", "tcp/1")["source"]["address"] == "10.8.0.2"


def test_the_name_of_a_subnet_is_no_host(tmp_path):
    text = "zone a { subnet 10.0.0.0/24, 2001:db8::1/128 }\nzone b { subnet 10.9.0.0/31 }\n"
    done = segc("trace", policy(tmp_path, text), "a", "b", "tcp/1")
    assert "a (10.0.0.1) -> b (10.9.0.0)" in done.stdout


def test_staged_decides_nothing(ask):
    answer = ask("hr", "finance", "tcp/22")
    assert answer["verdict"] == "deny"
    assert [each["line"] for each in answer["staged"]] == [line("staged")]


def test_every_condition_that_fails_is_told(ask):
    (unmet,) = ask("vpn", "finance", "https", "--at", "2026-11-28 09:30")["unmet"]
    assert unmet["why"] == [
        "no session of group staff at the source",
        "mfa is missing",
        "posture managed is missing",
        "it is outside its hours",
    ]
    met = ["--user", "Ana@Acme.example", "--mfa", "--posture", "managed", *WORKDAY]
    assert ask("vpn", "finance", "https", *met)["verdict"] == "allow"
    assert ask("vpn", "finance", "https", "--group", "staff", *met[2:])["verdict"] == "allow"
    for left_out in (0, 2, 3, 5):
        less = met[:left_out] + met[left_out + (1 if met[left_out] == "--mfa" else 2) :]
        answer = (
            ask("vpn", "finance", "https", *less, *WORKDAY[: 0 if left_out < 5 else 1])
            if left_out < 5
            else ask("vpn", "finance", "https", *less, "--at", "2026-11-24 18:00")
        )
        assert answer["verdict"] == "deny"
        assert len(answer["unmet"][0]["why"]) == 1


def test_the_help_leads_to_an_allow(tell, ask):
    told = tell("vpn", "finance", "https", "--at", "2026-11-28 09:30").stdout
    options = re.search(r"help: with `(.*)` this would be allowed", told)[1]
    assert options == '--group staff --mfa --posture managed --at "2026-11-30 08:00"'
    import shlex

    assert ask("vpn", "finance", "https", *shlex.split(options))["verdict"] == "allow"


def test_the_help_leaves_people_who_they_are(tmp_path):
    """It told a contractor to join the administrators, as that took fewer options than signing in at noon."""
    flows = (
        'group it { user "kim@acme.example" }\n'
        "allow group it in vpn -> finance : tcp/22 require mfa when sat,sun 08:00-18:00\n"
        "allow group staff in vpn -> finance : tcp/22 require mfa\n"
    )
    path = policy(tmp_path, CLEAN + flows)
    told = segc("trace", path, "--user", "kim@acme.example", *WORKDAY, "vpn", "finance", "tcp/22").stdout
    assert 'help: with `--mfa --at "2026-11-28 08:00"` this would be allowed' in told


def test_no_help_where_a_deny_decides(tell):
    assert "help:" not in tell("hr.printer", "finance", "https").stdout


def test_a_service_decided_in_several_ways(ask, tell):
    answer = ask("10.1.0.9", "10.2.0.9", "tcp/440-450")
    assert (answer["verdict"], answer["reason"]) == ("mixed", "mixed")
    parts = {part["service"]: part["verdict"] for part in answer["parts"]}
    assert parts == {"tcp/440-442, tcp/444-450": "deny", "tcp/443": "allow"}
    assert tell("hr", "finance", "tcp/440-450").stdout.startswith("mixed: `tcp/440-450` is decided in 2 ways")
    assert ask("finance", "hr", "tcp/1-65535")["verdict"] == "deny"
    assert ask("finance", "hr", "any")["verdict"] == "deny"


def test_what_holds_for_some_of_the_services_is_not_told_of_none(ask):
    parts = ask("hr.printer", "finance", "any")["parts"]
    overruled = [(each["service"], [flow["text"] for flow in each["overruled"]]) for each in parts]
    assert [each for each in overruled if each[1]] == [("tcp/443", ["allow hr -> finance : https, ping"])]
    staged = [each for each in ask("hr", "finance", "any")["parts"] if each["staged"]]
    assert [each["service"] for each in staged] == ["tcp/22"]
    unmet = [each for each in ask("vpn", "finance", "any")["parts"] if each["unmet"]]
    assert [each["service"] for each in unmet] == ["tcp/443"]


def test_ends_of_either_family(ask):
    assert ask("hr", "2001:db8:2::9", "ping")["source"]["address"] == "2001:db8:1::2"
    assert ask("hr", "2001:db8:2::9", "ping")["service"] == "icmpv6/echo-request"
    assert ask("hr", "finance", "ping")["service"] == "icmp/echo-request"
    assert ask("2001:db8:1::5", "internet", "https")["destination"]["zone"] == "internet"


def test_a_zone_stands_for_an_address_of_nobody(tell):
    told = tell("hr", "internet", "https").stdout
    assert "for `hr`, 10.1.0.2 was taken" in told
    assert "for `internet`, 198.51.100.1 was taken" in told


def test_gateways(ask, tell):
    for words in (["gateway gw1"], ["gateway", "gw1"]):
        assert ask(*words, "internet", "https")["source"]["gateway"] == "gw1"
    assert ask("hr", "10.2.0.1", "tcp/22")["destination"]["gateway"] == "gw1"
    assert "enforced by gateway gw1 itself" in tell("hr", "10.2.0.1", "tcp/22").stdout
    assert "enforced by gateway gw1\n" in tell("hr", "finance", "https").stdout


def test_a_gateway_that_never_meets_the_other_end(tmp_path):
    path = tmp_path / "sites.seg"
    path.write_text("""
        zone hr { subnet 10.1.0.0/24 }
        zone lab { subnet 10.2.0.0/24 }
        gateway east { interface lan0 { zone hr } address hr 10.1.0.1/24 }
        gateway west { interface lan0 { zone lab } address lab 10.2.0.1/24 }
        allow lab, gateway west -> gateway east : tcp/22
    """)
    for source in ("lab", "10.2.0.1"):
        told = segc("trace", path, source, "10.1.0.1", "tcp/22").stdout
        assert "enforced by no gateway: no interface of `" in told
    assert "enforced by gateway east itself" in segc("trace", path, "hr", "10.1.0.1", "tcp/22").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["hrr", "finance", "https"], "there is no zone `hrr`: did you mean `hr`?"),
        (["hr.print", "finance", "https"], "the zone `hr` has no host `print`"),
        (["10.1.0.999", "finance", "https"], "999 is over 255"),
        (["10.1.0.1", "2001:db8::1", "https"], "no packet can go there"),
        (["hr", "finance", "htps"], "there is no service `htps`: did you mean `https`?"),
        (["hr", "finance", "tcp/70000"], "there is no port `70000`"),
        (["hr", "finance", "icmpv6/echo-request"], "does not exist in IPv4"),
        (["hr", "finance", "https", "--group", "stuff"], "there is no group `stuff`: did you mean `staff`?"),
        (["hr", "finance", "https", "--posture", "x"], "there is no posture `x`: the policy has `managed`"),
        (["hr", "finance", "https", "--at", "noon"], "`noon` is not a moment"),
        (["hr", "finance"], "name the policy, then a packet's source, destination and service"),
        (["hr", "finance", "https/443"], "the service `https` has its ports: write `https` alone"),
        (["hr", "finance", "443"], "there is no service `443`: did you mean `tcp/443` or `udp/443`?"),
        (["hr", "gw1", "https"], "`gw1` is a gateway: write `gateway gw1`"),
        (["hr", "tag x", "https"], "`tag x` is many places"),
        (["user a@x.example", "hr", "https"], "say who with `--user a@x.example`"),
        (["gateway gw9", "finance", "https"], "there is no gateway `gw9`: there is `gw1`"),
    ],
)
def test_questions_that_make_no_sense(tell, arguments, says):
    done = tell(*arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())


def test_a_gateway_without_an_address(tmp_path):
    path = policy(tmp_path, "zone a { subnet 10.0.0.0/24 }")
    done = segc("trace", path, "gateway gateway", "a", "tcp/1")
    assert done.returncode == 2
    assert "gives the gateway `gateway` no address" in done.stderr


def test_a_published_port_leads_to_another_machine(tmp_path):
    published = CLEAN.replace(
        "  address vpn", "  publish tcp/8000-8009 on wan0 -> hr.printer : tcp/9000-9009\n  address vpn"
    )
    path = policy(tmp_path, published)
    help = "help: what comes to the address of `wan0` is sent on: ask for `10.1.0.30 tcp/9004`"
    assert help in segc("trace", path, "internet", "gateway gw1", "tcp/8004").stdout
    assert "help" not in segc("trace", path, "internet", "gateway gw1", "tcp/8010").stdout
    assert "help" not in segc("trace", path, "internet", "gateway gw1", "udp/8004").stdout
    assert "allowed" in segc("trace", path, "internet", "10.1.0.30", "tcp/9004").stdout


def test_a_broken_policy(tmp_path):
    done = segc("trace", policy(tmp_path, BROKEN), "hr", "finance", "https")
    assert (done.returncode, done.stdout) == (1, "")
    assert "SEG101" in done.stderr


def test_text(tell):
    done = tell("hr.printer", "finance", "https", *WORKDAY)
    where = re.escape(done.stdout.splitlines()[2].strip().rpartition(":")[0])
    assert re.fullmatch(
        rf"""denied: hr\.printer \(10\.1\.0\.30\) -> finance \(10\.2\.0\.2\) tcp/443
by this statement
  {where}:{line("deny")}
    deny hr\.printer -> finance : tcp because "printers print"
a deny beats an allow, or else it would be allowed by
  {where}:{line("allow hr")}
    allow hr -> finance : https, ping

for `finance`, 10\.2\.0\.2 was taken
at 2026-11-24 09:30 UTC, nobody bound to the source
enforced by gateway gw1
""",
        done.stdout,
    )


PUBLISHED = """\
zone lan { subnet 10.1.0.0/24 }
zone dmz { subnet 10.2.0.0/24; host web = 10.2.0.10 }
zone internet { external }
gateway gw {
  interface wan0 { zone internet; address 203.0.113.2/29 }
  interface lan0 { zone lan }
  interface dmz0 { zone dmz }
  address lan 10.1.0.1/24
  address dmz 10.2.0.1/24
  manage from lan : tcp/22
  publish tcp/8000-8003 on wan0 -> dmz.web : tcp/9000-9003
}
deny 198.51.100.0/24 -> dmz.web : tcp/9002-9003
"""


@pytest.mark.parametrize(
    ("source", "destination", "service", "verdict", "onward"),
    [
        ("192.0.2.1", "203.0.113.2", "tcp/8002", "allow", "tcp/9002"),
        ("198.51.100.1", "203.0.113.2", "tcp/8001", "allow", "tcp/9001"),
        ("198.51.100.1", "203.0.113.2", "tcp/8002", "deny", "tcp/9002"),
        ("192.0.2.1", "203.0.113.2", "tcp/9002", "deny", None),
        ("lan", "203.0.113.2", "tcp/8002", "deny", "tcp/9002"),  # it needs a flow of its own
        ("lan", "10.1.0.1", "tcp/8002", "deny", None),
        ("dmz", "203.0.113.2", "tcp/8002", "allow", "tcp/9002"),
        ("gateway gw", "203.0.113.2", "tcp/8002", "deny", None),
    ],
)
def test_a_published_port_leads_on(tmp_path, source, destination, service, verdict, onward):
    path = policy(tmp_path, PUBLISHED)
    found = json.loads(segc("trace", path, source, destination, service, "--format", "json").stdout)
    schema("trace").validate(found)
    assert (found["verdict"], found["service"]) == (verdict, service)
    assert found["destination"]["gateway"] == "gw"
    assert (found["published"] and found["published"]["service"]) == onward
    assert not onward or found["published"]["destination"]["host"] == "web"


def test_ports_are_published_apart_where_they_are_decided_apart(tmp_path):
    path = policy(tmp_path, PUBLISHED)
    found = json.loads(segc("trace", path, "198.51.100.1", "203.0.113.2", "tcp", "--format", "json").stdout)
    schema("trace").validate(found)
    told = [
        (e["service"], e["verdict"], e["published"] and e["published"]["service"]) for e in found["parts"]
    ]
    assert told[1:] == [
        ("tcp/8000-8001", "allow", "tcp/9000-9001"), ("tcp/8002-8003", "deny", "tcp/9002-9003")
    ]  # fmt: skip
    text = segc("trace", path, "198.51.100.1", "203.0.113.2", "tcp/8000").stdout
    assert "allowed: internet (198.51.100.1) -> gateway gw (203.0.113.2) tcp/8000\n" in text
    assert "published: it goes on to dmz.web (10.2.0.10) tcp/9000\n" in text


def test_the_current_folder_is_the_default(tmp_path):
    policy(tmp_path)
    packet = ("10.1.0.9", "10.2.0.9", "https")
    there = segc("trace", *packet, cwd=tmp_path)
    assert (there.returncode, there.stdout) == (0, segc("trace", ".", *packet, cwd=tmp_path).stdout)
    assert segc("trace", "gateway", "gw1", "finance", "https", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("words", [("hr", "finance"), (".", "hr", "finance"), ("a", "b", "c", "d", "e")])
def test_words_that_are_missing_or_too_many(tmp_path, words):
    """Who names the policy and forgets the service is not asked about a zone of the policy's name."""
    policy(tmp_path)
    done = segc("trace", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "name the policy, then a packet's source, destination and service" in done.stderr
