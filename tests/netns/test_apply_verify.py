"""What somebody changes by hand is found, told in terms of the policy, and put right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from segc.policy.claims import Claims
from tests.netns.agents import AgentHost
from tests.netns.namespace import nft, run
from tests.unit.cli.test_check import schema

POLICY = """
allow as web a -> b : tcp/443
allow as mail a -> c : tcp/25, tcp/1000-1010
allow as slow b -> c : udp/5 limit 10/second
allow as staff-only group staff in a -> c : tcp/443
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AgentHost]:
    with AgentHost(folder=tmp_path) as host:
        host.apply(POLICY)
        yield host


def bound(host: AgentHost) -> None:
    """Have Ana in `a.5`, vouched for by the journal of an agent that is gone."""
    host.start_agent()
    host.claimed("a.5", "ana@x.example", ttl=3600)
    host.kill_agent()
    host.sessions |= {ip_address(host.address("a.5", each)): Claims("ana@x.example") for each in (4, 6)}


def key(host: AgentHost, port: int) -> str:
    """The key of an element of `allow_tcp` with this port."""
    text = host.nft("list", "map", "inet", "segc", "allow_tcp")
    found = re.search(rf"(0x[0-9a-f]+ \. {port})\b", text)
    assert found, text
    return found[1]


def test_nothing_has_been_changed(host: AgentHost) -> None:
    bound(host)
    host.check("a.5 -> b.7 : tcp/443 yes\nb.5 -> c.7 : udp/5 yes\na.5 -> c.7 : tcp/443 yes")
    host.inside(lambda: nft("add table inet other"))
    before = host.transactions()
    done = host.segc("verify")
    assert (done.returncode, done.stdout) == (0, "gw: the kernel is as generation 1 left it\n"), done.stderr
    assert host.segc("verify", "--heal").returncode == 0
    assert host.transactions() == before


def test_what_was_asked_a_moment_ago_is_no_change_but_for_what_stays(host: AgentHost) -> None:
    """Packets fill these sets; a member with a time of its own is no packet's."""
    bound(host)
    host.check("a.5 -> c.7 : tcp/443 yes")
    client, server = (host.address(name, 4) for name in ("a.5", "c.7"))
    talk = host.talk("a.5", "c.7", 4, "tcp", 443)
    assert talk.open()
    assert client in host.listed("set", "recent4_tcp")
    assert host.segc("verify").returncode == 0
    way = f'"a0" . {client} . {server} . 40001 . 443'
    host.inside(lambda: nft(f"add element inet segc recent4_tcp {{ {way} timeout 1h }}"))
    done = host.segc("verify", "--heal")
    assert f"element `{way.replace(chr(34), '')}` of `recent4_tcp` was added by hand" in done.stdout
    assert "40001" not in host.listed("set", "recent4_tcp")
    assert host.segc("verify").returncode == 0


def test_access_by_an_element_is_told_and_taken_back(host: AgentHost) -> None:
    opened = key(host, 443).replace("443", "445")
    host.inside(lambda: nft(f'add element inet segc allow_tcp {{ {opened} : "flow_web" }}'))
    done = host.segc("verify")
    assert done.returncode == 3
    assert re.search(r"10\.1\.0\.\d+ -> 10\.2\.0\.\d+ tcp/445", done.stdout), done.stdout
    assert f'element `{opened} : "flow_web"` of `allow_tcp` was added by hand' in done.stdout
    healed = host.segc("verify", "--heal")
    assert healed.returncode == 0, healed.stderr
    assert "all of it has been put right" in healed.stdout
    assert host.segc("verify").returncode == 0
    host.check("a.5 -> b.7 : tcp/445 no\na.5 -> b.7 : tcp/443 yes")


def test_access_that_is_gone_is_told_and_given_back(host: AgentHost) -> None:
    closed = key(host, 25)
    host.inside(lambda: nft(f"delete element inet segc allow_tcp {{ {closed} }}"))
    done = host.segc("verify")
    assert done.returncode == 3
    assert "flow_mail" in done.stdout
    assert re.search(r"10\.1\.0\.\d+ -> 10\.3\.0\.\d+ tcp/25", done.stdout), done.stdout
    assert host.segc("verify", "--heal").returncode == 0
    host.check("a.5 -> c.7 : tcp/25 yes")


