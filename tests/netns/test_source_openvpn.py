"""OpenVPN vouches: real clients with certificates, real packets through a gateway with a compiled policy."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from segc.sessions.sources import hook
from tests.netns.firm import (
    FLOWS,
    HOURS,
    LATE,
    MANAGED,
    OUTSIDE,
    PEOPLE,
    Firm,
    dies_within,
    documented,
    flows,
    reaches,
    report,
    stream,
)
from tests.netns.namespace import Namespace, run
from tests.netns.openvpn import Authority, connect, serve
from tests.netns.programs import Program, awaited, environments, needs, process_list
from tests.netns.test_language_time import settled_now, span

pytestmark = [pytest.mark.kernel, needs("openvpn", "openssl")]

MANAGEMENT = "/run/openvpn-server/hq.sock"
WIRINGS: dict[str, Callable[[Firm], str]] = {
    "hook": lambda firm: firm.segc_source("hook", "openvpn", "hq-vpn", "--device", "X509_0_OU"),
    "management": lambda firm: (
        f"management {MANAGEMENT} unix\nmanagement-client-auth\nauth-user-pass-optional\n"
    ),
    "hook+management": lambda firm: documented("openvpn", firm),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("pki") / "ca")
    for name, device in (("ana", "laptop-17"), ("eve", "laptop-18"), ("bo", "laptop-19")):
        made.issue(f"{name}@acme.example", device)
    return made


@dataclass
class Vpn:
    """A firm with its VPN, wired by `wiring`: with the hook, by the management interface, or both."""

    firm: Firm
    authority: Authority
    outside: Namespace
    server: Program
    agent: Program

    @property
    def management(self) -> str:
        return str(self.firm.folder / "management")

    @contextmanager
    def client(self, name: str) -> Iterator[Program]:
        """Somebody who dials in, and is in."""
        with connect(self.outside, self.authority, f"{name}@acme.example", OUTSIDE) as program:
            program.says("Initialization Sequence Completed")
            yield program

    def addresses(self) -> tuple[str, ...]:
        """What the client has in the tunnel, IPv4 and IPv6."""
        shown = run(
            self.outside, ["ip", "-o", "address", "show", "dev", "tun0", "scope", "global"], check=False
        )
        words = shown.stdout.split()
        return tuple(words[i + 1].split("/")[0] for i, word in enumerate(words) if word in ("inet", "inet6"))

    def bound(self, user: str) -> bool:
        """Whether the client's addresses are this user's, or nobody's."""
        found = self.firm.bindings()
        return all(found.get(each, "") == user for each in self.addresses())


@contextmanager
def vpn(
    tmp_path: Path, authority: Authority, wiring: str, policy: str = FLOWS, more: str = ""
) -> Iterator[Vpn]:
    with Firm(folder=tmp_path) as firm, ExitStack() as stack:
        firm.apply(policy)
        agent = stack.enter_context(firm.agent())
        lines = WIRINGS[wiring](firm).replace(MANAGEMENT, str(tmp_path / "management")) + more
        server = stack.enter_context(serve(firm.gateway.namespace, authority, lines))
        outside = firm.gateway.attach("wan0", "198.51.100.7")
        if "management" in wiring:
            by = ["openvpn", "hq-vpn", "--management", str(tmp_path / "management"), "--device", "X509_0_OU"]
            stack.enter_context(firm.source(*by))
            server.says("MANAGEMENT: Client connected")
        yield Vpn(firm, authority, outside, server, agent)


@pytest.mark.parametrize("wiring", list(WIRINGS))
def test_who_comes_in_by_the_vpn_reaches_what_is_his(
    tmp_path: Path, authority: Authority, wiring: str
) -> None:
    with vpn(tmp_path, authority, wiring) as net:
        with net.client("ana"):
            assert awaited(lambda: net.bound("ana@acme.example"))
            addresses = net.addresses()
            assert len(addresses) == 2
            assert all(reaches(net.outside, each, PEOPLE) for each in addresses)
            assert not reaches(net.outside, addresses[0], MANAGED)
        assert awaited(lambda: not net.firm.bindings(), 40), net.firm.bindings()
        with net.client("bo"):
            assert awaited(lambda: net.bound("bo@acme.example"))
            assert not any(reaches(net.outside, each, PEOPLE) for each in net.addresses())


