"""`segc bind`, `unbind`, `sessions`, `status` and `agent` as people and pipelines use them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.netns.agents import AgentHost
from tests.netns.namespace import run

pytestmark = pytest.mark.kernel
STAFF = """
allow group staff in a -> b : tcp/443
allow group chiefs in a -> b : tcp/22 require mfa, posture managed
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AgentHost]:
    with AgentHost(folder=tmp_path) as host:
        host.apply_here(host.wanted(STAFF))
        yield host


def segc(host: AgentHost, *arguments: str, code: int = 0) -> str:
    argv = [sys.executable, "-m", "segc", *arguments, "--socket", str(host.socket)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert "bug" not in done.stderr
    return done.stdout + done.stderr


def conforms(text: str, schema: str, part: str = "") -> Any:
    found = json.loads(text)
    wanted = json.loads(files("segc.schemas").joinpath(schema).read_text())
    Draft202012Validator(wanted | {"$ref": part} if part else wanted).validate(found)
    return found


def test_a_session_from_bind_to_unbind(host: AgentHost) -> None:
    host.start_agent()
    told = segc(
        host, "bind", "--user", "cy@x.example", "--address", "10.1.0.5", "--address", "2001:db8:1::5",
        "--mac", "02:00:00:00:00:1e", "--device", "laptop", "--mfa", "--fact", "disk_encrypted=true",
        "--ttl", "2h",
    )  # fmt: skip
    assert (
        "group chiefs with mfa, posture managed; group staff; ends because manual vouches for 7200 s" in told
    )
    assert sum(map(len, host.members().values())) == 4
    told = segc(host, "sessions")
    assert "cy@x.example  10.1.0.5, 2001:db8:1::5" in told
    assert "manual, password+mfa, laptop, 02:00:00:00:00:1e: group chiefs" in told
    assert "1 session\n" in told
    (listed,) = conforms(segc(host, "sessions", "--format", "json"), "session-list.schema.json")["sessions"]
    assert len(listed["sets"]) == 4
    assert listed["until"] - listed["since"] == pytest.approx(7200, abs=1)
    assert "0 sessions" in segc(host, "sessions", "--user", "bo@x.example")
    assert segc(host, "unbind", "--address", "10.1.0.5") == "ended 1 session\n"
    assert segc(host, "unbind", "--address", "10.1.0.5") == "ended no sessions\n"
    assert not host.bound()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("manual", ""),
        ("radius", ""),
        (
            "openvpn",
            "by openvpn people are back within seconds, as their clients dial in again: who shall stay",
        ),
        ("wireguard", "by wireguard people are back within two minutes"),
        ("dhcp", "by dhcp people are back when their leases are renewed"),
    ],
)
def test_an_end_that_does_not_last_says_so(host: AgentHost, kind: str, words: str) -> None:
    host.start_agent()
    host.claimed("a.5", "ana@x.example", source="it", kind=kind, id="1")
    told = segc(host, "unbind", "--user", "ana@x.example")
    assert told.startswith("ended 1 session\n" + words)
    assert len(told.splitlines()) == 1 + bool(words)
    assert segc(host, "unbind", "--source", "it", "--all") == "ended no sessions\n"


def test_an_address_that_lies_in_no_zone_is_told_of(tmp_path: Path) -> None:
    with AgentHost(
        folder=tmp_path,
        zones=AgentHost.zones.replace("zone net { external }", "zone net { subnet 10.4.0.0/24 }"),
    ) as host:
        host.apply_here(host.wanted(STAFF))
        host.start_agent()
        told = segc(host, "bind", "--user", "ana@x.example", "--address", "10.99.0.5")
        assert "warning: 10.99.0.5 is in no zone of the policy: nothing opens there\n" in told
        assert "warning" not in segc(host, "bind", "--user", "ana@x.example", "--address", "10.1.0.5")


def test_without_a_policy_a_bind_says_so(tmp_path: Path) -> None:
    """Or whoever gave the agent another state directory looks for the fault in the groups."""
    with AgentHost(folder=tmp_path) as host:
        host.start_agent()
        told = segc(host, "bind", "--user", "cy@x.example", "--address", "10.1.0.5")
        assert "warning: no policy is in force where this agent looks for one" in told


