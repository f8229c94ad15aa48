"""Requests by which access begins or goes on."""

from __future__ import annotations

import time
from dataclasses import replace

from segc.identity.claim import (
    MANUAL,
    Claim,
    addresses_of,
    claim_of,
    facts_of,
    moment_of,
    name_of,
    seconds_of,
)
from segc.identity.kinds import KINDS
from segc.identity.names import LENGTH
from segc.sessions.asked import Document, Peer
from segc.sessions.judge import check_hand, check_names, misfits, strayed
from segc.sessions.telling import document as told
from segc.sessions.upkeep import Upkeep


def bind(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    agent, started = upkeep.agent, time.perf_counter()
    claim = claim_of(document, agent.clock().wall)
    if _by_hand(claim.source, peer):
        claim = replace(claim, delegated=True)
        check_hand(agent.situation.book)
    if claim.kind == MANUAL:  # feeds may well know more than is asked for
        check_names(claim, agent.situation.book)
        claim = claim if "id" in document else _apart(claim, upkeep)
    session = agent.bind(claim)
    if session is None:
        return {"stale": True}
    agent.teller.metrics.took(time.perf_counter() - started)
    warning = strayed(claim, agent.situation.book)
    return {"session": told(session, agent.clock()), **({"warning": warning} if warning else {})}


def _apart(claim: Claim, upkeep: Upkeep) -> Claim:
    """By hand nobody thinks of an id. That the first address named another person's session does not end it
    at other addresses, as it would not if one of those had named it."""
    former = upkeep.agent.registry.get(claim.key)
    if (
        former is None
        or former.claim.user == claim.user
        or not set(former.claim.addresses) - {*claim.addresses}
    ):
        return claim
    return replace(claim, id=f"{claim.id} {claim.user}"[:LENGTH])


def renew(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    agent = upkeep.agent
    key = name_of(document, "source"), name_of(document, "id")
    if delegated := _by_hand(key[0], peer):
        check_hand(agent.situation.book)
    at = moment_of(document.get("at"), agent.clock().wall)
    where = addresses_of(document["addresses"]) if "addresses" in document else ()
    active = document.get("active") is not False
    session = agent.renew(key, seconds_of(document.get("ttl")), at, where, active, delegated)
    return {"stale": True} if session is None else {"session": told(session, agent.clock())}


def facts(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    agent = upkeep.agent
    device, said = name_of(document, "device"), facts_of(document.get("facts"))
    at = moment_of(document.get("at"), agent.clock().wall)
    ttl = seconds_of(document.get("ttl")) or KINDS["posture"].freshness
    source = name_of(document, "source", "posture")
    if _by_hand(source, peer) and MANUAL not in agent.situation.book.sources:
        check_hand(agent.situation.book)
        source = f"{MANUAL} by {peer.name}"[:LENGTH]  # which counts as long as the policy names no sources
    news = agent.tell(device, said, at, ttl, source)
    useless = misfits(said, agent.situation.book)
    return ({} if news else {"stale": True}) | ({"useless": useless} if useless else {})


def _by_hand(source: str, peer: Peer) -> bool:
    """Whether somebody else than root says it by hand."""
    return source == MANUAL and peer.uid != 0
