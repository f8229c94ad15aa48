"""Active Directory, as Samba's domain controller is one: groups in groups by the server's own rule."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from segc.identity.deadline import Deadline
from segc.identity.directories import KINDS, Asked
from segc.identity.directories.ldap import _Server
from segc.identity.listing import Wanted
from segc.identity.secret import Secret
from segc.identity.settings import read_settings
from tests.directories.site import Site
from tests.directories.slapd import certify
from tests.netns.namespace import Namespace, run
from tests.netns.programs import Program, awaited, needs

ldap = pytest.importorskip("ldap", reason="python-ldap is not installed")
pytestmark = [pytest.mark.kernel, needs("samba", "samba-tool")]
PASSWORD = "Rightly-guarded-9"
BASE = "dc=acme,dc=example"


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Namespace, Path]]:
    folder = tmp_path_factory.mktemp("samba")
    certify(folder)
    provision(folder / "dc")
    namespace = Namespace.create()
    run(namespace, ["ip", "link", "set", "lo", "up"])
    options = {
        "server services": "ldap",
        "tls certfile": str(folder / "server.pem"),
        "tls keyfile": str(folder / "server.key"),
        "tls cafile": str(folder / "ca.pem"),
    }
    argv = ["samba", "-i", "-M", "single", "-s", str(folder / "dc/etc/smb.conf"), "--debug-stdout"]
    argv += [f"--option={name}={value}" for name, value in options.items()]
    with Program(namespace, argv):
        assert awaited(lambda: namespace.call(listens))
        yield namespace, folder
    namespace.close()


def provision(folder: Path) -> None:
    tool("domain", "provision", f"--targetdir={folder}", "--realm=ACME.EXAMPLE", "--domain=ACME",
         "--server-role=dc", f"--adminpass={PASSWORD}", "--dns-backend=NONE", "--host-name=dc1",
         "--host-ip=127.0.0.1")  # fmt: skip
    here = ("-s", str(folder / "etc/smb.conf"))
    for name in ("ana", "bo", "cem"):
        tool("user", "create", name, PASSWORD, *here)
    tool("user", "disable", "cem", *here)
    for name, members in (
        ("sg-night", "bo,cem"),
        ("sg-closing", "ana,sg-night"),
        ("sg-finance", "sg-closing"),
    ):
        tool("group", "add", name, *here)
        tool("group", "addmembers", name, members, *here)


def tool(*arguments: str) -> None:
    done = subprocess.run(["samba-tool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def listens() -> bool:
    try:
        socket.create_connection(("127.0.0.1", 636), timeout=1).close()
    except OSError:
        return False
    return True


def settings(folder: Path, more: str = "") -> str:
    return (
        f'[corp]\nkind = "ldap"\nurl = "ldaps://127.0.0.1"\nbase = "{BASE}"\n'
        f'bind = "administrator@acme.example"\nca = "{folder}/ca.pem"\n{more}'
    )


@pytest.mark.parametrize("nested", ["", 'nested = "chain"\n', 'nested = "expand"\n'])
def test_nested_groups_without_who_is_disabled(
    site: Site, controller: tuple[Namespace, Path], nested: str
) -> None:
    namespace, folder = controller
    site.keep(PASSWORD)
    site.policy(["sg-finance", "sg-night"], users=["ana@acme.example", "cem@acme.example"])
    site.settings(settings(folder, nested))
    corp = namespace.call(site.synced)["corp"]
    groups = {name: group["members"] for name, group in corp["groups"].items()}
    assert groups == {
        "sg-finance": ["ana@acme.example", "bo@acme.example"],
        "sg-night": ["bo@acme.example"],
    }
    assert corp["users"] == ["ana@acme.example", "bo@acme.example"]


def test_long_lists_are_followed_range_by_range(site: Site, controller: tuple[Namespace, Path]) -> None:
    """A controller of Microsoft's begins with 1500 members; this one is asked to begin with one."""
    namespace, folder = controller
    site.settings(settings(folder))
    (found,) = read_settings(site.folder / "identity.toml", KINDS)
    deadline = Deadline(30)
    dn = f"cn=sg-night,cn=users,{BASE}"

    def members() -> list[str]:
        server = _Server(ldap, found, deadline)
        server.open(Asked(found, Wanted(), lambda: Secret(PASSWORD), deadline))
        first = server.connection.search_ext_s(dn, ldap.SCOPE_BASE, attrlist=["member;range=0-0"])[0][1]
        assert "member;range=0-0" in first
        return sorted(server.members(dn, first, {}))

    assert namespace.call(members) == [f"cn={name},cn=users,{BASE}" for name in ("bo", "cem")]