def test_status_tells_of_the_agent(host: AgentHost) -> None:
    where = ["status", *host.where]
    assert "no session agent answers" in segc(host, *where)
    assert conforms(segc(host, *where, "--format", "json"), "status.schema.json")["agent"] is None
    host.start_agent()
    host.claimed("a.5", "ana@x.example")
    assert "\n1 session\n" in segc(host, *where)
    found = conforms(segc(host, *where, "--format", "json"), "status.schema.json")
    assert found["agent"] == {"generation": 1, "enforced": True, "problem": None, "sessions": 1}


def test_an_agent_that_knows_of_no_policy_enforces_none(tmp_path: Path) -> None:
    with AgentHost(folder=tmp_path) as host:
        host.start_agent()
        where = ["status", *host.where]
        found = conforms(segc(host, *where, "--format", "json"), "status.schema.json")["agent"]
        assert (found["generation"], found["enforced"]) == (None, False)
        assert segc(host, *where).endswith("nothing is enforced\n0 sessions\n")


def test_status_tells_of_an_agent_that_looks_elsewhere(host: AgentHost) -> None:
    where, host.state_dir = host.where, host.folder / "other"
    host.start_agent()
    assert "the session agent knows of no policy: see `segc agent --state-dir`" in segc(
        host, "status", *where
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bind", "--user", "ana@x.example"], 2, "Missing option '--address'"),
        (
            ["bind", "--user", "ana@x.example", "--address", "10.1.0.5", "--ttl", "soon"],
            2,
            "`soon` is no time",
        ),
        (
            ["bind", "--user", "ana@x.example", "--address", "10.1.0.5", "--fact", "x"],
            2,
            "write `name=value`",
        ),
        (["bind", "--user", "ana@x.example", "--address", "10.1.0"], 1, "`10.1.0` is no address of a host"),
        (["bind", "--user", "\x1b[2J", "--address", "10.1.0.5"], 1, "printable characters"),
        (
            ["bind", "--user", "ana", "--address", "10.1.0.5", "--kind", "oracle"],
            1,
            "no kind of source `oracle`",
        ),
        (
            ["bind", "--user", "ana", "--address", "10.1.0.5", "--posture", "patchd"],
            1,
            "the policy knows no posture `patchd`: did you mean `patched`?",
        ),
        (
            ["bind", "--user", "ana", "--address", "10.1.0.5", "--fact", "disk_encryptd=true"],
            1,
            "the policy knows no fact `disk_encryptd`: did you mean `disk_encrypted`?",
        ),
        (["unbind"], 2, "which sessions?"),
        (["unbind", "--source", "vpn"], 2, "which sessions?"),
        (["unbind", "--address", "everywhere"], 1, "is no address of a host"),
        (["agent", "--metrics", "0.0.0.0:9437"], 2, "is no address of this host's own"),
        (["agent", "--audit", "/nowhere/audit.json"], 1, "nothing can be told to `/nowhere/audit.json`"),
    ],
)
def test_what_makes_no_sense_is_told(host: AgentHost, arguments: list[str], code: int, words: str) -> None:
    if arguments[0] == "agent":
        arguments = [*arguments, *host.where]
    else:
        host.start_agent()
    assert words in segc(host, *arguments, code=code)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fleet", ""),
        ("fleed", "warning: the policy knows no source `fleed`: it names `fleet`, `vpn`: nothing is taken"),
        ("vpn", "warning: the source `vpn` is of kind `openvpn`, not `posture`: nothing is taken from here"),
    ],
)
def test_a_source_that_the_policy_does_not_name_says_so_when_it_starts(
    host: AgentHost, name: str, words: str
) -> None:
    sources = "source vpn openvpn { zone a }\nsource fleet posture { posture managed }\n"
    host.apply_here(host.wanted(STAFF + sources))
    host.start_agent()
    argv = [sys.executable, "-m", "segc", "source", "posture", name, "-", "--socket", str(host.socket)]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr[: len(words)]) == (0, words)
    assert bool(done.stderr) == bool(words)


def test_a_fact_of_another_type_is_told_of_once(host: AgentHost) -> None:
    """It fulfils no posture, whatever it says."""
    host.start_agent()
    bind = ["bind", "--user", "cy@x.example", "--address", "10.1.0.5", "--fact"]
    words = 'the fact `disk_encrypted` is `"True"`, and posture `managed` asks for `true` or `false`\n'
    assert segc(host, *bind, "disk_encrypted=True", code=1).endswith(words)
    report = f'{{"device": "laptop-17", "time": {time.time()}, "facts": {{"disk_encrypted": "True"}}}}\n'
    argv = [sys.executable, "-m", "segc", "source", "posture", "fleet", "-", "--socket", str(host.socket)]
    done = subprocess.run(
        argv, capture_output=True, text=True, input=report + report.replace("laptop-17", "laptop-18")
    )
    assert done.stderr == f"standard input: {words}"