CHANGES = {
    "element added": (
        "add element inet segc own4 { 10.9.9.9 }",
        "element `10.9.9.9` of `own4` was added by hand",
    ),
    "element removed": ("delete element inet segc own4 { 10.1.0.1 }", "element `10.1.0.1` of `own4` is gone"),
    "element edited": (
        'delete element inet segc allow_tcp { KEY }\nadd element inet segc allow_tcp { KEY : "flow_mail" }',
        'element `KEY : "flow_mail"` of `allow_tcp` was changed by hand',
    ),
    "rule added": (
        "insert rule inet segc on_forward ip saddr 10.1.0.9 tcp dport 23 accept",
        "rule `ip saddr 10.1.0.9 tcp dport 23 accept` of `on_forward` was added by hand",
    ),
    "rules removed": ("flush chain inet segc refuse", "of `refuse` is gone"),
    "rule edited": (
        "flush chain inet segc refuse\nadd rule inet segc refuse accept",
        "rule `accept` of `refuse` was added by hand",
    ),
    "chain added": ("add chain inet segc mine", "chain `mine` was added by hand"),
    "base chain added": (
        "add chain inet segc mine { type filter hook forward priority -5; }",
        "chain `mine` was added by hand",
    ),
    "chain edited": (
        "chain inet segc on_forward { policy accept; }",
        "chain `on_forward` was changed by hand",
    ),
    "chain removed": (
        "flush chain inet segc on_output\ndelete chain inet segc on_output",
        "chain `on_output` is gone",
    ),
    "set added": ("add set inet segc mine { type ipv4_addr; }", "set `mine` was added by hand"),
    "set removed": ("RULES own4\ndelete set inet segc own4", "set `own4` is gone"),
    "set edited": (
        "RULES own4\ndelete set inet segc own4\nadd set inet segc own4 { type ipv4_addr; flags interval; }",
        "set `own4` was changed by hand",
    ),
    "counter added": ("add counter inet segc mine", "counter `mine` was added by hand"),
    "counter removed": (
        "delete element inet segc allow_tcp { KEY }\ndelete counter inet segc flow_web",
        "counter `flow_web` is gone",
    ),
    "limit edited": (
        "RULES flow_slow\ndelete limit inet segc flow_slow\nadd limit inet segc flow_slow { rate 9/second; }",
        "limit `flow_slow` was changed by hand",
    ),
    "marker added": ("add chain inet segc generation_7", "chain `generation_7` was added by hand"),
    "marker removed": ("delete chain inet segc generation_1", "chain `generation_1` is gone"),
    "base chain added that is called like a marker": (
        "add chain inet segc generation_7 { type filter hook forward priority -5; policy drop; }",
        "chain `generation_7` was added by hand",
    ),
    "put to sleep": ("add table inet segc { flags dormant; }", "`table inet segc` is dormant"),
    "all is gone": ("delete table inet segc", "there is no `table inet segc`"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_each_change_is_found_named_and_put_right(host: AgentHost, how: str) -> None:
    bound(host)
    host.check("a.5 -> b.7 : tcp/443 yes")
    commands, words = (each.replace("KEY", key(host, 443)) for each in CHANGES[how])
    host.inside(lambda: nft(without_rules(host, commands)))
    done = host.segc("verify")
    assert done.returncode == 3, done.stdout + done.stderr
    assert words in done.stdout
    told = json.loads(host.segc("verify", "--format", "json").stdout)
    assert told["drift"]
    assert told["changes"] or not told["table"]
    healed = host.segc("verify", "--heal")
    assert healed.returncode == 0, healed.stderr
    assert host.segc("verify").returncode == 0
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> b.7 : tcp/80 no\na.5 -> c.7 : tcp/443 yes")
    if told["table"]:
        assert host.count("web") == (4 if "flow_web" not in commands else 2)


def without_rules(host: AgentHost, commands: str) -> str:
    """`RULES name` flushes the chains that ask for a set or a limit, so that it can be taken away."""
    first, _, rest = commands.partition("\n")
    if not first.startswith("RULES "):
        return commands
    table = host.nft("list", "table", "inet", "segc")
    chains = re.findall(r"\tchain (\S+) \{\n((?:\t\t[^\n]*\n)*)", table)
    asking = [name for name, rules in chains if re.search(rf"[@\"]{first[6:]}\b", rules)]
    return "".join(f"flush chain inet segc {name}\n" for name in asking) + rest


def test_a_rule_by_hand_is_told_in_terms_of_the_policy(host: AgentHost) -> None:
    host.inside(lambda: nft("insert rule inet segc on_forward ip saddr 10.1.0.9 tcp dport 23 accept"))
    told = json.loads(host.segc("verify", "--format", "json").stdout)["meaning"]
    assert any(re.search(r"10\.1\.0\.9 -> \S+ tcp/23", each) for each in told), told
    host.inside(lambda: nft("flush chain inet segc on_forward"))
    told = json.loads(host.segc("verify", "--format", "json").stdout)["meaning"]
    assert any("->" in each for each in told), told


def test_a_rule_that_accepts_all_is_told_in_whole_sentences(host: AgentHost) -> None:
    host.inside(lambda: nft("add rule inet segc on_forward accept"))
    told = json.loads(host.segc("verify", "--format", "json").stdout)["meaning"]
    assert any("the ruleset says accept, with a mark that is left behind" in each for each in told), told
    assert not any(each.endswith(",") for each in told)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("ip address add 10.1.0.77/32 dev a0", "links: take 10.1.0.77/32 off a0"),
        ("ip address del 10.1.0.1/24 dev a0", "links: add 10.1.0.1/24 to a0"),
        ("ip link set a0 down", "links: bring a0 up"),
        ("echo 0 >/proc/sys/net/ipv4/ip_forward", "links: set net.ipv4.ip_forward to 1"),
    ],
)
def test_links_changed_by_hand(host: AgentHost, how: str, told: str) -> None:
    run(host.gateway.namespace, ["sh", "-ec", how])
    done = host.segc("verify")
    assert done.returncode == 3
    assert told in done.stdout
    assert host.segc("verify", "--heal").returncode == 0
    assert host.segc("verify").returncode == 0


