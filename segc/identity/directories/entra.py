"""Microsoft Entra ID, by Microsoft Graph's delta queries of users and groups.

    tenant  the directory's id or a domain of it
    client  the id of the application that reads it: Application permissions `User.Read.All` and
            `GroupMember.Read.All`; its client secret is the directory's secret
    user    "userPrincipalName" (the default) or "mail"
    url     another Graph, such as https://graph.microsoft.us/v1.0
    login   another authority, such as https://login.microsoftonline.us
    ca      a file of certificates to trust, instead of the system's

A first delta query reads everything; what it found and where it got to is kept (`segc.cache`), so that later
ones read what changed since. Once a day everything is read anew. Delta knows direct members only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from segc import cache
from segc.document import DocumentError, read_json, shaped
from segc.identity.directories import Asked
from segc.identity.errors import DirectoryError
from segc.identity.listing import Group, Listing, User
from segc.identity.settings import Settings
from segc.identity.web import Service, StatusError, service

GRAPH = "https://graph.microsoft.com/v1.0"
LOGIN = "https://login.microsoftonline.com"
PAGE = 999  # objects, at most
WHOLE = 24 * 3600  # seconds after which nothing kept is built upon
FIELDS = {"users": "userPrincipalName,mail,accountEnabled", "groups": "displayName,members"}
RESYNC = ("resyncRequired", "syncStateNotFound", "syncStateInvalid")

Objects = dict[str, dict[str, Any]]  # by id


class _Kept(NamedTuple):
    whole: float  # when all was read, in Unix seconds


def source(settings: Settings) -> str:
    return f"{settings.options.get('url', GRAPH).rstrip('/')}/{settings.options['tenant']}"


def read(asked: Asked) -> Listing:
    options = asked.settings.options
    named = options.get("user", "userPrincipalName")
    if named not in ("userPrincipalName", "mail"):
        raise DirectoryError('`user` must be "userPrincipalName" or "mail"')
    headers = {"Authorization": f"Bearer {_token(asked)}", "Prefer": f"odata.maxpagesize={PAGE}"}
    site = service(options.get("url", GRAPH).rstrip("/"), headers, asked.deadline, asked.settings.path("ca"))
    key = cache.key(source(asked.settings), options["client"])
    kept = _kept(key)
    try:
        found = {kind: _delta(site, kind, *kept.get(kind, ({}, ""))) for kind in FIELDS}
    except StatusError as error:
        if not kept or not (error.status == 410 or error.code in RESYNC):
            raise
        kept = {}
        found = {kind: _delta(site, kind, {}, "") for kind in FIELDS}
    whole = kept.get("whole", time.time())
    cache.put("entra", key, json.dumps({"whole": whole, **found}).encode())
    return _listing(found["users"][0], found["groups"][0], named)


def _token(asked: Asked) -> str:
    """An access token for the application itself (RFC 6749 4.4)."""
    options = asked.settings.options
    login = options.get("login", LOGIN).rstrip("/")
    url = f"{login}/{quote(options['tenant'], safe='')}/oauth2/v2.0/token"
    graph = urlsplit(options.get("url", GRAPH))
    form = {
        "grant_type": "client_credentials",
        "client_id": options["client"],
        "client_secret": asked.secret().revealed,
        "scope": f"{graph.scheme}://{graph.netloc}/.default",
    }
    token = service(url, {}, asked.deadline, asked.settings.path("ca")).post(form).content["access_token"]
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise DirectoryError("its token is none")
    return token


def _kept(key: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = read_json(cache.get("entra", key) or b"")
        fresh = 0 <= time.time() - shaped(_Kept, found).whole < WHOLE
    except DocumentError:
        return {}
    return found if fresh else {}


def _delta(site: Service, kind: str, known: Objects, link: str) -> tuple[Objects, str]:
    """All objects, and the link to what will have changed from now on."""
    objects = dict(known)
    url = link or f"{site.origin}/{kind}/delta?$select={FIELDS[kind]}"
    while True:
        page = site.get(url).content
        for change in page["value"]:
            _apply(objects, change)
        if "@odata.nextLink" not in page:
            return objects, str(page["@odata.deltaLink"])
        url = page["@odata.nextLink"]


def _apply(objects: Objects, change: dict[str, Any]) -> None:
    """One change. A large group comes in several, and a property that did not change may be left out."""
    if "@removed" in change:
        objects.pop(change["id"], None)
        return
    former = objects.get(change["id"], {"members": []})
    members = dict.fromkeys(former["members"])
    for each in change.get("members@delta", ()):
        if "@removed" in each:
            members.pop(each["id"], None)
        else:
            members[each["id"]] = None
    plain = {name: value for name, value in change.items() if "@" not in name and name != "members"}
    objects[change["id"]] = {**former, **plain, "members": list(members)}


def _listing(users: Objects, groups: Objects, named: str) -> Listing:
    people = (
        User(id, str(each.get(named) or "")) for id, each in users.items() if each.get("accountEnabled")
    )
    return Listing(
        tuple(each for each in people if each.name),
        tuple(_groups(groups)),
    )


def _groups(groups: Objects) -> Iterator[Group]:
    for id, each in groups.items():
        if each.get("displayName"):
            yield Group(id, str(each["displayName"]), tuple(each["members"]))
