"""Entra ID: a server that speaks Graph's recorded shapes, with pages, throttling, delta and a lost state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.directories.site import TOKEN, Site
from tests.directories.web import Reply, Request, Web, serving

ACCESS = "eyJ0eXAi.access-token-of-the-test"
TENANT = "3f1c1d8e-0000-4c4b-9a6e-aaaaaaaaaaaa"
USER = "#microsoft.graph.user"
GROUP = "#microsoft.graph.group"


def user(number: int, name: str, enabled: bool = True) -> dict[str, Any]:
    return {"id": f"u{number}", "userPrincipalName": name, "mail": name.upper(), "accountEnabled": enabled}


def member(id: str, gone: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"@odata.type": GROUP if id[0] == "g" else USER, "id": id}
    return found | ({"@removed": {"reason": "deleted"}} if gone else {})


def group(id: str, name: str, *members: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "displayName": name, "members@delta": list(members)}


@dataclass
class Graph:
    """`rounds` are what each delta query in turn gives, as pages by kind; `odd` answers first, if it does."""

    rounds: list[dict[str, list[list[dict[str, Any]]]]]
    odd: Callable[[Request], Reply | None] = lambda request: None
    url: str = ""
    kinds: tuple[str, ...] = field(default=("users", "groups"))

    def __call__(self, request: Request) -> Reply:
        if (found := self.odd(request)) is not None:
            return found
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            good = (
                request.form["client_secret"] == TOKEN and request.form["grant_type"] == "client_credentials"
            )
            assert request.form["client_id"] == "app"
            assert request.form["scope"].endswith("/.default")
            if not good:
                return Reply({"error": "invalid_client", "error_description": f"no {request.form}"}, 401)
            return Reply({"token_type": "Bearer", "expires_in": 3599, "access_token": ACCESS})
        if request.headers["authorization"] != f"Bearer {ACCESS}":
            return Reply({"error": {"code": "InvalidAuthenticationToken", "message": "x"}}, 401)
        kind = request.path.split("/")[2]
        where = request.query.get("$skiptoken") or request.query.get("$deltatoken") or "0.0"
        number, at = map(int, where.split("."))
        pages = self.rounds[number][kind]
        content: dict[str, Any] = {"@odata.context": "x", "value": pages[at]}
        base = f"{self.url}/v1.0/{kind}/delta"
        if at + 1 < len(pages):
            content["@odata.nextLink"] = f"{base}?$skiptoken={number}.{at + 1}"
        else:
            content["@odata.deltaLink"] = f"{base}?$deltatoken={min(number + 1, len(self.rounds) - 1)}.0"
        return Reply(content)


FIRST = {
    "users": [
        [user(1, "Ana@acme.example"), user(2, "bo@acme.example")],
        [user(3, "cem@acme.example"), user(4, "out@acme.example", enabled=False)],
    ],
    "groups": [
        [group("g1", "sg-finance", member("u1"), member("g2")), group("g2", "sg-closing", member("u2"))],
        [group("g1", "sg-finance", member("u4")), group("g2", "sg-closing", member("g1"), member("d9"))],
    ],
}
SECOND = {
    "users": [[{"id": "u2", "@removed": {"reason": "changed"}}, user(5, "dora@acme.example")]],
    "groups": [[{"id": "g2", "members@delta": [member("u2", gone=True), member("u5")]}]],
}
NOTHING: dict[str, list[list[dict[str, Any]]]] = {"users": [[]], "groups": [[]]}


@pytest.fixture
def entra(site: Site) -> Iterator[Callable[[Graph], Web]]:
    """Serves a Graph, with a policy that draws on it."""
    opened = []

    def serve(graph: Graph) -> Web:
        context = serving(graph)
        web = context.__enter__()
        opened.append(context)
        graph.url = web.url
        site.keep(TOKEN)
        site.policy(["sg-finance", "sg-closing"])
        site.settings(
            f'[corp]\nkind = "entra"\ntenant = "{TENANT}"\nclient = "app"\n'
            f'url = "{web.url}/v1.0"\nlogin = "{web.url}"\n'
        )
        return web

    yield serve
    for context in opened:
        context.__exit__(None, None, None)


def members(site: Site) -> list[str]:
    found: list[str] = site.synced()["corp"]["groups"]["sg-finance"]["members"]
    return found


def test_pages_are_read_to_the_end_and_groups_expanded(site: Site, entra: Callable[[Graph], Web]) -> None:
    web = entra(Graph([FIRST]))
    corp = site.synced()["corp"]
    assert corp["groups"]["sg-finance"]["members"] == ["ana@acme.example", "bo@acme.example"]
    assert corp["groups"]["sg-closing"]["members"] == ["ana@acme.example", "bo@acme.example"]
    assert corp["users"] == ["ana@acme.example", "bo@acme.example"]
    assert web.paths() == [
        f"/{TENANT}/oauth2/v2.0/token",
        *["/v1.0/users/delta"] * 2,
        *["/v1.0/groups/delta"] * 2,
    ]
    assert web.asked[1].query["$select"] == "userPrincipalName,mail,accountEnabled"
    assert web.asked[1].headers["prefer"] == "odata.maxpagesize=999"


def test_later_only_what_changed_is_read(site: Site, entra: Callable[[Graph], Web]) -> None:
    web = entra(Graph([FIRST, SECOND, NOTHING]))
    assert members(site) == ["ana@acme.example", "bo@acme.example"]
    web.asked.clear()
    assert members(site) == ["ana@acme.example", "dora@acme.example"]
    assert [each.query.get("$deltatoken") for each in web.asked[1:]] == ["1.0", "1.0"]
    assert members(site) == ["ana@acme.example", "dora@acme.example"]
    assert web.asked[-1].query["$deltatoken"] == "2.0"


@pytest.mark.parametrize(("status", "code"), [(410, "resyncRequired"), (400, "syncStateNotFound")])
def test_a_forgotten_state_is_read_anew(
    site: Site, entra: Callable[[Graph], Web], status: int, code: str
) -> None:
    graph = Graph([FIRST])
    web = entra(graph)
    members(site)

    def forgotten(request: Request) -> Reply | None:
        return Reply({"error": {"code": code}}, status) if "$deltatoken" in request.query else None

    graph.odd = forgotten
    web.asked.clear()
    assert members(site) == ["ana@acme.example", "bo@acme.example"]
    assert web.paths().count("/v1.0/users/delta") == 3


def test_what_is_kept_is_only_for_speed(site: Site, entra: Callable[[Graph], Web]) -> None:
    entra(Graph([FIRST, NOTHING]))
    members(site)
    (kept,) = (site.folder / "home" / "segc").glob("entra-*")
    kept.write_bytes(b"\0" * 32 + b"{}")
    assert members(site) == ["ana@acme.example", "bo@acme.example"]


def test_it_waits_as_long_as_it_is_told(site: Site, entra: Callable[[Graph], Web]) -> None:
    left = [("/v1.0/users/delta", {"Retry-After": "1"}), ("/v1.0/groups/delta", {"Retry-After": "0"})]

    def busy(request: Request) -> Reply | None:
        for each in left:
            if request.path == each[0]:
                left.remove(each)
                return Reply({"error": {"code": "TooManyRequests"}}, 429, each[1])
        return None

    web = entra(Graph([FIRST], busy))
    assert members(site) == ["ana@acme.example", "bo@acme.example"]
    assert left == []
    assert len(web.asked) == 7


def test_a_read_that_fails_half_way_leaves_everything(site: Site, entra: Callable[[Graph], Web]) -> None:
    graph = Graph([FIRST, SECOND, NOTHING])
    entra(graph)
    members(site)

    def breaks(request: Request) -> Reply | None:
        if request.path == "/v1.0/groups/delta":
            return Reply({"error": {"code": "Authorization_RequestDenied", "message": TOKEN}}, 403)
        return None

    graph.odd = breaks
    site.refused("it does not let this account read it (HTTP 403, Authorization_RequestDenied)")
    graph.odd = lambda request: None
    assert members(site) == ["ana@acme.example", "dora@acme.example"]


def test_a_next_page_elsewhere_does_not_get_the_token(site: Site, entra: Callable[[Graph], Web]) -> None:
    graph = Graph([FIRST])
    with serving(lambda request: Reply({"value": []})) as thief:

        def lured(request: Request) -> Reply | None:
            if request.path == "/v1.0/users/delta":
                return Reply({"value": [], "@odata.nextLink": f"{thief.url}/v1.0/users/delta"})
            return None

        graph.odd = lured
        entra(graph)
        site.refused("its next page is on another host")
        assert thief.asked == []


def test_a_wrong_secret_and_what_the_service_quotes_of_it(site: Site, entra: Callable[[Graph], Web]) -> None:
    entra(Graph([FIRST]))
    site.keep("another-secret")
    site.refused("it does not accept the secret (HTTP 401, invalid_client)")
    assert b"another-secret" not in b"".join(text.encode() for text in site.said)


def test_the_environment_can_hold_the_secret(site: Site, entra: Callable[[Graph], Web]) -> None:
    entra(Graph([FIRST]))
    site.secrets = {"SEGC_CORP_SECRET": TOKEN}
    assert members(site)
    site.secrets = {"CREDENTIALS_DIRECTORY": str(site.folder / "credentials")}
    (site.folder / "credentials").mkdir()
    (site.folder / "corp.secret").rename(site.folder / "credentials" / "corp")
    assert members(site)
    (site.folder / "credentials" / "corp").rename(site.folder / "corp.secret")
    site.secrets = {}
    site.refused("the secret of `corp` is not known", "`SEGC_CORP_SECRET_FILE`")


def test_who_founds_a_group_of_the_same_name_holds_up_no_revocation(
    site: Site, entra: Callable[[Graph], Web]
) -> None:
    """In many tenants everybody may found groups. Which one is meant, the snapshot knows."""
    forged = group("g9", "SG-Closing", member("u2"))
    left = {"id": "g2", "members@delta": [member("u2", gone=True)]}
    entra(Graph([FIRST, {"users": [[]], "groups": [[forged, left]]}, NOTHING]))
    site.synced()
    done = site.run("identity", "revoke", "-p", ".", "--dry-run")
    assert (done.returncode, done.stdout) == (0, "bo@acme.example  left g0, g1\n")
    site.refused("two groups are called", "`g2` and `g9`")
