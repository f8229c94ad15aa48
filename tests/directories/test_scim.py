"""SCIM 2.0 against scim2-server, a server that is not ours, and against answers that no good server gives."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.directories.site import TOKEN, Site
from tests.directories.slapd import free_port
from tests.directories.web import Reply, serving

pytest.importorskip("scim2_server", reason="scim2-server is not installed")
START = "from scim2_server.testserver.cli import main; main()"
SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:"


@dataclass
class Scim:
    url: str
    ids: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, content: Any) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        request = Request(f"{self.url}/{path}", json.dumps(content).encode(), headers, method=method)
        with urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def user(self, name: str, **more: Any) -> None:
        found = self.send("POST", "Users", {"schemas": [f"{SCHEMA}User"], "userName": name, **more})
        self.ids[name] = found["id"]

    def group(self, name: str, *members: str) -> None:
        listed = [
            {"value": self.ids[each], "type": "Group" if each.startswith("sg-") else "User"}
            for each in members
        ]
        content = {"schemas": [f"{SCHEMA}Group"], "displayName": name, "members": listed}
        self.ids[name] = self.send("POST", "Groups", content)["id"]


@pytest.fixture(scope="module")
def scim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scim]:
    port = free_port()
    command = [sys.executable, "-c", START, "--port", str(port), "--bearer-token", TOKEN]
    log = tmp_path_factory.mktemp("scim") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        found = Scim(f"http://127.0.0.1:{port}/v2")
        _await(found, process, log)
        for n in range(230):
            found.user(f"p{n:03}@acme.example")
        found.user(
            "Ana@acme.example",
            emails=[{"value": "a@x.example"}, {"value": "ana@mail.example", "primary": True}],
        )
        found.user("gone@acme.example", active=False)
        found.group("sg-closing", "Ana@acme.example", "gone@acme.example")
        found.group("sg-finance", "sg-closing", "p007@acme.example")
        found.group("sg-all", *(f"p{n:03}@acme.example" for n in range(230)))
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(found: Scim, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            urlopen(
                Request(f"{found.url}/Users", headers={"Authorization": f"Bearer {TOKEN}"}), timeout=5
            ).close()
            return
        except URLError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def settings(url: str, more: str = "") -> str:
    return f'[corp]\nkind = "scim"\nurl = "{url}"\n{more}'


def test_pages_and_nested_groups(site: Site, scim: Scim) -> None:
    site.keep(TOKEN)
    site.policy(["sg-finance", "sg-all"], users=["p001@acme.example"])
    site.settings(settings(scim.url))
    corp = site.synced()["corp"]
    assert corp["groups"]["sg-finance"]["members"] == ["ana@acme.example", "p007@acme.example"]
    assert len(corp["groups"]["sg-all"]["members"]) == 230
    assert corp["groups"]["sg-all"]["id"] == scim.ids["sg-all"]


def test_users_by_their_primary_address_and_filters(site: Site, scim: Scim) -> None:
    site.keep(TOKEN)
    site.policy(["sg-closing"])
    chosen = (
        'user = "email"\nusers = "userName sw \\"ana\\""\ngroup-filter = "displayName eq \\"sg-closing\\""\n'
    )
    site.settings(settings(scim.url, chosen))
    corp = site.synced()["corp"]
    assert corp["groups"]["sg-closing"]["members"] == corp["users"] == ["ana@mail.example"]


def test_a_wrong_token(site: Site, scim: Scim) -> None:
    site.keep("another")
    site.policy(["sg-finance"])
    site.settings(settings(scim.url))
    site.refused("`corp`: it does not accept the secret (HTTP 401")


FAR = "Fri, 31 Dec 9999 23:59:59 +99999999999999999999"  # a zone that no clock can be in


def page(total: int, *resources: dict[str, Any]) -> Reply:
    return Reply({"totalResults": total, "Resources": list(resources)})


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (page(5), "it lists 0 of 5 users and no more"),
        (page(2, {"id": "1", "userName": "a"}, {"id": "1", "userName": "a"}), "changed while they were read"),
        (Reply({"detail": "x"}), "its answer is not one of scim"),
        (Reply([1]), "its answer is not one of scim"),
        (Reply(b"<html>"), "its answer is no JSON"),
        (Reply(b'{"totalResults": 1e999}'), "its answer holds a number that is too large"),
        (Reply(b'{"totalResults": 1', headers={"Content-Length": "9000"}), "it broke off"),
        (Reply({}, 302, {"Location": "http://127.0.0.1:1/v2"}), "it sends us elsewhere (HTTP 302)"),
        (Reply({"error": TOKEN}, 403), "it does not let this account read it (HTTP 403)"),
        (Reply({}, 429, {"Retry-After": "900"}), "it asks us to wait for 900 s, and has 30 s in all"),
        (Reply({}, 429, {"Retry-After": FAR, "X-Rate-Limit-Reset": f"{1 << 40}"}), "it asks us to wait"),
    ],
)
def test_answers_that_are_none(site: Site, reply: Reply, words: str) -> None:
    site.keep(TOKEN)
    site.policy(["sg-finance"])
    with serving(lambda request: reply) as web:
        site.settings(settings(web.url))
        site.refused(words)
    assert web.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("says", "members"),
    [
        ({"type": "User"}, ["ana"]),
        ({"type": "Group"}, ["bo"]),
        ({"$ref": "https://idp.example/v2/Users/1"}, ["ana"]),
        ({"$ref": "../Groups/1"}, ["bo"]),
        ({}, None),
    ],
)
def test_a_service_that_numbers_users_and_groups_apart(
    site: Site, says: dict[str, str], members: list[str] | None
) -> None:
    users = [{"id": 1, "userName": "ana"}, {"id": 2, "userName": "bo"}]
    groups = [
        {"id": 1, "displayName": "sg-all", "members": [{"value": "2", "type": "User"}]},
        {"id": 2, "displayName": "sg-finance", "members": [{"value": "1", **says}]},
    ]
    site.keep(TOKEN)
    site.policy(["sg-finance"])
    with serving(lambda request: page(2, *(users if "Users" in request.path else groups))) as web:
        site.settings(settings(web.url))
        if members is None:
            site.refused("`1` is a user and a group, and it does not say which is the member")
        else:
            assert site.synced()["corp"]["groups"]["sg-finance"]["members"] == members


def test_a_server_that_trickles_is_given_up_on(site: Site) -> None:
    """A byte now and then renews every timeout of a socket, and not the deadline."""

    def trickle(request: object) -> Reply:
        time.sleep(1.5)
        return page(10_000, {"id": str(time.monotonic()), "userName": "a"})

    site.keep(TOKEN)
    site.policy(["sg-finance"], more="directory corp { sync 5m timeout 4s }\n")
    with serving(trickle) as web:
        site.settings(settings(web.url))
        site.refused("it did not answer within 4 s")


def test_the_token_stays_on_this_host_whatever_proxy_there_is(site: Site, scim: Scim) -> None:
    site.keep(TOKEN)
    site.policy(["sg-finance"])
    site.settings(settings(scim.url))
    with serving(lambda request: Reply({}, 502)) as proxy:
        site.secrets |= {"http_proxy": proxy.url, "no_proxy": ""}
        assert site.synced()["corp"]["users"]
    assert proxy.asked == []


def test_the_token_goes_to_nobody_in_the_clear(site: Site) -> None:
    site.keep(TOKEN)
    site.policy(["sg-finance"])
    site.settings(settings("http://idp.acme.example/scim"))
    site.refused("would show the secret on the way: write `https`")
    for password, words in (("other", "names a user, which must not stand there"), ("o/ther", "is none")):
        site.settings(settings(f"https://user:{password}@idp.acme.example/scim"))
        site.refused(words)
        assert password not in site.sync().stderr
    site.settings(settings("https://idp.acme.example/scim?token=other"))
    site.refused("has a query")
    assert "other" not in site.sync().stderr
