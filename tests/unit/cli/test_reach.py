"""`segc reach` and `segc test --mutate`, as they are run."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from tests.unit.cli.policies import CLEAN, FAILING, policy, segc
from tests.unit.cli.test_check import schema


@pytest.fixture
def reach(tmp_path):
    path = policy(tmp_path)
    return lambda *arguments: segc("reach", path, *arguments)


def answer(done):
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    schema("reach").validate(found)
    return found


def test_the_matrix_for_people(reach):
    done = reach()
    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "ping" in rows["hr"]
    assert "https*" in rows["vpn"]
    assert "https*" in rows["group staff"]
    assert rows["internet"].split()[1:] == ["."] * 4


def test_the_matrix_for_programs(reach):
    found = answer(reach("--format", "json"))
    cells = {(cell["from"]["name"], cell["to"]["name"]): cell for cell in found["cells"]}
    services = "icmp/echo-request, tcp/443, icmpv6/echo-request"
    assert (cells["hr", "finance"]["services"], cells["hr", "finance"]["always"]) == (services, services)
    (cut, rest) = sorted(cells["hr", "finance"]["grants"], key=lambda each: each["source"])
    assert (cut["source"], rest["source"]) == ("hr except hr.printer", "hr.printer")
    assert rest["services"] == "icmp/echo-request"  # a deny takes the rest, and the printer has no IPv6
    conditions = cells["vpn", "finance"]["grants"][0]["conditions"]
    assert (conditions["who"], conditions["mfa"]) == (["group staff"], True)
    assert (conditions["postures"], conditions["when"]) == (["managed"], "mon-fri 08:00-18:00")
    assert cells["vpn", "finance"]["always"] is None
    assert ("vpn", "vpn") not in cells  # it says `intra deny`
    rows = list(csv.DictReader(io.StringIO(reach("--format", "csv").stdout)))
    assert {(row["from"], row["to"]) for row in rows} >= {("hr", "finance"), ("group staff", "finance")}


def test_who_can_reach_an_end(reach):
    found = answer(reach("to", "finance", "--service", "https", "--format", "json"))
    lines = CLEAN.splitlines()
    texts = {grant["source"]: lines[grant["statement"]["line"] - 1] for grant in found["grants"]}
    assert texts["hr except hr.printer"] == "allow hr -> finance : https, ping"
    assert texts["vpn"].startswith("allow group staff")
    assert texts["finance"].startswith("zone finance")
    assert "hr.printer" not in texts
    done = reach("to", "finance")
    assert "group staff, mfa, posture managed, mon-fri 08:00-18:00" in done.stdout


def test_what_an_end_can_reach(reach):
    assert (
        answer(reach("from", "hr.printer", "to", "finance", "--format", "json"))["grants"][0]["named"]
        == "icmp/echo-request"
    )
    (grant,) = answer(reach("from", "group", "staff", "--format", "json"))["grants"]
    assert (grant["source"], grant["destination"], grant["conditions"]["who"]) == ("vpn", "finance", [])
    bound = answer(reach("from", 'user "ana@acme.example" in vpn', "to", "finance", "--format", "json"))
    assert [each["named"] for each in bound["grants"]] == ["https"]
    assert "nothing is open" in reach("from", "finance", "to", "hr").stdout


CHAIN = """\
zone a { subnet 10.1.0.0/24 }
zone b { subnet 10.2.0.0/24; host h = 10.2.0.9; intra deny }
zone c { subnet 10.3.0.0/24 }
allow a -> b.h : tcp/22
allow b.h -> c : tcp/443
deny a -> c : any
"""


def test_chains_are_shown_statement_by_statement(tmp_path):
    path = policy(tmp_path, CHAIN)
    done = segc("reach", path, "from", "a", "to", "c", "--any")
    assert done.stdout.splitlines()[1] == "  2 hops: c"
    assert "a -> b.h  tcp/22" in done.stdout
    assert "b.h -> c  tcp/443" in done.stdout
    assert f"{path}:5" in done.stdout
    for words in (["from", "a"], ["to", "c"], ["from", "a", "to", "c"]):
        found = answer(segc("reach", path, *words, "--any", "--format", "json"))
        (far,) = [each for each in found["reached"] if each["hops"] == 2]
        assert [hop["statement"]["line"] for hop in far["chain"]] == [4, 5]
    assert "no chain" in segc("reach", path, "from", "a", "to", "c", "--any", "--service", "tcp/22").stdout


def test_no_chain_is_told_for_the_end_that_was_asked_about(tmp_path):
    zones = "".join(f"zone {name} {{ subnet 10.0.{i}.0/24 intra deny }} " for i, name in enumerate("ab"))
    path = policy(tmp_path, f"{zones} allow a -> b : tcp/1")
    assert "no chain starts there" in segc("reach", path, "from", "b", "--any").stdout
    assert "no chain leads there" in segc("reach", path, "to", "a", "--any").stdout


FAMILIES = """\
zone a { subnet 10.1.0.0/24 }
zone b { subnet 10.2.0.0/24, 2001:db8:2::/64 }
zone c { subnet 2001:db8:3::/64 }
allow a -> b : tcp/22
"""


@pytest.mark.parametrize(
    ("source", "parts"),
    [("b", ["b", "b"]), ("10.2.0.0/24, b", ["b (10.2.0.0/24)", "b (2001:db8:2::/64)"])],
)
def test_hosts_on_the_way_may_have_both_families(tmp_path, source, parts):
    """Also where only a list tells their IPv4 from their IPv6 addresses."""
    path = policy(tmp_path, f"{FAMILIES}allow {source} -> c : tcp/22\n")
    (far,) = answer(segc("reach", path, "from", "a", "to", "c", "--any", "--format", "json"))["reached"]
    entered, left = far["chain"]
    assert [entered["destination"], left["source"]] == parts
    promised = policy(tmp_path, f"{path.read_text()}never a ~> c : any\n")
    assert "error[SEG304]" in segc("check", promised).stdout


def test_a_wide_policy_becomes_a_list(tmp_path):
    zones = "".join(f"zone z{n} {{ subnet 10.{n}.0.0/24 }}\n" for n in range(40))
    done = segc("reach", policy(tmp_path, zones + "allow z1 -> z2 : tcp/22\n"))
    assert "z1 -> z2    tcp/22" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["from", "hrr"], "did you mean `hr`?"),
        (["hr"], "write `from` or `to`"),
        (["to"], "`to` needs an end"),
        (["from", "hr -> any : any deny vpn"], "is no question"),
        (["from", "hr", "--service", "nope"], "there is no service `nope`"),
        (["--any"], "need a question"),
        (["from", "h\x1b[31mr"], "is no question"),
        (["from", "vpn", "to", "2001:db8:2::5"], "no address family in common"),
    ],
)
def test_questions_that_make_no_sense(reach, words, told):
    done = reach(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "\x1b" not in done.stderr


def test_a_zone_without_an_address_is_called_by_its_name(tmp_path):
    path = policy(tmp_path, "zone a { subnet 10.1.0.0/24 }\nzone empty {}\n")
    done = segc("reach", path, "from", "a", "to", "empty")
    assert done.returncode == 2
    assert "Error: `empty` holds nothing: give the zone a `subnet`\n" in done.stderr


@pytest.mark.parametrize("names", [("a", "b"), ("hr", "it")])
def test_zones_may_be_called_as_addresses_begin(tmp_path, names):
    """Of a policy, what a mutant does not touch is left out: its names are nothing then."""
    one, other = names
    zones = f"zone {one} {{ subnet 10.0.1.0/24 }}\nzone {other} {{ subnet 10.0.2.0/24; host c = 10.0.2.9 }}\n"
    flows = f"deny {other} -> {one}, {other} : any\ndeny {one} -> {other}.c, {other} : any\n"
    path = policy(tmp_path, f"{zones}{flows}workflow w {{ {one} -> {one} : any }}\n")
    done = segc("test", path, "--mutate")
    assert "bug" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_what_no_test_would_notice(tmp_path):
    path = policy(tmp_path)
    done = segc("test", path, "--mutate")
    assert done.returncode == 0, done.stderr
    assert "nothing would notice it for any service" in done.stdout
    results = json.loads(segc("test", path, "--mutate", "--format", "json").stdout)
    schema("test").validate(results)
    mutation = results["mutation"]
    before = mutation["score"]
    assert mutation["missed"]
    assert all(each["proposal"] for each in mutation["missed"])
    pasted = policy(tmp_path, CLEAN + mutation["proposed"], "pasted/policy.seg")
    assert segc("test", pasted).returncode == 0
    again = json.loads(segc("test", pasted, "--mutate", "--strict", "--format", "json").stdout)
    assert (again["mutation"]["missed"], again["mutation"]["score"]) == ([], 1)
    assert before < 0.5


def test_what_no_test_would_notice_for_programs(tmp_path):
    path = policy(tmp_path)
    for strict, failures in (([], "0"), (["--strict"], None)):
        done = segc("test", path, "--mutate", "--format", "junit", *strict)
        suite = ElementTree.fromstring(done.stdout).find("testsuite")
        assert done.returncode == bool(strict)
        assert failures in (None, suite.get("failures"))
        assert strict == [] or int(suite.get("failures")) > 0


def test_tests_that_fail_are_not_judged(tmp_path):
    done = segc("test", policy(tmp_path, FAILING), "--mutate")
    assert done.returncode == 1
    assert "noticed" not in done.stdout
    broken = segc("test", policy(tmp_path, CLEAN + "never hr -> finance\n"), "--mutate")
    assert broken.returncode == 1
    assert "SEG304" in broken.stderr
    assert segc("test", policy(tmp_path), "--strict").returncode == 2


@pytest.mark.parametrize("words", [(), ("to", "finance"), ("from", "hr", "to", "finance")])
def test_the_current_folder_is_the_default(tmp_path, words):
    policy(tmp_path)
    done = segc("reach", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, segc("reach", ".", *words, cwd=tmp_path).stdout)
