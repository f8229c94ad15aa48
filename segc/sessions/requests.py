"""What can be asked of the agent: one JSON object a line, each answered by one.

    {"do": "bind", "user": "ana@acme.example", "addresses": ["10.8.0.6"], "source": "hq-vpn", ...}
    {"ok": true, "session": {...}}      {"ok": false, "error": "why not"}

Events of a source may come twice or in any order: `at`, in Unix seconds, says which is the newer. What
changes nothing for that reason is answered with `"stale": true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from segc.apply.host import RefusedByKernelError
from segc.document import DocumentError, read_json
from segc.identity.claim import ClaimError, name_of
from segc.sessions import claiming, ending, reports
from segc.sessions.asked import Document, Peer
from segc.sessions.judge import RefusedError
from segc.sessions.members import check_members
from segc.sessions.refusal import WORDS, whose
from segc.sessions.session import Session
from segc.sessions.upkeep import Upkeep

LONGEST = 1 << 20  # bytes of a request
CHANGING = frozenset(("bind", "unbind", "renew", "facts", "revoke", "admit"))  # whose refusal is told


def answer(line: bytes, upkeep: Upkeep, peer: Peer) -> Document:
    """Do what a line asks for. Never fails: whatever is wrong is said in the answer."""
    try:
        document = read_json(line)
    except DocumentError as error:
        return refused(f"the request {error.reason}")
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


REQUESTS: Mapping[str, Callable[[Document, Upkeep, Peer], Document]] = {
    "bind": claiming.bind,
    "unbind": ending.unbind,
    "renew": claiming.renew,
    "facts": claiming.facts,
    "sessions": reports.sessions,
    "elements": reports.elements,
    "revoke": ending.revoke,
    "admit": ending.admit,
    "reload": reports.reload,
    "status": reports.status,
    "metrics": reports.metrics,
}
