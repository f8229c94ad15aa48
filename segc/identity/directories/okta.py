"""Okta, by its Users and Groups API.

    url   https://acme.okta.com
    user  "login" (the default) or "email"
    ca    a file of certificates to trust, instead of the system's

The secret is an API token of an account that may read users and groups. Groups of Okta hold no groups. Only
the groups that the policy draws on are read, and of other people only those whom it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from segc.identity.directories import Asked
from segc.identity.errors import DirectoryError
from segc.identity.listing import Group, Listing, User, chosen
from segc.identity.names import person
from segc.identity.settings import Settings
from segc.identity.web import Service, StatusError, next_link, service

PAGE = 200
MAY_WORK = ("ACTIVE", "PASSWORD_EXPIRED", "RECOVERY", "LOCKED_OUT")  # who may sign in, now or after a remedy


def source(settings: Settings) -> str:
    return settings.options["url"].rstrip("/")


def read(asked: Asked) -> Listing:
    named = asked.settings.options.get("user", "login")
    if named not in ("login", "email"):
        raise DirectoryError('`user` must be "login" or "email"')
    headers = {"Authorization": f"SSWS {asked.secret().revealed}", "Accept": "application/json"}
    site = service(source(asked.settings), headers, asked.deadline, asked.settings.path("ca"))
    listed = _all(site, f"/api/v1/groups?limit={PAGE}")
    plain = (Group(each["id"], str(each["profile"]["name"]), ()) for each in listed)
    users: dict[str, User] = {}
    groups = []
    for group in chosen(asked.settings.name, plain, asked.wanted).values():
        members = list(
            _users(_all(site, f"/api/v1/groups/{quote(group.id, safe='')}/users?limit={PAGE}"), named)
        )
        users |= {each.id: each for each in members}
        groups.append(Group(group.id, group.name, tuple(each.id for each in members)))
    met = {person(each.name) for each in users.values()}
    for name in sorted(asked.wanted.users):
        if person(name) not in met:
            users |= {each.id: each for each in _users(_one(site, name), named)}
    return Listing(tuple(users.values()), tuple(groups))


def _all(site: Service, path: str) -> Iterator[dict[str, Any]]:
    url: str | None = site.origin + path
    while url is not None:
        answer = site.get(url)
        if not isinstance(answer.content, list):
            raise DirectoryError("its answer is no list")
        yield from answer.content
        url = next_link(answer.headers)


def _one(site: Service, login: str) -> Iterator[dict[str, Any]]:
    """A user by login, or nothing where there is none."""
    try:
        yield site.get(f"{site.origin}/api/v1/users/{quote(login, safe='')}").content
    except StatusError as error:
        if error.status != 404:
            raise


def _users(found: Iterator[dict[str, Any]], named: str) -> Iterator[User]:
    for each in found:
        if each["status"] in MAY_WORK and (name := each["profile"].get(named)):
            yield User(each["id"], str(name))
