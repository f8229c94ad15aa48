"""Requests that tell what there is."""

from __future__ import annotations

from segc import __version__
from segc.identity.claim import name_of
from segc.sessions.asked import PERSONAL, Document, Peer, chosen
from segc.sessions.judge import unnamed
from segc.sessions.metrics import Figure, gauge
from segc.sessions.telling import document as told
from segc.sessions.upkeep import Upkeep


def sessions(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """All of them, or those that `chosen` finds."""
    agent = upkeep.agent
    if document.keys() & PERSONAL:
        found = chosen(document, upkeep)
    elif "source" in document:
        found = agent.registry.of_source(name_of(document, "source"))
    else:
        found = list(agent.registry)
    now = agent.clock()
    return {"sessions": [told(each, now) for each in found]}


def elements(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    """What kernel sets should hold: by set, addresses with the end of each on the boot clock."""
    found: dict[str, dict[str, float]] = {}
    for session in upkeep.agent.registry:
        for (name, address), until in session.elements():
            found.setdefault(name, {})[str(address)] = until
    return {"elements": found}


def metrics(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    return {"text": figures(upkeep)}


def figures(upkeep: Upkeep) -> str:
    """For Prometheus, in its text format."""
    agent = upkeep.agent
    found: list[Figure] = [
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
    return agent.teller.metrics.text(found)


def reload(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
    upkeep.refresh()
    return status(document, upkeep, peer)


def status(document: Document, upkeep: Upkeep, peer: Peer) -> Document:
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
