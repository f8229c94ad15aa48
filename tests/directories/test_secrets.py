"""Of every kind of directory: while a sync is at work, nothing that `ps` shows holds the secret."""

from __future__ import annotations

import importlib.util
import socket

import pytest

from segc.identity.directories import KINDS
from tests.directories.site import TOKEN, Site
from tests.netns.programs import environments, process_list

SETTINGS = {
    "ldap": 'url = "ldap://127.0.0.1:{port}"\nbase = "dc=x"\nbind = "cn=reader,dc=x"\n',
    "scim": 'url = "http://127.0.0.1:{port}"\n',
    "entra": 'tenant = "x"\nclient = "app"\nurl = "http://127.0.0.1:{port}/v1.0"\nlogin = "http://127.0.0.1:{port}"\n',
    "okta": 'url = "http://127.0.0.1:{port}"\n',
}


@pytest.mark.parametrize("where", ["file", "credentials"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_no_process_shows_the_secret(site: Site, kind: str, where: str) -> None:
    """It asks a server that never answers; the fixture looks through what is said and written."""
    if kind == "ldap" and importlib.util.find_spec("ldap") is None:
        pytest.skip("python-ldap is not installed")
    site.keep(TOKEN)
    if where == "credentials":  # as systemd passes them on
        (site.folder / "credentials").mkdir()
        (site.folder / "corp.secret").rename(site.folder / "credentials" / "corp")
        site.secrets = {"CREDENTIALS_DIRECTORY": str(site.folder / "credentials")}
    site.policy(["sg-finance"], more="directory corp { sync 5m timeout 2s }\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        site.settings(f'[corp]\nkind = "{kind}"\n' + SETTINGS[kind].format(port=silent.getsockname()[1]))
        with site.spawn("identity", "sync") as process:
            with silent.accept()[0] as client:
                client.settimeout(20)
                asked = client.recv(1 << 16)
                listed, inherited = process_list(), environments(process.pid)
            site.said += process.communicate(timeout=60)
    assert asked
    assert b"identity\0sync" in listed
    assert b"PYTHONPATH=" in inherited
    assert TOKEN.encode() not in listed + inherited
    if where == "credentials":
        (site.folder / "credentials" / "corp").rename(site.folder / "corp.secret")
    assert not (site.folder / "identities.lock.json").exists()


def test_every_kind_that_has_a_secret_is_here() -> None:
    assert set(SETTINGS) == set(KINDS) - {"export"}