def test_a_laptop_without_disk_encryption_is_kept_out(tmp_path: Path, authority: Authority) -> None:
    feed = tmp_path / "feed"
    feed.mkdir()
    report(feed / "17.json", "laptop-17", disk_encrypted=True, os_version="14.10")
    report(feed / "18.json", "laptop-18", disk_encrypted=False, os_version="14.10")
    with vpn(tmp_path, authority, "hook") as net, net.firm.source("posture", "fleet", str(feed)) as posture:
        with net.client("eve"):
            assert awaited(lambda: net.bound("eve@acme.example"))
            assert reaches(net.outside, net.addresses()[0], PEOPLE)
            assert not reaches(net.outside, net.addresses()[0], MANAGED)
        with net.client("ana"):
            assert awaited(lambda: net.bound("ana@acme.example"))
            here = net.addresses()[1]
            assert awaited(lambda: reaches(net.outside, here, MANAGED), 5)
            with stream(net.outside, here, MANAGED) as managed, stream(net.outside, here, PEOPLE) as other:
                report(feed / "17.json", "laptop-17", disk_encrypted=False, os_version="14.10")
                assert awaited(lambda: not flows(managed, 1), 5)
                assert flows(other)
            report(feed / "17.json", "laptop-17", disk_encrypted=True, os_version="14.10")
            assert awaited(lambda: reaches(net.outside, here, MANAGED), 5)
            report(feed / "17.json", "laptop-17", time.time() - 7200, disk_encrypted=True, os_version="14.10")
            posture.says("old: it says nothing any more")


def test_after_hours_nobody_comes_in_and_what_is_open_ends(tmp_path: Path, authority: Authority) -> None:
    now = settled_now("UTC")
    before, after = now - timedelta(minutes=1), now + timedelta(minutes=1)
    hours = f"""{FLOWS}
        allow group finance in vpn -> finance.erp : tcp/{HOURS} when daily {span(now, after)}
        allow group finance in vpn -> finance.erp : tcp/{LATE} when daily {span(before, now)}
    """
    with vpn(tmp_path, authority, "hook", hours) as net, net.client("ana"):
        assert awaited(lambda: net.bound("ana@acme.example"))
        here = net.addresses()[0]
        assert reaches(net.outside, here, PEOPLE)
        assert not reaches(net.outside, here, LATE)
        end = after.replace(second=0, microsecond=0).timestamp()
        if time.time() < end - 3:  # a slow machine may have taken until the minute is over
            with stream(net.outside, here, HOURS) as connection:
                time.sleep(end - time.time())
                assert dies_within(connection, 1.0)
        time.sleep(max(0.0, end - time.time()))
        assert not reaches(net.outside, here, HOURS)


@pytest.mark.parametrize("wiring", ["management", "hook+management"])
def test_ending_a_session_ends_its_streams_and_its_tunnel(
    tmp_path: Path, authority: Authority, wiring: str
) -> None:
    with vpn(tmp_path, authority, wiring) as net, net.client("ana") as client:
        assert awaited(lambda: net.bound("ana@acme.example"))
        four, six = net.addresses()
        with stream(net.outside, four, PEOPLE) as one, stream(net.outside, six, PEOPLE) as other:
            assert net.firm.ask("unbind", user="ana@acme.example")["ended"] == 2
            assert dies_within(one, 1.0)
            assert dies_within(other, 1.0)
        client.says("server-pushed-connection-reset")
        client.says("Initialization Sequence Completed", times=2)
        assert awaited(lambda: net.bound("ana@acme.example"))
        assert all(reaches(net.outside, each, PEOPLE) for each in net.addresses())


def test_who_dials_in_again_is_found_at_the_new_address(tmp_path: Path, authority: Authority) -> None:
    """Also where the old tunnel was never hung up."""
    places = tmp_path / "places"
    places.mkdir()
    mine = places / "ana@acme.example"
    mine.write_text("ifconfig-push 10.8.0.70 255.255.255.0\n")
    with vpn(tmp_path, authority, "hook", more=f"client-config-dir {places}\n") as net:
        with net.client("ana") as client:
            assert awaited(lambda: net.firm.bindings().get("10.8.0.70") == "ana@acme.example")
            client.stop(hard=True)
        mine.write_text("ifconfig-push 10.8.0.71 255.255.255.0\n")
        with net.client("ana"):
            assert awaited(lambda: net.firm.bindings().get("10.8.0.71") == "ana@acme.example")
            assert awaited(lambda: "10.8.0.70" not in net.firm.bindings())
            assert reaches(net.outside, "10.8.0.71", PEOPLE)
            with stream(net.outside, "10.8.0.71", PEOPLE) as connection:
                net.firm.ask("unbind", address="10.8.0.71")
                assert dies_within(connection, 1.0)