def test_where_nothing_was_applied_there_is_nothing_to_verify(host: AgentHost) -> None:
    host.state_dir = host.folder / "another"
    done = host.segc("verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing has been applied here" in done.stderr


def renamed(host: AgentHost, old: str, new: str) -> None:
    run(host.gateway.namespace, ["sh", "-ec", f"ip link set {old} down; ip link set {old} name {new}"])


def test_a_device_that_is_gone_is_drift_that_nothing_heals(host: AgentHost) -> None:
    """The kernel was said to be as it had been left, and the timer never failed."""
    renamed(host, "c0", "elsewhere")
    told = (
        "gw: the kernel is not as generation 1 left it\n  c0 is gone: it was there when that was applied\n"
        "what is gone nobody but you can bring back: give it its name again, or take it out of the policy\n"
    )
    done = host.segc("verify")
    assert (done.returncode, done.stdout) == (3, told)
    run(host.gateway.namespace, ["ip", "address", "flush", "dev", "b0"])
    done = host.segc("verify", "--heal")
    assert done.returncode == 3
    assert "the rest of it has been put right\nwhat is gone" in done.stdout
    found = json.loads(host.segc("verify", "--heal", "--format", "json").stdout)
    schema("verify").validate(found)
    assert (found["drift"], found["healed"], found["gone"], found["absent"]) == (True, False, ["c0"], [])
    renamed(host, "elsewhere", "c0")
    assert host.segc("verify", "--heal").returncode == 0
    assert host.segc("verify").returncode == 0


def test_a_device_that_never_was_there_is_told_and_no_drift(host: AgentHost) -> None:
    renamed(host, "c0", "elsewhere")
    host.apply(POLICY.replace("tcp/25,", "tcp/26,"))
    done = host.segc("verify")
    assert done.returncode == 0
    assert "  c0 is not there, and so was not compared\n" in done.stdout
    meta = host.state.generations / "2/meta.json"
    assert '"absent": [' in meta.read_text()
    meta.write_text(re.sub(r',\s*"absent": \[[^]]*\]', "", meta.read_text()))  # as others wrote it before
    assert host.segc("verify").returncode == 0
    assert json.loads(host.segc("verify", "--format", "json").stdout)["absent"] == ["c0"]


def test_what_cannot_be_put_right_is_told_by_its_step(host: AgentHost) -> None:
    run(host.gateway.namespace, ["sh", "-ec", "echo 0 >/proc/sys/net/ipv4/ip_forward"])
    script = 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec "$@"'
    argv = ["unshare", "--mount", "sh", "-ec", script, "sh", sys.executable, "-m", "segc"]
    done = subprocess.run([*argv, "verify", "--heal", *host.where], capture_output=True, text=True)
    assert done.returncode == 1
    assert "set net.ipv4.ip_forward to 1: read-only file system" in done.stderr
