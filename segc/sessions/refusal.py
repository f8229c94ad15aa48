"""Of whom a request that was refused speaks, as far as it can be read: for the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from segc.identity.claim import ClaimError, addresses_of, claim_of, mac_of, name_of, person_of
from segc.sessions.audit import address_words, mac_words, of_claim
from segc.sessions.session import Session

PEOPLE = 100  # of a request that may list very many
WORDS = 500  # characters of a reason, which may quote the request
Document = Mapping[str, Any]

READERS: Mapping[str, tuple[str, Callable[[Document], Any]]] = {
    "user": ("user__name", person_of),
    "users": ("user__name", lambda said: _people(said["users"])),
    "addresses": ("source__ip", lambda said: address_words(addresses_of(said["addresses"]))),
    "mac": ("source__mac", lambda said: mac_words(mac_of(said["mac"]))),
    "device": ("device__id", lambda said: name_of(said, "device")),
    "source": ("segc__source", lambda said: name_of(said, "source")),
    "id": ("segc__session", lambda said: name_of(said, "id")),
}


def whose(document: Document, renewed: Session | None, now: float) -> dict[str, Any]:
    """Members of an event. `renewed` is the session that was to be renewed, `now` in Unix seconds."""
    known = of_claim(renewed.claim) if renewed is not None else {}
    if document["do"] == "bind":
        with suppress(ClaimError):
            known = of_claim(claim_of(document, now))
    return known | dict(_said(document))


def _said(document: Document) -> Iterator[tuple[str, Any]]:
    for member, (name, read) in READERS.items():
        if member in document:
            with suppress(ClaimError):
                yield name, read(document)


def _people(names: Any) -> list[str]:
    listed = names[:PEOPLE] if isinstance(names, list) else []
    return [person_of({"user": each}) for each in listed]