def test_without_an_agent_the_commands_say_so(host: AgentHost) -> None:
    for arguments in (
        ["sessions"],
        ["unbind", "--user", "ana"],
        ["bind", "--user", "a", "--address", "10.1.0.5"],
    ):
        assert "is `segc agent` running?" in segc(host, *arguments, code=1)


def test_two_agents_of_one_host_are_one_too_many(host: AgentHost) -> None:
    host.start_agent()
    told = segc(host, "agent", *host.where, code=1).splitlines()
    assert [each.endswith(": waiting 5 s for it to end") for each in told] == [True, False]
    assert all("another agent is at work on" in each for each in told)
    assert host.claim("a.5", "ana@x.example")["ok"]


def test_an_agent_keeps_its_socket_and_one_that_fails_leaves_nothing(host: AgentHost) -> None:
    host.start_agent()
    other = [*host.where[:2], "--state-dir", str(host.folder / "other")]
    assert "another agent listens on" in segc(host, "agent", *other, code=1)
    assert host.claim("a.5", "ana@x.example")["ok"]
    for name, words in (("folder", "is a directory"), ("x" * 150, "is too long for a socket")):
        place = host.folder / "run" / name
        (host.folder / "run" / "folder").mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "segc", "agent", *other, "--socket", str(place)]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert (done.returncode, words in done.stderr) == (1, True), done.stderr
        assert [each.name for each in place.parent.iterdir()] == ["folder"]


def test_figures_for_prometheus(host: AgentHost) -> None:
    run(host.gateway.namespace, ["ip", "link", "set", "lo", "up"])
    host.start_agent("--metrics", "127.0.0.1:9437")
    host.claimed("a.5", "ana@x.example")
    host.claim("a.6", "bo@x.example", kind="oracle")
    host.claimed("a.7", "bo@x.example", source="vpn", kind="openvpn", id="1", mfa=True)
    host.claim("a.7", "ana@x.example", source="leases", kind="dhcp", id="1")

    def fetched() -> str:
        with urllib.request.urlopen("http://127.0.0.1:9437/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return str(answer.read().decode())

    text = host.inside(fetched)
    assert "\nsegc_sessions 2\n" in text
    assert 'segc_session_events_total{action="bind",outcome="success"} 2' in text
    assert 'segc_session_events_total{action="bind",outcome="failure"} 2' in text
    assert "\nsegc_session_bind_seconds_count 2\n" in text
    assert text == host.ask("metrics")["text"] or "segc_session_journal_bytes" in text


def test_the_audit_log_has_the_field_names_of_ecs(host: AgentHost) -> None:
    host.start_agent()
    host.claimed(
        "a.5",
        "ana@x.example",
        mac="02:00:00:00:00:1e",
        device="laptop",
        source="vpn",
        kind="openvpn",
    )
    host.ask("unbind", user="ana@x.example")
    began, ended = host.audit
    assert began["event.category"] == ["session"]
    assert (began["event.type"], ended["event.type"]) == (["start"], ["end"])
    assert began["source.ip"] == ["10.1.0.5", "2001:db8:1::5"]
    assert (began["source.mac"], began["device.id"]) == ("02-00-00-00-00-1E", "laptop")
    assert began["event.outcome"] == ended["event.outcome"] == "success"
    assert ended["event.reason"] == "unbound by root"
    log = host.folder / "audit.json"
    log.rename(host.folder / "audit.json.1")  # as logrotate does
    host.claimed("a.6", "bo@x.example")
    assert [each["user.name"] for each in host.audit] == ["bo@x.example"]


def test_names_of_strangers_do_no_harm_where_the_sets_are_listed(host: AgentHost) -> None:
    host.start_agent()
    host.claimed("a.5", "ana@x.example", source='x" } ; flush ruleset', kind="openvpn", id="$(reboot)")
    assert "ana@x.example by x? ? ; flush ruleset" in host.nft("list", "table", "inet", "segc")
    assert "flush ruleset" in segc(host, "sessions")
    assert host.audit[0]["segc.session"] == "$(reboot)"
