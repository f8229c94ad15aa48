"""The kinds of directories, one file each: what its table takes (`KEYS`) and how it is read (`read`)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from segc.frozen import frozen
from segc.identity.deadline import Deadline
from segc.identity.listing import Listing, Wanted
from segc.identity.secret import Secret
from segc.identity.settings import Keys, Settings

KINDS: Mapping[str, Keys] = {
    "ldap": Keys(
        required=("url", "base"),
        optional=("bind", "ca", "tls", "user", "users", "group", "group-filter", "nested"),
    ),
    "scim": Keys(required=("url",), optional=("ca", "user", "users", "group-filter")),
    "entra": Keys(required=("tenant", "client"), optional=("url", "login", "ca", "user")),
    "okta": Keys(required=("url",), optional=("ca", "user")),
    "export": Keys(required=("file",), optional=("members", "user", "group")),
}


@frozen
class Asked:
    """One question to a directory: all that its kind gets. `secret` looks it up (DirectoryError)."""

    settings: Settings
    wanted: Wanted
    secret: Callable[[], Secret]
    deadline: Deadline


def read(asked: Asked) -> Listing:
    """What the directory says. DirectoryError; whatever else is raised is about the shape of its answers."""
    module = importlib.import_module(f"{__name__}.{asked.settings.kind}")
    found = module.read(asked)
    assert isinstance(found, Listing)
    return found


def source_of(settings: Settings) -> str:
    """Where it is, for the snapshot: that a group suddenly comes from elsewhere should show in a review."""
    module = importlib.import_module(f"{__name__}.{settings.kind}")
    return str(module.source(settings))
