"""What can be asked of the agent: one JSON object a line, each answered by one.

    {"do": "bind", "user": "ana@acme.example", "addresses": ["10.8.0.6"], "source": "hq-vpn", ...}
    {"ok": true, "session": {...}}      {"ok": false, "error": "why not"}

Events of a source may come twice or in any order: `at`, in Unix seconds, says which is the newer. What
changes nothing for that reason is answered with `"stale": true`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import nextafter
from typing import Any, NamedTuple

from segc import __version__
from segc.apply.host import RefusedByKernelError
from segc.identity.claim import (
    MANUAL,
    Claim,
    ClaimError,
    address_of,
    addresses_of,
    claim_of,
    facts_of,
    moment_of,
    name_of,
    person_of,
    seconds_of,
)
from segc.identity.kinds import KINDS
from segc.identity.names import LENGTH
from segc.sessions.judge import RefusedError, check_names, misfits, strayed, unnamed
from segc.sessions.members import check_members
from segc.sessions.metrics import Figure, gauge
from segc.sessions.refusal import WORDS, whose
from segc.sessions.session import Session
from segc.sessions.telling import document as told
from segc.sessions.upkeep import Upkeep

USERS = 100_000  # in one request
LONGEST = 1 << 20  # bytes of a request
CHANGING = frozenset(("bind", "unbind", "renew", "facts", "revoke", "admit"))  # whose refusal is told
PERSONAL = frozenset(("user", "address", "device"))  # what names sessions, whatever their source
Document = dict[str, Any]


class Peer(NamedTuple):
    """Who asks: by the kernel's word (unix(7), SO_PEERCRED)."""

    uid: int
    name: str


