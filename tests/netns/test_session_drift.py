"""Members by hand: who is in a set of people without a session is found, told and taken out, agent or not."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from segc.policy.claims import Claims
from segc.sessions.kernel import Kernel
from tests.netns.agents import AgentHost

pytestmark = pytest.mark.kernel
STAFF = """
allow group staff in a -> b : tcp/443
allow group chiefs in a -> c : tcp/22 require mfa
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[AgentHost]:
    with AgentHost(folder=tmp_path) as host:
        host.apply(STAFF)
        host.start_agent()
        host.claimed("a.5", "ana@x.example", ttl=3600)
        yield host


def verify(host: AgentHost, *options: str, code: int = 0) -> str:
    done = host.segc("verify", "--socket", str(host.socket), *options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def document(host: AgentHost, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(verify(host, "--format", "json", code=code))
    Draft202012Validator(
        json.loads(files("segc.schemas").joinpath("verify.schema.json").read_text())
    ).validate(found)
    return found


def staff(host: AgentHost, which: str = "staff") -> str:
    """The IPv4 set of its members."""
    return next(name for name in host.members("who4_") if which in name)


def forge(host: AgentHost, which: str = "staff", element: str = "10.1.0.66 timeout 10h") -> None:
    host.nft(f"add element inet segc {staff(host, which)} {{ {element} }}")


@pytest.mark.parametrize("agent", ["killed", "stopped"])
def test_a_member_by_hand_is_told_and_taken_out(host: AgentHost, agent: str) -> None:
    assert document(host, code=0)["vouched_by"] == "agent"
    if agent == "killed":
        host.kill_agent(signal.SIGKILL)
    else:
        assert host.agent
        host.agent.send_signal(signal.SIGSTOP)
    forge(host)
    forge(host, "chiefs", "10.1.0.67")
    host.sessions[ip_address("10.1.0.66")] = Claims("bo@x.example")
    host.check("a.66 -> b.7 : tcp/443 yes v4")
    told = verify(host, code=3)
    assert "10.1.0.66 counts as a member of `staff`: element added by hand; it opens `b` tcp/443 (" in told
    assert (
        "10.1.0.67 counts as a member of `chiefs` with mfa: element added by hand; it opens `c` tcp/22"
        in told
    )
    assert f"element `10.1.0.66` of `{staff(host)}` was added by hand\n" in told
    assert "10.1.0.5 " not in told
    found = document(host, code=3)
    assert (found["vouched_by"], found["drift"], found["table"]) == ("journal", True, True)
    assert [each["after"] for each in found["changes"]] == ['"10.1.0.67"', '"10.1.0.66"']
    assert "all of it has been put right" in verify(host, "--heal")
    verify(host)
    del host.sessions[ip_address("10.1.0.66")]
    host.sessions[ip_address("10.1.0.5")] = Claims("ana@x.example")
    host.check("a.66 -> b.7 : tcp/443 no v4\na.5 -> b.7 : tcp/443 yes v4")


def test_the_agent_itself_takes_it_out(host: AgentHost) -> None:
    forge(host)
    verify(host)
    assert "10.1.0.66" not in host.bound()
    assert "10.1.0.5" in host.bound()


def test_a_member_that_is_gone_is_told_and_given_back(host: AgentHost) -> None:
    host.kill_agent()
    host.nft(f"delete element inet segc {staff(host)} {{ 10.1.0.5 }}")
    assert "10.1.0.5 does not count as a member of `staff`: element is gone\n" in verify(host, code=3)
    verify(host, "--heal")
    verify(host)
    left = host.inside(lambda: Kernel().held([staff(host)]))
    assert list(left.values()) == [pytest.approx(3600, abs=120)]


def test_a_member_who_would_stay_for_ever_is_told(host: AgentHost) -> None:
    host.kill_agent()
    name = staff(host)
    host.nft(f"delete element inet segc {name} {{ 10.1.0.5 }}; add element inet segc {name} {{ 10.1.0.5 }}")
    assert "10.1.0.5 counts as a member of `staff`: element outlasts the session; it opens" in verify(
        host, code=3
    )
    verify(host, "--heal")
    verify(host)


def test_who_ends_just_now_is_no_drift(host: AgentHost) -> None:
    host.kill_agent()
    host.start_agent()
    for number in range(1, 5):
        name = str(number)
        host.claimed(f"a.1{name}", "bo@x.example", id=name, source="vpn", kind="openvpn", ttl=number)
    host.kill_agent()
    for _ in range(4):
        verify(host)


def test_a_journal_that_is_damaged_or_gone_vouches_for_nobody(host: AgentHost) -> None:
    host.kill_agent()
    (journal,) = (host.state.root / "sessions").glob("journal.*")
    whole = journal.read_bytes()
    journal.write_bytes(b"x" * 20 + b"\n" + whole)
    assert "10.1.0.5 counts as a member of `staff`: element added by hand" in verify(host, code=3)
    journal.unlink()
    assert "10.1.0.5 counts as a member of `staff`: element added by hand" in verify(host, code=3)
    journal.write_bytes(whole)
    verify(host)
    assert journal.read_bytes() == whole


def test_what_cannot_be_read_of_sessions_is_told_in_a_sentence(host: AgentHost) -> None:
    book = host.state.generations / "1/build/sessions.json"
    text = book.read_text()
    book.unlink()
    book.write_text(text.replace('"format"', '"farmot"'))
    done = host.segc("verify", "--socket", str(host.socket))
    assert (done.returncode, "`sessions.json` cannot be read" in done.stderr) == (1, True), done.stderr


def test_while_people_come_and_go_nothing_is_drift(host: AgentHost) -> None:
    end = time.monotonic() + 4
    while time.monotonic() < end:
        host.claimed("a.8", "bo@x.example", id="8")
        host.ask("unbind", address="10.1.0.8")
    verify(host)


def test_nothing_to_fill_in_is_no_change_by_others(tmp_path: Path) -> None:
    """The kernel counts nothing that changes nothing. What was bound in the next look seemed forged."""

    def filled() -> tuple[bool, bool]:
        kernel = Kernel()
        names = kernel.layout().names()
        kernel.fill(names & people, (), 0)
        unchanged = kernel.touched()
        kernel.fill((), (), 0)
        return unchanged, kernel.touched()

    with AgentHost(folder=tmp_path) as host:
        host.apply(STAFF)
        people = {*host.members("who4_")}
        assert people
        assert host.inside(filled) == (False, False)
