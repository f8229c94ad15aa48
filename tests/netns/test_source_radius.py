"""RADIUS accounting vouches: from `radclient`, as a switch would send it, directly and through FreeRADIUS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns.accounting import freeradius, from_nowhere, recorded, replay, send
from tests.netns.firm import (
    FLOWS,
    MANAGED,
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
from tests.netns.programs import Program, awaited, environments, needs, process_list

pytestmark = [pytest.mark.kernel, needs("freeradius", "radclient")]

SECRET = "planted-4f1c9e"
SWITCH, SERVER = "10.1.0.2", "10.1.0.1"
ANA, ANA6, BO, EVE = "10.1.0.6", "2001:db8:1::6", "10.1.0.7", "10.1.0.8"


@dataclass
class Office:
    """The office, where a switch accounts for who is behind its ports."""

    firm: Firm
    switch: Namespace
    secret: Path

    def account(self, status: str, session: str = "s1", name: str = "ana", *at: str, **more: object) -> bool:
        """Whether an accounting packet is answered. What it tells of happens now, unless `more` says more."""
        addresses = {("Framed_IPv6_Address" if ":" in each else "Framed_IP_Address"): each for each in at}
        usual = {"Acct_Status_Type": status, "Acct_Session_Id": session, "User_Name": f"{name}@acme.example"}
        own = {"Event_Timestamp": int(time.time()), "Packet_Src_IP_Address": SWITCH}
        return send(self.switch, self.secret, SERVER, **{**usual, **own, **addresses, **more})


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    with Firm(folder=tmp_path) as firm:
        firm.apply(FLOWS)
        with firm.agent():
            yield Office(firm, firm.gateway.attach("off0", SWITCH, ANA, ANA6, BO, EVE), secret)


def listening(office: Office) -> Program:
    clients = office.firm.folder / "clients"
    clients.write_text("# switches\n" + documented("clients").replace("secret-of-the-switches", SECRET))
    arguments = [
        "radius",
        "wifi",
        "--listen",
        SERVER,
        "--clients",
        str(clients),
        "--device",
        "Calling-Station-Id",
    ]
    server = office.firm.source(*arguments)
    assert awaited(lambda: office.account("Stop", "nobody"), 30), server.said
    return server


def test_access_begins_and_ends_with_the_accounting(office: Office) -> None:
    with listening(office):
        assert office.account("Start", "s1", "ana", ANA, ANA6, Calling_Station_Id="02-00-00-00-00-06")
        assert office.account("Start", "s2", "bo", BO)
        assert office.firm.bindings() == {
            ANA: "ana@acme.example", ANA6: "ana@acme.example", BO: "bo@acme.example"
        }  # fmt: skip
        assert reaches(office.switch, ANA, PEOPLE)
        assert reaches(office.switch, ANA6, PEOPLE)
        assert not reaches(office.switch, BO, PEOPLE)
        assert not reaches(office.switch, ANA, MANAGED)
        feed = office.firm.folder / "feed.json"
        report(feed, "02-00-00-00-00-06", disk_encrypted=True, os_version="15")
        with office.firm.source("posture", "fleet", str(feed)):
            assert awaited(lambda: reaches(office.switch, ANA, MANAGED))
        with stream(office.switch, ANA, PEOPLE) as one, stream(office.switch, ANA6, PEOPLE) as other:
            assert office.account("Interim-Update", "s1", "ana", ANA, ANA6, Acct_Session_Time=1)
            assert flows(one)
            assert office.account("Stop", "s1", "ana", ANA)
            assert dies_within(one, 1.0)
            assert dies_within(other, 1.0)
        assert office.firm.bindings() == {BO: "bo@acme.example"}


def test_an_address_that_comes_later_or_changes_is_followed(office: Office) -> None:
    with listening(office):
        assert office.account("Start", "s1")
        assert office.firm.bindings() == {}
        assert office.account("Interim-Update", "s1", "ana", ANA, Acct_Session_Time=0)
        assert office.firm.bindings() == {ANA: "ana@acme.example"}
        later = int(time.time()) + 1
        with stream(office.switch, ANA, PEOPLE) as connection:
            assert office.account(
                "Interim-Update", "s1", "ana", ANA6, Acct_Session_Time=1, Event_Timestamp=later
            )
            assert dies_within(connection, 1.0)
        assert awaited(lambda: office.firm.bindings() == {ANA6: "ana@acme.example"})


def test_what_an_administrator_ends_is_not_begun_again_by_an_update(office: Office) -> None:
    with listening(office):
        began = int(time.time()) - 600
        assert office.account("Start", "s1", "ana", ANA, Event_Timestamp=began + 400)
        assert office.firm.ask("unbind", user="ana@acme.example")["ended"] == 1
        assert office.account("Interim-Update", "s1", "ana", ANA, Acct_Session_Time=600)
        assert office.account("Interim-Update", "s1", "ana", ANA)
        assert office.firm.bindings() == {}
        assert not reaches(office.switch, ANA, PEOPLE)
        assert office.account("Start", "s2", "ana", ANA)
        assert reaches(office.switch, ANA, PEOPLE)


def test_an_access_server_that_starts_again_has_no_sessions(office: Office) -> None:
    with listening(office):
        assert office.account("Start", "s1", "ana", ANA)
        assert office.account("Start", "s2", "bo", BO)
        elsewhere = {"source": "wifi", "kind": "radius", "id": "10.1.0.3/s1", "user": "eve@acme.example"}
        assert office.firm.ask("bind", addresses=[EVE], **elsewhere)["ok"]
        for status in ("Accounting-Off", "Accounting-On"):
            assert office.account(status, "")
            assert office.firm.bindings() == {EVE: "eve@acme.example"}
        assert office.account("Start", "s3", "bo", BO, Event_Timestamp=int(time.time()) - 5)
        assert office.firm.bindings() == {EVE: "eve@acme.example"}, "it began before that and comes late"
        assert office.account("Start", "s3", "bo", BO, Event_Timestamp=int(time.time()) + 1)
        assert office.firm.bindings() == {EVE: "eve@acme.example", BO: "bo@acme.example"}


def test_forged_recorded_and_late_requests_open_nothing(office: Office, tmp_path: Path) -> None:
    now = {"Event_Timestamp": int(time.time())}
    who = {"Acct_Status_Type": "Start", "Acct_Session_Id": "s1", "User_Name": "ana@acme.example"}
    packet = recorded(office.switch, office.secret, **who, **now, Framed_IP_Address=ANA)
    wrong = tmp_path / "wrong"
    wrong.write_text("another-secret")
    with listening(office) as server:
        assert not send(
            office.switch, wrong, SERVER, Packet_Src_IP_Address=SWITCH, **who, **now, Framed_IP_Address=ANA
        )
        server.says("its authenticator is wrong")
        assert not replay(office.switch, SWITCH, SERVER, packet.replace(b"ana@", b"eve@"))
        assert not replay(office.switch, SWITCH, SERVER, packet[:-1])
        assert not replay(office.switch, SWITCH, SERVER, b"\4\0\0\7")
        assert not office.account("Start", "s1", "ana", ANA, Event_Timestamp=int(time.time()) - 3600)
        server.says("it is recorded, or a clock is wrong")
        assert office.firm.bindings() == {}
        assert replay(office.switch, SWITCH, SERVER, packet)
        assert office.firm.bindings() == {ANA: "ana@acme.example"}
        assert replay(office.switch, SWITCH, SERVER, packet)
        assert office.account("Stop", "s1", "ana")
        assert replay(office.switch, SWITCH, SERVER, packet)
        assert office.firm.bindings() == {}
        assert not reaches(office.switch, ANA, PEOPLE)


def test_who_cannot_be_answered_stops_nobody(office: Office) -> None:
    """Nothing can be sent to port 0."""
    who = {"Acct_Status_Type": "Start", "Acct_Session_Id": "s1", "User_Name": "ana@acme.example"}
    now = {"Event_Timestamp": int(time.time())}
    packet = recorded(office.switch, office.secret, **who, **now, Framed_IP_Address=ANA)
    with listening(office) as server:
        from_nowhere(office.switch, SWITCH, SERVER, packet)
        server.says("cannot be answered")
        assert office.firm.bindings() == {ANA: "ana@acme.example"}
        assert office.account("Start", "s2", "bo", BO)


def test_strangers_are_not_answered(office: Office) -> None:
    clients = office.firm.folder / "clients"
    clients.write_text(f"192.0.2.0/24 {SECRET}\n")
    with office.firm.source("radius", "wifi", "--listen", SERVER, "--clients", str(clients)) as server:
        assert awaited(lambda: office.account("Start", "s1", "ana", ANA) or "no access server" in server.said)
        assert f"{SWITCH} is no access server that we know" in server.said
        assert office.firm.bindings() == {}


def test_the_switch_asks_again_until_the_agent_is_back(office: Office, tmp_path: Path) -> None:
    with listening(office) as server:
        socket = office.firm.socket
        away = socket.with_name("away")
        socket.rename(away)
        assert not office.account("Start", "s1", "ana", ANA)
        server.says("is `segc agent` running?")
        assert not reaches(office.switch, ANA, PEOPLE)
        away.rename(socket)
        assert office.account("Start", "s1", "ana", ANA)
        assert reaches(office.switch, ANA, PEOPLE)


def test_secrets_show_nowhere(office: Office) -> None:
    clients = office.firm.folder / "clients"
    clients.write_text(f"10.1.0.2 {SECRET}\n{SECRET} 10.1.0.3\n")
    broken = office.firm.source("radius", "wifi", "--listen", SERVER, "--clients", str(clients))
    broken.says("line 2 does not say `PREFIX SECRET`")
    broken.stop()
    assert SECRET not in broken.said
    env = {"SEGC_RADIUS_CLIENTS": f"10.1.0.2/32 {SECRET}"}
    with office.firm.source("radius", "wifi", "--listen", SERVER, **env) as server:
        assert awaited(lambda: office.account("Start", "s1", "ana", ANA), 30)
        replay(office.switch, SWITCH, SERVER, b"\4\0\0\24" + bytes(16))
        assert SECRET.encode() not in process_list()
        server.says("its authenticator is wrong")
    assert SECRET not in server.said
    clients.write_text(f"10.1.0.2 {SECRET}\n")
    with office.firm.source("radius", "wifi", "--listen", SERVER, "--clients", str(clients)) as server:
        assert awaited(lambda: office.account("Start", "s2", "bo", BO), 30)
        listed = process_list() + environments(server.process.pid)
        assert b"--clients" in listed
        assert SECRET.encode() not in listed
    assert SECRET not in server.said
    kept = [path for path in office.firm.state_dir.rglob("*") if path.is_file()]
    assert kept
    for path in [*kept, office.firm.folder / "audit"]:
        assert SECRET.encode() not in path.read_bytes()


# -- through FreeRADIUS ------------------------------------------------------------------------------


def test_freeradius_tells_by_exec(office: Office, tmp_path: Path) -> None:
    module = documented("freeradius", office.firm)
    assert module == office.firm.segc_source("hook", "freeradius", "wifi")
    with freeradius(office.firm.gateway.namespace, tmp_path / "raddb", module, "segc", SECRET):
        assert office.account("Start", "s1", "ana", ANA, ANA6, Calling_Station_Id="AA-BB-CC-DD-EE-FF")
        assert office.account("Start", "s2", "bo", BO)
        (session,) = office.firm.ask("sessions", address=ANA)["sessions"]
        assert (session["id"], session["mac"]) == ("10.1.0.2/s1", "aa:bb:cc:dd:ee:ff")
        assert all(reaches(office.switch, each, PEOPLE) for each in (ANA, ANA6))
        assert not reaches(office.switch, BO, PEOPLE)
        odd = 'x"$(touch /tmp/x)\\\\" é'
        assert office.account(
            "Start", "s3", "eve", EVE, User_Name=odd.replace("\\", "\\\\").replace('"', '\\"')
        )
        assert office.firm.bindings()[EVE] == odd
        with stream(office.switch, ANA, PEOPLE) as connection:
            assert office.account("Stop", "s1", "ana")
            assert dies_within(connection, 1.0)
        assert office.account("Start", "s1", "ana", ANA, Event_Timestamp=int(time.time()) - 60)
        assert ANA not in office.firm.bindings()
        office.firm.socket.rename(office.firm.socket.with_name("away"))
        assert not office.account("Start", "s4", "ana", ANA)


def test_freeradius_tells_which_access_server_it_was(office: Office, tmp_path: Path) -> None:
    """Its address has another name in IPv6; without one, all of these had the ids of one another."""
    gateway, module = office.firm.gateway.namespace, office.firm.segc_source("hook", "freeradius", "wifi")
    run(gateway, ["ip", "link", "set", "lo", "up"])
    with freeradius(gateway, tmp_path / "raddb", module, "segc", SECRET):
        own = {"Acct_Session_Id": "s1", "User_Name": "ana@acme.example", "Framed_IP_Address": ANA}
        when = {"Acct_Status_Type": "Start", "Event_Timestamp": int(time.time())}
        assert send(gateway, office.secret, "[::1]", **own, **when)
        assert office.account("Start", "s1", "bo", BO)
        found = {each["id"] for each in office.firm.ask("sessions")["sessions"]}
        assert found == {"::1/s1", "10.1.0.2/s1"}


def test_freeradius_tells_by_its_detail_file(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "raddb"
    module = f"detail {{\n  filename = {folder}/detail\n  locking = yes\n}}\n"
    with (
        freeradius(office.firm.gateway.namespace, folder, module, "detail", SECRET),
        office.firm.source("radius", "wifi", "--detail", str(folder / "detail")),
    ):
        assert office.account("Start", "s1", "ana", ANA)
        assert awaited(lambda: office.firm.bindings() == {ANA: "ana@acme.example"})
        assert reaches(office.switch, ANA, PEOPLE)
        away = office.firm.socket.with_name("away")
        office.firm.socket.rename(away)
        with stream(office.switch, ANA, PEOPLE) as connection:
            assert office.account("Stop", "s1", "ana")
            assert office.account("Start", "s2", "bo", BO)
            assert awaited((folder / "detail.segc").exists)
            away.rename(office.firm.socket)
            assert dies_within(connection, 5)
        assert awaited(lambda: office.firm.bindings() == {BO: "bo@acme.example"})
        assert awaited(lambda: not (folder / "detail.segc").exists())


def test_nothing_is_lost_of_a_detail_file_that_is_being_written(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "raddb"
    module = f"detail {{\n  filename = {folder}/detail\n  locking = yes\n}}\n"
    with (
        freeradius(office.firm.gateway.namespace, folder, module, "detail", SECRET),
        office.firm.source("radius", "wifi", "--detail", str(folder / "detail")),
    ):
        hosts = [f"10.1.0.{number}" for number in range(100, 200)]
        for number, host in enumerate(hosts):
            assert office.account("Start", f"s{number}", "bo", host)
            time.sleep(0.03)  # so that the file is taken away more than once in between
        assert awaited(lambda: office.firm.bindings().keys() == set(hosts))
