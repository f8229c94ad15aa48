"""Okta: a server that speaks its recorded shapes, with pages by Link headers and rate limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from tests.directories.site import TOKEN, Site
from tests.directories.web import Reply, Request, Web, serving

GROUPS = [f"g{n}" for n in range(5)]


def user(id: str, login: str, status: str = "ACTIVE") -> dict[str, Any]:
    return {"id": id, "status": status, "profile": {"login": login, "email": f"{id}@mail.example"}}


PEOPLE = {
    "sg-finance": [
        user("u1", "Ana@acme.example"),
        user("u2", "bo@acme.example", "DEPROVISIONED"),
        user("u3", "cem@acme.example", "PASSWORD_EXPIRED"),
        user("u4", "dora@acme.example", "SUSPENDED"),
        user("u5", "emil@acme.example"),
    ],
}
OTHERS = {"ida@acme.example": user("u9", "ida@acme.example")}


def okta(web: list[Web], odd: Callable[[Request], Reply | None]) -> Callable[[Request], Reply]:
    """Pages of two, as Okta would give 200."""
    groups = [
        {"id": f"id-{name}", "type": "OKTA_GROUP", "profile": {"name": name}} for name in (*GROUPS, *PEOPLE)
    ]

    def answer(request: Request) -> Reply:
        if (found := odd(request)) is not None:
            return found
        if request.headers["authorization"] != f"SSWS {TOKEN}":
            return Reply(
                {
                    "errorCode": "E0000011",
                    "errorSummary": f"Invalid token {request.headers['authorization']}",
                },
                401,
            )
        parts = request.path.split("/")[3:]
        if parts[0] == "users":
            found_one = OTHERS.get(parts[1].replace("%40", "@"))
            return Reply(found_one) if found_one else Reply({"errorCode": "E0000007"}, 404)
        everything: list[Any] = groups if len(parts) == 1 else PEOPLE.get(parts[1].removeprefix("id-"), [])
        after = int(request.query.get("after", "0"))
        here = f"<{web[0].url}{request.path}?limit=200"
        links = f'{here}>; rel="self"'
        if after + 2 < len(everything):
            links += f', {here}&after={after + 2}>; rel="next"'
        return Reply(everything[after : after + 2], headers={"Link": links, "X-Rate-Limit-Remaining": "5"})

    return answer


@pytest.fixture
def odd() -> list[Callable[[Request], Reply | None]]:
    return [lambda request: None]


@pytest.fixture
def web(site: Site, odd: list[Callable[[Request], Reply | None]]):
    site.keep(TOKEN)
    site.policy(["sg-finance"], users=["ida@acme.example", "nobody@acme.example"])
    served: list[Web] = []
    with serving(okta(served, lambda request: odd[0](request))) as found:
        served.append(found)
        site.settings(f'[corp]\nkind = "okta"\nurl = "{found.url}"\n')
        yield found


def test_pages_are_followed_and_only_what_is_wanted_is_read(site: Site, web: Web) -> None:
    corp = site.synced()["corp"]
    everybody = ["ana@acme.example", "cem@acme.example", "emil@acme.example"]
    assert corp["groups"]["sg-finance"] == {"id": "id-sg-finance", "members": everybody}
    assert corp["users"] == [*everybody, "ida@acme.example"]
    assert web.paths() == [
        *["/api/v1/groups"] * 3,
        *["/api/v1/groups/id-sg-finance/users"] * 3,
        "/api/v1/users/ida%40acme.example",
        "/api/v1/users/nobody%40acme.example",
    ]


def test_people_by_their_address(site: Site, web: Web) -> None:
    site.settings(f'[corp]\nkind = "okta"\nurl = "{web.url}"\nuser = "email"\n')
    assert site.synced()["corp"]["groups"]["sg-finance"]["members"] == [
        f"u{n}@mail.example" for n in (1, 3, 5)
    ]


def test_a_rate_limit_is_waited_for_by_the_clock_of_the_service(
    site: Site, web: Web, odd: list[Callable[[Request], Reply | None]]
) -> None:
    """`X-Rate-Limit-Reset` is in Unix seconds, here of a clock that is an hour ahead."""
    ahead = time.time() + 3600
    limits = [{"X-Rate-Limit-Reset": str(int(ahead) + 1), "Date": formatdate(ahead, usegmt=True)}]
    odd[0] = lambda request: Reply({"errorCode": "E0000047"}, 429, limits.pop()) if limits else None
    began = time.monotonic()
    assert site.synced()["corp"]["users"]
    assert limits == []
    assert time.monotonic() - began < 25


def test_a_limit_that_lasts_too_long(
    site: Site, web: Web, odd: list[Callable[[Request], Reply | None]]
) -> None:
    ahead = {"X-Rate-Limit-Reset": str(int(time.time()) + 600)}
    odd[0] = lambda request: Reply({"errorCode": "E0000047"}, 429, ahead)
    site.refused("it asks us to wait for", "and has 30 s in all")


def test_a_wrong_token_is_not_quoted(site: Site, web: Web) -> None:
    site.keep("00another")
    site.refused("it does not accept the secret (HTTP 401, E0000011)")


def test_a_page_that_fails_spoils_the_whole(
    site: Site, web: Web, odd: list[Callable[[Request], Reply | None]]
) -> None:
    site.synced()
    odd[0] = lambda request: Reply({}, 500) if request.query.get("after") == "4" else None
    site.refused("it has an error (HTTP 500)")
    odd[0] = lambda request: Reply({"errorCode": "x"}) if request.path.endswith("/users") else None
    site.refused("its answer is no list")