def answer(line: bytes, upkeep: Upkeep, peer: Peer) -> Document:
    """Do what a line asks for. Never fails: whatever is wrong is said in the answer."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return refused("the request is not JSON")
    if not isinstance(document, dict):
        return refused("the request is not a JSON object")
    do = document.get("do")
    work = REQUESTS.get(do) if isinstance(do, str) else None
    if not isinstance(do, str) or work is None:
        return refused(f"nobody can do `{do}`: ask for {', '.join(REQUESTS)}")
    renewed = _standing(document, upkeep) if do == "renew" else None
    try:
        check_members(do, document)
        return {"ok": True, **work(document, upkeep, peer)}
    except (ClaimError, RefusedError, RefusedByKernelError) as error:
        if do in CHANGING:
            who = whose(document, renewed, upkeep.agent.clock().wall)
            upkeep.agent.teller.refused(do, str(error)[:WORDS], peer.name, who)
        return refused(str(error))


def _standing(document: Document, upkeep: Upkeep) -> Session | None:
    """The session that is to be renewed, which may be over once that is refused."""
    try:
        return upkeep.agent.registry.get((name_of(document, "source"), name_of(document, "id")))
    except ClaimError:
        return None


def refused(error: str) -> Document:
    return {"ok": False, "error": error}


def _bind(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    agent, started = upkeep.agent, time.perf_counter()
    claim = claim_of(document, agent.clock().wall)
    _may_speak_for(claim.source, upkeep, peer)
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


def _may_speak_for(source: str, upkeep: Upkeep, peer: Peer) -> None:
    """By hand, where the policy says nothing of it, root alone: RefusedError for others."""
    book = upkeep.agent.situation.book
    if peer.uid != 0 and source == MANUAL and book.sources and MANUAL not in book.sources:
        raise RefusedError(
            f"the policy names sources, and `{MANUAL}` is none: only root may bind or vouch by hand"
        )


def _unbind(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """How many `ended`, and of which `kinds` their sources are."""
    agent = upkeep.agent
    at = moment_of(document.get("at"), agent.clock().wall)
    whole = document.keys() & {"id", "within"} or document.get("all") is True
    if "source" in document and whole and not document.keys() & PERSONAL:
        found, ended = _end(document, upkeep, at)
    else:
        found = _chosen(document, upkeep)
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


def _chosen(document: Document, upkeep: Upkeep) -> list[Session]:
    """All that a user, an address or a device names; where several are said, those that all name."""
    registry = upkeep.agent.registry
    tests: list[Callable[[Session], bool]] = []
    chosen: list[Session] | None = None
    if "user" in document:
        user = person_of(document)
        chosen = registry.of_user(user)
        tests.append(lambda session: session.claim.user == user)
    if "address" in document:
        address = address_of(document["address"])
        holder = registry.holder(address)
        chosen = [holder] if holder else []
        tests.append(lambda session: address in session.claim.addresses)
    if "device" in document:
        device = name_of(document, "device")
        chosen = registry.on_device(device)
        tests.append(lambda session: session.claim.device == device)
    if chosen is None:
        raise ClaimError(
            "say which sessions: by `user`, `address`, `device`, or `source` with `id`, `within` or `all`"
        )
    if "source" in document:
        source = name_of(document, "source")
        tests.append(lambda session: session.claim.source == source)
    if "id" in document:
        id_ = name_of(document, "id")
        tests.append(lambda session: session.claim.id == id_)
    return [session for session in chosen if all(test(session) for test in tests)]


def _renew(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    agent = upkeep.agent
    key = name_of(document, "source"), name_of(document, "id")
    _may_speak_for(key[0], upkeep, peer)
    at = moment_of(document.get("at"), agent.clock().wall)
    where = addresses_of(document["addresses"]) if "addresses" in document else ()
    active = document.get("active") is not False
    session = agent.renew(key, seconds_of(document.get("ttl")), at, where, active)
    return {"stale": True} if session is None else {"session": told(session, agent.clock())}


def _facts(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    agent = upkeep.agent
    device, facts = name_of(document, "device"), facts_of(document.get("facts"))
    at = moment_of(document.get("at"), agent.clock().wall)
    ttl = seconds_of(document.get("ttl")) or KINDS["posture"].freshness
    source = name_of(document, "source", "posture")
    _may_speak_for(source, upkeep, peer)
    news = agent.tell(device, facts, at, ttl, source)
    useless = misfits(facts, agent.situation.book)
    return ({} if news else {"stale": True}) | ({"useless": useless} if useless else {})


def _revoke(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """Without `groups`, people who are gone altogether; with them, from these alone."""
    groups = _listed(document, "groups") if "groups" in document else None
    names = None if groups is None else frozenset(f"group {name}" for name in groups)
    return {"changed": upkeep.agent.bar(_people(document), names)}


def _admit(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
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


def _sessions(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """All of them, or those that `_chosen` finds."""
    agent = upkeep.agent
    if document.keys() & PERSONAL:
        found = _chosen(document, upkeep)
    elif "source" in document:
        found = agent.registry.of_source(name_of(document, "source"))
    else:
        found = list(agent.registry)
    now = agent.clock()
    return {"sessions": [told(each, now) for each in found]}


def _elements(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """What kernel sets should hold: by set, addresses with the end of each on the boot clock."""
    found: dict[str, dict[str, float]] = {}
    for session in upkeep.agent.registry:
        for (name, address), until in session.elements():
            found.setdefault(name, {})[str(address)] = until
    return {"elements": found}


def _metrics(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    return {"text": metrics(upkeep)}


def metrics(upkeep: Upkeep) -> str:
    agent = upkeep.agent
    figures: list[Figure] = [
        gauge("segc_sessions", "Sessions that stand.", len(agent.registry)),
        gauge("segc_session_addresses", "Addresses that sessions bind.", len(agent.registry.holders)),
        gauge("segc_session_policy_problem", "1 if the policy cannot be read.", bool(upkeep.problem)),
        gauge("segc_session_enforced", "1 if the kernel has every set of the policy.", upkeep.enforced),
        gauge(
            "segc_session_generation", "The generation that sessions are judged by.", upkeep.generation or 0
        ),
        gauge("segc_session_journal_bytes", "Length of the journal.", agent.ledger.journal.size),
        gauge("segc_session_journal_owed", "Ends that are not written down yet.", len(agent.ledger.owed)),
        gauge("segc_session_audit_lost_total", "Events that could not be told.", agent.teller.audit.lost),
    ]
    return agent.teller.metrics.text(figures)


def _reload(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    upkeep.refresh()
    return _status(document, upkeep, peer)


def _status(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """With `source` and `kind`, what is wrong with them in the policy that is in force, as a `warning`."""
    agent, warning = upkeep.agent, ""
    if "source" in document:
        source = name_of(document, "source")
        warning = unnamed(source, name_of(document, "kind", source), agent.situation.book)
    return {
        "segc": __version__,
        "generation": upkeep.generation,
        "enforced": upkeep.enforced and not agent.stale,
        "problem": upkeep.problem or None,
        "sessions": len(agent.registry),
        "barred": len(agent.kept.barred),
        "owed": len(agent.ledger.owed),
        **({"warning": warning} if warning else {}),
    }


REQUESTS: Mapping[str, Callable[[Document, Upkeep, Peer], Document]] = {
    "bind": _bind,
    "unbind": _unbind,
    "renew": _renew,
    "facts": _facts,
    "sessions": _sessions,
    "elements": _elements,
    "revoke": _revoke,
    "admit": _admit,
    "reload": _reload,
    "status": _status,
    "metrics": _metrics,
}
