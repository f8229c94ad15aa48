"""LDAP against a real slapd: pages, nested groups, StartTLS and LDAPS, and everything that may go wrong."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.directories import slapd
from tests.directories.site import SECRET, Site
from tests.directories.slapd import BASE, Slapd, certify, free_port, person
from tests.netns.programs import needs

pytest.importorskip("ldap", reason="python-ldap is not installed")
pytestmark = needs("slapd", "ldapadd")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd.running(tmp_path_factory.mktemp("slapd") / "run", SECRET, crowd=1200) as found:
        yield found


def settings(server: Slapd, url: str | None = None, more: str = "") -> str:
    return (
        f'[corp]\nkind = "ldap"\nurl = "{url or server.url}"\nbase = "{BASE}"\n'
        f'bind = "cn=reader,{BASE}"\nca = "{server.folder}/ca.pem"\n{more}'
    )


@pytest.mark.parametrize("tls", ["StartTLS", "LDAPS"])
def test_nested_groups_in_a_circle_have_the_same_members(site: Site, server: Slapd, tls: str) -> None:
    site.policy(["sg-finance", "sg-night", "unix"])
    site.settings(settings(server, server.secure_url if tls == "LDAPS" else None))
    groups = site.synced()["corp"]["groups"]
    everybody = ["ana@acme.example", "bo@acme.example", "dora@acme.example"]
    assert groups["sg-finance"]["members"] == groups["sg-night"]["members"] == everybody
    assert groups["unix"]["members"] == ["cem@acme.example"]
    assert groups["sg-finance"]["id"] == f"cn=sg-finance,ou=groups,{BASE}"


def test_more_entries_than_the_server_gives_at_once_come_in_pages(site: Site, server: Slapd) -> None:
    """It gives a hundred (`sizelimit`), and pages of five hundred."""
    site.policy(["everybody"], users=["Cem@acme.example", "nobody@acme.example"])
    site.settings(settings(server))
    corp = site.synced()["corp"]
    assert len(corp["groups"]["everybody"]["members"]) == 1200
    assert "cem@acme.example" in corp["users"]  # people have no case
    assert "nobody@acme.example" not in corp["users"]


def test_the_same_again_changes_no_byte(site: Site, server: Slapd) -> None:
    site.policy(["sg-finance", "everybody"])
    site.settings(settings(server))
    site.synced()
    first = (site.folder / "identities.lock.json").read_bytes()
    done = site.sync()
    assert "is as it was" in done.stdout
    assert (site.folder / "identities.lock.json").read_bytes() == first


def test_a_user_is_called_by_the_attribute_that_the_settings_name(site: Site, server: Slapd) -> None:
    site.policy(["sg-finance"])
    site.settings(
        settings(server, more='user = "uid"\nusers = "(&(objectClass=inetOrgPerson)(!(uid=dora)))"\n')
    )
    assert site.synced()["corp"]["groups"]["sg-finance"]["members"] == ["ana", "bo"]


def test_who_leaves_is_told_and_a_wrecked_group_is_not_believed(site: Site, tmp_path: Path) -> None:
    with slapd.running(tmp_path / "slapd", SECRET) as server:
        site.policy(["everybody", "sg-finance"])
        site.settings(settings(server))
        site.synced()
        before = (site.folder / "identities.lock.json").read_bytes()
        crowd = "".join(f"member: uid=p{n:04},ou=people,{BASE}\n" for n in range(12))
        server.modify(f"dn: cn=everybody,ou=groups,{BASE}\nchangetype: modify\ndelete: member\n{crowd}")
        done = site.sync()
        assert done.returncode == 4
        assert "the group `everybody` of `corp` lost 12 of 20" in done.stderr
        assert (site.folder / "identities.lock.json").read_bytes() == before
        assert site.sync("--force").returncode == 0
        assert len(site.snapshot()["corp"]["groups"]["everybody"]["members"]) == 8
        server.modify(f"dn: cn=sg-night,ou=groups,{BASE}\nchangetype: modify\ndelete: member\n"
                      f"member: uid=bo,ou=people,{BASE}\n")  # fmt: skip
        done = site.sync()
        assert done.returncode == 0
        assert "corp sg-finance  -bo@acme.example\n" in done.stdout


def test_a_stranger_s_certificate_is_refused(site: Site, server: Slapd, tmp_path: Path) -> None:
    certify(tmp_path)
    site.policy(["sg-finance"])
    for url in (server.url, server.secure_url):
        stranger = settings(server, url).replace(f"{server.folder}/ca.pem", f"{tmp_path}/ca.pem")
        site.settings(stranger)
        site.refused("`corp`")
    site.settings(settings(server, server.secure_url.replace("127.0.0.1", "localhost")))  # not its name
    site.refused("`corp`")


def test_no_password_goes_out_in_the_clear(site: Site, server: Slapd) -> None:
    site.policy(["sg-finance"])
    site.settings(settings(server, "ldap://dc1.acme.example", 'tls = "none"\n'))
    site.refused("only for this host")
    site.settings(settings(server, more='tls = "none"\n'))
    assert site.sync().returncode == 0


def test_a_wrong_password_and_a_wrong_base(site: Site, server: Slapd) -> None:
    site.policy(["sg-finance"])
    site.settings(settings(server))
    site.keep("something else")
    site.refused("invalid credentials")
    site.keep(SECRET)
    site.settings(settings(server).replace(BASE + '"\nbind', 'dc=other"\nbind'))
    site.refused("`corp`: LDAP says")


def test_a_server_that_is_down_or_never_answers(site: Site, server: Slapd) -> None:
    site.policy(["sg-finance"], more="directory corp { sync 5m timeout 2s }\n")
    site.settings(settings(server, f"ldap://127.0.0.1:{free_port()}"))
    site.refused("can't contact LDAP server")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        site.settings(settings(server, f"ldap://127.0.0.1:{silent.getsockname()[1]}"))
        site.refused("it did not answer within 2 s")


def test_a_connection_that_breaks_in_the_middle(site: Site, server: Slapd) -> None:
    """A relay that stops after some bytes: what was read by then is not taken for the whole."""
    site.policy(["everybody"])
    for limit in (3000, 30000, 90000):
        with relay(server.secure_port, limit) as port:
            site.settings(settings(server, f"ldaps://127.0.0.1:{port}"))
            site.refused("`corp`")


def relay(port: int, limit: int):
    from contextlib import contextmanager

    @contextmanager
    def running() -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            threading.Thread(target=_relay, args=(listening, port, limit), daemon=True).start()
            yield listening.getsockname()[1]

    return running()


def _relay(listening: socket.socket, port: int, limit: int) -> None:
    client, _ = listening.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as upstream:
        threading.Thread(target=_copy, args=(client, upstream, 1 << 30), daemon=True).start()
        _copy(upstream, client, limit)
        for each in (client, upstream):
            each.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, sink: socket.socket, limit: int) -> None:
    try:
        while limit > 0 and (data := source.recv(min(4096, limit))):
            sink.sendall(data)
            limit -= len(data)
    except OSError:
        return


def test_two_groups_of_one_name_are_told_apart_by_their_ids(site: Site, tmp_path: Path) -> None:
    with slapd.running(tmp_path / "slapd", SECRET) as server:
        server.add(f"dn: ou=shadow,{BASE}\nobjectClass: organizationalUnit\nou: shadow\n")
        server.add(slapd.group("sg-finance", ["uid=cem,ou=people"]).replace("ou=groups", "ou=shadow"))
        site.policy(["sg-finance"])
        site.settings(settings(server))
        site.refused("two groups are called `sg-finance`", f"`cn=sg-finance,ou=shadow,{BASE}`")
        site.policy([f"cn=sg-finance,ou=groups,{BASE}"])
        groups = site.synced()["corp"]["groups"]
        assert groups[f"cn=sg-finance,ou=groups,{BASE}"]["members"][0] == "ana@acme.example"
        assert site.run("check").returncode == 0


def test_hostile_names_stay_out(site: Site, tmp_path: Path) -> None:
    """A name that is written backwards is nobody's; one with signs of filters and DNs is a name."""
    with slapd.running(tmp_path / "slapd", SECRET) as server:
        for uid, name in (("eve", "eve\u202eelpmaxe.emca@nimda"), ("fay", "fay*)(uid=*")):
            shown = base64.b64encode(name.encode()).decode()
            server.add(person(uid).replace("mail: ", f"displayName:: {shown}\nmail: "))
        server.add(slapd.group("odd", ["uid=eve,ou=people", "uid=fay,ou=people"]).replace("odd", "sg (x)*"))
        site.policy(["sg (x)*"], users=["fay*)(uid=*"])
        site.settings(settings(server, more='user = "displayName"\ngroups = ["[!e]*"]\n'))
        corp = site.synced()["corp"]
        assert corp["users"] == corp["groups"]["sg (x)*"]["members"] == ["fay*)(uid=*"]
        assert sorted(corp["groups"]) == ["sg (x)*", "sg-closing", "sg-finance", "sg-night", "unix"]


def cmdline(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_the_secret_is_not_in_the_process_list(site: Site, server: Slapd) -> None:
    """While a sync waits for a server that does not answer, nothing that `ps` shows holds the secret."""
    site.policy(["sg-finance"], more="directory corp { sync 5m timeout 3s }\n")
    site.secrets = {"SEGC_CORP_SECRET_FILE": str(site.folder / "corp.secret")}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site.settings(settings(server, f"ldap://127.0.0.1:{silent.getsockname()[1]}"))
        shown: list[bytes] = []

        def look() -> None:
            client, _ = silent.accept()
            shown.extend(map(cmdline, Path("/proc").glob("[0-9]*/cmdline")))
            client.close()

        watching = threading.Thread(target=look, daemon=True)
        watching.start()
        with site.spawn("identity", "sync") as process:
            site.said += process.communicate(timeout=60)
        watching.join(20)
    assert any(b"identity\0sync" in line for line in shown)
    assert not any(SECRET.encode() in line for line in shown)
