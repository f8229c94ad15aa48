"""802.1X as a switch and a supplicant see it: a real FreeRADIUS with the files that segc wrote for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segc.backends import freeradius
from tests.netns import radius
from tests.netns.radius import Server
from tests.unit.backends.helpers import files, policy

TEXT = """
zone hr { vlan 10 subnet 10.10.10.0/24 dot1x group hr-staff }
zone finance { vlan 20 subnet 10.10.20.0/24 dot1x group finance }
zone odd { vlan 30 subnet 10.10.30.0/24 dot1x group odd }
zone printers {
  vlan 60 subnet 10.10.60.0/24 dot1x mac
  host lobby = 10.10.60.11 { mac 02:00:00:00:60:0b }
}
group hr-staff { user "Ana@ACME.example", "bo@acme.example" }
group finance { user "cem@acme.example" }
group odd { user "o'brien@acme.example", "host/pc7.acme.example", "björn@acme.example", "a$b~c=d+e-f_g" }
session finance { max 2h }
"""
ODD = ["o'brien@acme.example", "host/pc7.acme.example", "björn@acme.example", "a$b~c=d+e-f_g"]
ANA, BO, CEM, MALLORY = (f"{name}@acme.example" for name in ("ana", "bo", "cem", "mallory"))
TYPED = "aNA@Acme.example"
LOBBY, STRANGER = "02000000600b", "02000000600c"
SUBJECTS = {
    "ana": f"/CN={ANA}",
    "bo": f"/CN={BO}",
    "mallory": f"/CN={MALLORY}",
    "mail": f"/O=acme email:{ANA}",
    "upn": f"/CN=Ana otherName:1.3.6.1.4.1.311.20.2.3;UTF8:{ANA}",
    "nameless": "/O=acme",
}


def written() -> dict[str, str]:
    found = files(freeradius.emit, policy(TEXT))
    return {name.removeprefix("radius/"): text for name, text in found.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if program := radius.missing():
        pytest.fail(f"`{program}` is missing: apt-get install freeradius freeradius-utils eapoltest")
    found = tmp_path_factory.mktemp("radius")
    radius.certificates(found / "certs", SUBJECTS)
    people = dict.fromkeys((ANA, TYPED, BO, CEM, MALLORY, *ODD, LOBBY), "right")
    radius.site(found, written(), people)
    return found


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with radius.serving(folder, folder / "raddb") as found:
        yield found


def test_the_server_finds_nothing_wrong_with_the_files(folder: Path) -> None:
    done = radius.lint(folder / "raddb")
    assert done.returncode == 0, done.stdout
    assert "Configuration appears to be OK" in done.stdout


@pytest.mark.parametrize("broken", ['"x" Tunnel-Tripe := 1\n', '"x\n', "x\n\tTunnel-Type := VLAN,\n"])
def test_the_server_would_find_what_is_wrong(broken: str, folder: Path) -> None:
    path = folder / "raddb/mods-config/files/authorize"
    text = path.read_text()
    path.write_text(broken + text)
    try:
        assert radius.lint(folder / "raddb").returncode != 0
    finally:
        path.write_text(text)


@pytest.mark.parametrize(("name", "vlan"), [(ANA, "10"), (BO, "10"), (CEM, "20")])
def test_people_are_put_into_the_vlan_of_their_zone(server: Server, name: str, vlan: str) -> None:
    assert server.peap(name, "right").vlan == vlan
    assert server.ttls(name, "right").vlan == vlan
    assert not server.peap(name, "wrong").accepted


def test_names_have_no_case(server: Server) -> None:
    assert server.peap(TYPED, "right").vlan == "10"


def test_the_switch_asks_again_when_a_session_may_last_no_longer(server: Server) -> None:
    assert server.peap(CEM, "right").attributes["Session-Timeout"] == "7200"
    assert "Session-Timeout" not in server.peap(ANA, "right").attributes


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_names(server: Server, name: str) -> None:
    answer = server.ttls(name, "right")
    assert (answer.vlan, answer.user) == ("30", name)


@pytest.mark.parametrize("outer", ["anonymous", ANA, "DEFAULT", LOBBY])
def test_who_is_authenticated_and_in_no_zone_is_rejected(server: Server, outer: str) -> None:
    assert not server.peap(MALLORY, "right", outer).accepted
    assert not server.ttls(MALLORY, "right", outer).accepted


def test_the_name_outside_of_the_tunnel_means_nothing(server: Server) -> None:
    assert server.peap(CEM, "right", outer=ANA).vlan == "20"
    assert server.ttls(ANA, "right", outer=CEM).vlan == "10"


@pytest.mark.parametrize("outer", ["anonymous", ANA, TYPED])
def test_the_switch_accounts_for_who_it_was(server: Server, outer: str) -> None:
    """RFC 2865, 5.1: what the answer calls somebody is what accounting calls them, and so their session."""
    assert server.peap(CEM, "right", outer).user == CEM
    assert server.ttls(CEM, "right", outer).user == CEM
    assert server.ttls(TYPED, "right", outer).user == ANA
    assert server.tls(ANA, "upn").user == ANA


@pytest.mark.parametrize(
    ("name", "certificate", "vlan"),
    [
        (ANA, "ana", "10"),
        (ANA, "mail", "10"),
        (ANA, "upn", "10"),
        (ANA, "bo", None),
        (ANA, "mallory", None),
        (ANA, "nameless", None),
        (MALLORY, "mallory", None),
        ("Ana", "upn", None),
        (LOBBY, "ana", None),
    ],
)
def test_a_certificate_is_good_for_the_names_in_it(
    server: Server, name: str, certificate: str, vlan: str | None
) -> None:
    answer = server.tls(name, certificate)
    assert (answer.accepted, answer.vlan) == (vlan is not None, vlan)


def test_devices_are_let_in_by_their_mac_on_a_wire_and_nowhere_else(server: Server) -> None:
    device = server.radclient(User_Name=LOBBY, User_Password=LOBBY, NAS_Port_Type="Ethernet")
    assert (device.accepted, device.vlan) == (True, "60")
    assert device.attributes["Tunnel-Type"] == "VLAN"
    assert device.attributes["Tunnel-Medium-Type"] == "IEEE-802"
    assert not server.radclient(User_Name=STRANGER, User_Password=STRANGER, NAS_Port_Type="Ethernet").accepted
    assert not server.radclient(User_Name=LOBBY, User_Password="other", NAS_Port_Type="Ethernet").accepted
    assert not server.radclient(User_Name=LOBBY, User_Password=LOBBY, NAS_Port_Type="Virtual").accepted
    assert not server.radclient(User_Name=LOBBY, User_Password=LOBBY).accepted


def test_a_mac_is_no_name_of_a_person(server: Server) -> None:
    """The site knows a password for it, as for anybody else."""
    assert not server.peap(LOBBY, "right").accepted
    assert not server.ttls(LOBBY, LOBBY).accepted


def test_a_name_without_a_password_proves_nothing(server: Server) -> None:
    assert not server.radclient(User_Name=ANA, User_Password="right", NAS_Port_Type="Ethernet").accepted
    assert not server.radclient(User_Name="DEFAULT", User_Password="", NAS_Port_Type="Ethernet").accepted


def changed(folder: Path, tmp_path: Path, path: str, old: str, new: str) -> Path:
    """The site with one change, as an administrator may forget one."""
    raddb = tmp_path / "raddb"
    radius.shutil.copytree(folder / "raddb", raddb, symlinks=True)
    for each in (raddb / "radiusd.conf", raddb / path):
        each.write_text(each.read_text().replace(f"raddbdir = {folder}/raddb", f"raddbdir = {raddb}"))
    text = (raddb / path).read_text()
    assert old in text
    (raddb / path).write_text(text.replace(old, new))
    return raddb


def test_without_the_reply_of_the_tunnel_nobody_is_let_in(folder: Path, tmp_path: Path) -> None:
    raddb = changed(folder, tmp_path, "mods-available/eap", "use_tunneled_reply = yes", "")
    with radius.serving(folder, raddb) as server:
        assert not server.peap(CEM, "right", outer=ANA).accepted
        assert server.tls(ANA, "ana").vlan == "10"


def test_each_part_is_what_rejects(folder: Path, tmp_path: Path) -> None:
    """Left out, one by one, somebody is let in: so the tests above would notice."""
    raddb = changed(folder, tmp_path, "sites-available/default", "\tsegc\n", "")
    authorize = raddb / "mods-config/files/authorize"
    authorize.write_text(authorize.read_text().replace("DEFAULT FreeRADIUS", "# "))
    with radius.serving(folder, raddb) as server:
        assert server.tls(ANA, "bo").vlan == "10"
        assert server.tls(MALLORY, "mallory").accepted
        assert server.peap(MALLORY, "right").accepted
