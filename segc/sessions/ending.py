"""Requests by which access ends, and the one that takes back that people were revoked."""

from __future__ import annotations

from math import nextafter

from segc.identity.claim import ClaimError, moment_of, name_of, person_of
from segc.sessions.asked import PERSONAL, Document, Peer, chosen
from segc.sessions.judge import RefusedError
from segc.sessions.session import Session
from segc.sessions.upkeep import Upkeep

USERS = 100_000  # in one request


def unbind(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """How many `ended`, and of which `kinds` their sources are."""
    agent = upkeep.agent
    at = moment_of(document.get("at"), agent.clock().wall)
    whole = document.keys() & {"id", "within"} or document.get("all") is True
    if "source" in document and whole and not document.keys() & PERSONAL:
        found, ended = _end(document, upkeep, at)
    else:
        found = chosen(document, upkeep)
        ended = agent.unbind(found, at, f"unbound by {peer.name}")
    return {"ended": ended, "kinds": sorted({each.claim.kind for each in found}) if ended else []}


def _end(document: Document, upkeep: Upkeep, at: float) -> tuple[list[Session], int]:
    """What a source ends: a session, all that are part of something, or all of its own; and how many.

    Clocks have seconds: what begins in the one in which a part starts anew belongs to what comes after.
    """
    agent, source = upkeep.agent, name_of(document, "source")
    if "id" in document:
        id_, last = name_of(document, "id"), at
        found = [each] if (each := agent.registry.get((source, id_))) else []
    else:
        id_ = _part(document) if "within" in document else ""
        last = nextafter(at, 0) if id_ else at
        found = [each for each in agent.registry.of_source(source) if each.claim.id.startswith(id_)]
    ended = agent.unbind(found, at, "its source has ended it")
    agent.close((source, id_), last)
    return found, ended


def _part(document: Document) -> str:
    part = name_of(document, "within")
    if not part.endswith("/"):
        raise ClaimError("`within` must end with `/`")
    return part


def revoke(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """Without `groups`, people who are gone altogether; with them, from these alone."""
    groups = _listed(document, "groups") if "groups" in document else None
    names = None if groups is None else frozenset(f"group {name}" for name in groups)
    return {"changed": upkeep.agent.bar(_people(document), names)}


def admit(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    if peer.uid != 0:
        raise RefusedError("only root may admit who was revoked: sources see people come, not why they left")
    return {"changed": upkeep.agent.admit(_people(document))}


def _people(document: Document) -> list[str]:
    """Each once, however often and in whatever case it is listed."""
    names = _listed(document, "users")
    return list(dict.fromkeys(person_of({"users": name}, "users") for name in names))


def _listed(document: Document, member: str) -> list[str]:
    names = document.get(member)
    if not isinstance(names, list) or len(names) > USERS:
        raise ClaimError(f"`{member}` must list at most {USERS} names")
    return [name_of({member: name}, member) for name in names]
