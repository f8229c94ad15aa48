"""SCIM 2.0 (RFC 7643, RFC 7644): any service that lists `/Users` and `/Groups`.

    url           the base URL, such as https://idp.acme.example/scim/v2
    ca            a file of certificates to trust, instead of the system's
    user          what names a user: "userName" (the default) or "email", the primary address
    users         a filter, RFC 7644 3.4.2.2; the service may know fewer operators. Default: no filter
    group-filter  a filter for groups

The secret is a bearer token. People who are not `active` are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from segc.identity.directories import Asked
from segc.identity.errors import DirectoryError
from segc.identity.listing import Group, Listing, User
from segc.identity.settings import Settings
from segc.identity.web import Service, service

PAGE = 100  # resources


class Ids(NamedTuple):
    """All that the service knows."""

    users: frozenset[str]
    groups: frozenset[str]


def source(settings: Settings) -> str:
    return settings.options["url"].rstrip("/")


def read(asked: Asked) -> Listing:
    options = asked.settings.options
    named = options.get("user", "userName")
    if named not in ("userName", "email"):
        raise DirectoryError('`user` must be "userName" or "email"')
    headers = {"Authorization": f"Bearer {asked.secret().revealed}", "Accept": "application/scim+json"}
    site = service(source(asked.settings), headers, asked.deadline, asked.settings.path("ca"))
    people = list(_all(site, "Users", "userName,active,emails", options.get("users")))
    groups = list(_all(site, "Groups", "displayName,members", options.get("group-filter")))
    ids = Ids(*(frozenset(str(each["id"]) for each in kind) for kind in (people, groups)))
    return Listing(
        tuple(
            User(f"Users/{each['id']}", name)
            for each in people
            if each.get("active", True) is True and (name := _name(each, named))
        ),
        tuple(_group(each, ids) for each in groups if "displayName" in each),
    )


def _all(site: Service, kind: str, attributes: str, filter: str | None) -> Iterator[dict[str, Any]]:
    """Every resource, by index (RFC 7644 3.4.2.4). A listing that changes under our hands may lack somebody,
    so what does not add up is refused."""
    start, seen, total = 1, set(), 1
    while start <= total:
        query = {"startIndex": start, "count": PAGE, "attributes": attributes}
        page = site.get(
            f"{site.origin}/{kind}?{urlencode(query | ({'filter': filter} if filter else {}))}"
        ).content
        total, resources = int(page["totalResults"]), page.get("Resources") or []
        if total and not resources:
            raise DirectoryError(f"it lists {start - 1} of {total} {kind.lower()} and no more")
        for each in resources:
            seen.add(each["id"])
            yield each
        start += len(resources)
    if len(seen) != total:
        raise DirectoryError(f"its {kind.lower()} changed while they were read: try again")


def _name(user: dict[str, Any], named: str) -> str:
    if named == "userName":
        return str(user.get("userName") or "")
    emails = sorted(user.get("emails") or [], key=lambda each: each.get("primary") is not True)
    return str(emails[0].get("value") or "") if emails else ""


def _group(group: dict[str, Any], ids: Ids) -> Group:
    members = tuple(_member(each, ids) for each in group.get("members") or [])
    return Group(str(group["id"]), group["displayName"], members)


def _member(member: dict[str, Any], ids: Ids) -> str:
    """Ids ought to be of one resource each (RFC 7643 3.1); where a service numbers users and groups apart,
    only its word tells which of the two is meant. DirectoryError without one."""
    value, where = str(member["value"]), str(member.get("$ref") or "").split("/")
    kind = member.get("type") or next((each[:-1] for each in ("Users", "Groups") if each in where), None)
    if kind not in ("User", "Group") and value in ids.users & ids.groups:
        raise DirectoryError(f"`{value}` is a user and a group, and it does not say which is the member")
    group = kind == "Group" or (kind != "User" and value in ids.groups)
    return value if group else f"Users/{value}"