def test_no_session_outlives_a_vpn_that_is_killed(tmp_path: Path, authority: Authority) -> None:
    with vpn(tmp_path, authority, "hook+management") as net, net.client("ana"):
        assert awaited(lambda: net.bound("ana@acme.example"))
        net.server.stop(hard=True)
        assert awaited(lambda: not net.firm.bindings())


def test_a_certificate_that_is_revoked_lets_nobody_in(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    authority.issue("ana@acme.example", "laptop-17")
    with vpn(tmp_path, authority, "hook") as net:
        with net.client("ana"):
            assert awaited(lambda: net.bound("ana@acme.example"))
        authority.revoke("ana@acme.example")
        with connect(net.outside, authority, "ana@acme.example", OUTSIDE) as client:
            net.server.says("certificate revoked")
            assert "Initialization Sequence Completed" not in client.said
            assert awaited(lambda: not net.firm.bindings())


def test_while_the_agent_is_dead_nobody_comes_in(tmp_path: Path, authority: Authority) -> None:
    with vpn(tmp_path, authority, "hook") as net:
        net.agent.stop(hard=True)
        with net.client("ana"):
            net.server.says("the session agent cannot be reached")
            assert net.addresses()
            assert not any(reaches(net.outside, each, PEOPLE) for each in net.addresses())
        with net.firm.agent(), net.client("ana"):
            assert awaited(lambda: net.bound("ana@acme.example"))
            assert reaches(net.outside, net.addresses()[0], PEOPLE)


def test_while_the_agent_is_dead_the_management_interface_lets_nobody_in(
    tmp_path: Path, authority: Authority
) -> None:
    with vpn(tmp_path, authority, "management") as net:
        net.agent.stop(hard=True)
        with connect(net.outside, authority, "ana@acme.example", OUTSIDE) as client:
            client.says("AUTH_FAILED")
            assert not net.addresses()


def test_a_tunnel_whose_keys_are_renewed_stays_while_it_has_a_session(
    tmp_path: Path, authority: Authority
) -> None:
    with vpn(tmp_path, authority, "management", more="reneg-sec 2 2\n") as net, net.client("ana") as client:
        assert awaited(lambda: net.bound("ana@acme.example"))
        with stream(net.outside, net.addresses()[0], PEOPLE) as connection:
            net.server.says("CMD 'client-auth-nt", times=4)
            assert flows(connection)
        assert "server-pushed" not in client.said
        assert "client-deny" not in net.server.said


def test_a_death_of_the_agent_opens_nothing_and_loses_nothing(tmp_path: Path, authority: Authority) -> None:
    with vpn(tmp_path, authority, "hook+management") as net, net.client("ana") as client:
        assert awaited(lambda: net.bound("ana@acme.example"))
        here = net.addresses()[0]
        with stream(net.outside, here, PEOPLE) as connection:
            net.agent.stop(hard=True)
            assert flows(connection)
            with net.firm.agent():
                assert net.bound("ana@acme.example")
                assert flows(connection)
                assert not client.said.count("server-pushed")


def test_who_dials_in_while_the_agent_is_dead_gets_through_once_it_is_back(
    tmp_path: Path, authority: Authority
) -> None:
    """OpenVPN lets nothing of her through, as nobody answered; her former session still stands."""
    with vpn(tmp_path, authority, "hook+management") as net:
        with net.client("ana"):
            assert awaited(lambda: net.bound("ana@acme.example"))
            net.agent.stop(hard=True)
        with net.client("ana"):
            net.server.says("Learn FAILED")
            assert not reaches(net.outside, net.addresses()[0], PEOPLE)
            with net.firm.agent():
                assert awaited(
                    lambda: any(reaches(net.outside, each, PEOPLE) for each in net.addresses()), 20
                )


def test_one_of_two_addresses_that_the_hook_asked_for_in_vain_does_not_stay_dead(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the agent dies between the two: OpenVPN lets nothing through from the other."""
    away, wrapper = tmp_path / "away", tmp_path / "hook"
    away.touch()
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *:*) test ! -e {away} || exit 1;; esac\nexec "$@"\n')
    wrapper.chmod(0o755)
    lines = WIRINGS["hook+management"]
    monkeypatch.setitem(
        WIRINGS, "hook+management", lambda firm: lines(firm).replace('"/', f'"{wrapper} /', 1)
    )
    with vpn(tmp_path, authority, "hook+management") as net, net.client("ana"):
        net.server.says("Learn FAILED")
        away.unlink()
        assert awaited(lambda: all(reaches(net.outside, each, PEOPLE) for each in net.addresses()), 20)
        assert len(net.firm.bindings()) == 2


# -- hooks that lie ----------------------------------------------------------------------------------

LEARNT = {"common_name": "ana@acme.example"}


def learn(firm: Firm, *event: str, user: str = "root", **env: str) -> subprocess.CompletedProcess[str]:
    """Run what OpenVPN would run, as it would."""
    script = shutil.copy(hook.__file__, firm.socket.parent)  # where everybody can read it
    source = env.pop("source", "hq-vpn")
    argv = ["/usr/bin/python3", "-IS", script, "--socket", str(firm.socket), "openvpn", source, *event]
    as_user = ["setpriv", "--reuid", user, "--clear-groups", "--"] if user != "root" else []
    return subprocess.run([*as_user, *argv], env={**LEARNT, **env}, capture_output=True, text=True)


def test_hooks_that_lie_stutter_or_come_too_late(tmp_path: Path) -> None:
    with Firm(folder=tmp_path) as firm:
        firm.apply(FLOWS)
        with firm.agent():
            firm.socket.chmod(0o666)
            forged = learn(firm, "add", "10.8.0.6", "ana@acme.example", user="nobody")
            assert forged.returncode == 1
            assert "denied" not in forged.stderr
            for address, words in (("10.2.0.20", "in no zone"), ("198.51.100.9", "in no zone")):
                refused = learn(firm, "add", address, "ana@acme.example")
                assert refused.returncode == 1
                assert words in refused.stderr
            assert learn(firm, "add", "10.8.0.6", "x", source="elsewhere").returncode == 1
            assert learn(firm, "add", "10.8.0.6", "x", common_name="").returncode == 1
            assert firm.bindings() == {}
            assert learn(firm, "add", "10.8.7.0/24", "ana@acme.example").returncode == 0  # nobody's
            assert learn(firm, "add", "02:00:00:00:00:01", "ana@acme.example").returncode == 0
            assert firm.bindings() == {}
            for _ in range(3):
                assert learn(firm, "add", "10.8.0.6", "ana@acme.example").returncode == 0
            assert firm.bindings() == {"10.8.0.6": "ana@acme.example"}
            early = {"source": "hq-vpn", "kind": "openvpn", "id": "10.8.0.6", "at": time.time() - 60}
            assert firm.ask("unbind", **early)["ended"] == 0
            late = {"user": "bo@acme.example", "addresses": ["10.8.0.6"], **early}
            assert firm.ask("bind", **late)["stale"] is True
            assert firm.bindings() == {"10.8.0.6": "ana@acme.example"}
            assert learn(firm, "update", "10.8.0.6", "bo", common_name="bo@acme.example").returncode == 0
            assert firm.bindings() == {"10.8.0.6": "bo@acme.example"}
            assert learn(firm, "delete", "10.8.0.6").returncode == 0
            assert learn(firm, "delete", "10.8.0.6").returncode == 0
            assert firm.bindings() == {}
            assert firm.ask("bind", **late)["stale"] is True


def test_the_password_of_the_management_interface_shows_nowhere(tmp_path: Path, authority: Authority) -> None:
    secret, wrong = tmp_path / "password", tmp_path / "wrong"
    secret.write_text("planted-77d1\n")
    wrong.write_text("planted-other\n")
    by = ["openvpn", "hq-vpn", "--management", str(tmp_path / "management"), "--management-password"]
    lines = f"management {tmp_path / 'management'} unix {secret}\n"
    with Firm(folder=tmp_path) as firm:
        firm.apply(FLOWS)
        with firm.agent() as agent, serve(firm.gateway.namespace, authority, lines) as server:
            with firm.source(*by, str(wrong)) as refused:
                refused.says("it does not take the password")
            with firm.source(*by, str(secret)) as source:
                server.says("CMD 'status 3'")
                listed = process_list() + environments(source.process.pid) + environments(agent.process.pid)
            assert b"--management-password" in listed
            assert b"planted" not in listed
            assert "planted" not in refused.said + source.said + agent.said + server.said
            kept = [path for path in firm.state_dir.rglob("*") if path.is_file()]
            assert kept
            assert not any(b"planted" in path.read_bytes() for path in [*kept, firm.folder / "audit"])
