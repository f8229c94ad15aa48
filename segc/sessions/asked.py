"""Who asks the agent for something, and which sessions they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from segc.identity.claim import ClaimError, address_of, name_of, person_of
from segc.sessions.session import Session
from segc.sessions.upkeep import Upkeep

PERSONAL = frozenset(("user", "address", "device"))  # what names sessions, whatever their source
Document = dict[str, Any]


class Peer(NamedTuple):
    """Who asks: by the kernel's word (unix(7), SO_PEERCRED)."""

    uid: int
    name: str


def chosen(document: Document, upkeep: Upkeep) -> list[Session]:
    """All that a user, an address or a device names; where several are said, those that all name."""
    registry = upkeep.agent.registry
    tests: list[Callable[[Session], bool]] = []
    found: list[Session] | None = None
    if "user" in document:
        user = person_of(document)
        found = registry.of_user(user)
        tests.append(lambda session: session.claim.user == user)
    if "address" in document:
        address = address_of(document["address"])
        holder = registry.holder(address)
        found = [holder] if holder else []
        tests.append(lambda session: address in session.claim.addresses)
    if "device" in document:
        device = name_of(document, "device")
        found = registry.on_device(device)
        tests.append(lambda session: session.claim.device == device)
    if found is None:
        raise ClaimError(
            "say which sessions: by `user`, `address`, `device`, or `source` with `id`, `within` or `all`"
        )
    if "source" in document:
        source = name_of(document, "source")
        tests.append(lambda session: session.claim.source == source)
    if "id" in document:
        id_ = name_of(document, "id")
        tests.append(lambda session: session.claim.id == id_)
    return [session for session in found if all(test(session) for test in tests)]
