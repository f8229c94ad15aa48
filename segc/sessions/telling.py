"""Sessions in words and figures: for the audit log, for answers, for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segc.identity.claim import Claim
from segc.sessions.audit import Audit, event, of_claim
from segc.sessions.clock import Clock, Moment
from segc.sessions.metrics import Metrics
from segc.sessions.session import Change, Session


class Teller:
    """Tells what happens, under the name of this host."""

    def __init__(self, audit: Audit, clock: Clock, host: str) -> None:
        self.audit, self.metrics = audit, Metrics()
        self._clock, self._host = clock, host

    def change(self, change: Change) -> None:
        before, after, reason = change
        if after is None:
            self.note("unbind", "success", reason, change.session.claim)
        elif before is None:
            self.note("bind", "success", reason or why(after), after.claim)
        elif before.claim.addresses != after.claim.addresses:
            self.note("move", "success", reason, after.claim)
        elif before.verdict.held != after.verdict.held:
            self.note("change", "success", reason, after.claim)
        else:
            self.metrics.count("renew", "success")

    def refused(self, action: str, reason: str, by: str, whose: Mapping[str, Any]) -> None:
        self._tell(action, "failure", reason, {"segc__by": by, **whose})

    def note(self, action: str, outcome: str, reason: str, claim: Claim | None = None) -> None:
        self._tell(action, outcome, reason, of_claim(claim) if claim is not None else {})

    def _tell(self, action: str, outcome: str, reason: str, more: Mapping[str, Any]) -> None:
        self.metrics.count(action, outcome)
        self.audit.tell(event(self._clock().wall, action, outcome, reason, self._host, **more))


def why(session: Session) -> str:
    """What it is worth and how long, in words."""
    held = "; ".join(membership.words for membership, _ in session.verdict.held)
    return (
        f"{held or 'no flow asks for this person with what is proved'}; ends because {session.verdict.bound}"
    )


def document(session: Session, now: Moment) -> dict[str, Any]:
    """For answers; see `segc/schemas/session-list.schema.json`."""
    claim = session.claim
    sets = {name for (name, _), until in session.elements() if until > now.boot}
    return {
        "user": claim.user,
        "addresses": [str(each) for each in claim.addresses],
        "source": claim.source,
        "kind": claim.kind,
        "id": claim.id,
        "assurance": str(claim.assurance),
        "mac": claim.mac,
        "device": claim.device,
        "mfa": claim.mfa,
        "since": round(now.on_wall_clock(session.began), 3),
        "until": round(now.on_wall_clock(session.verdict.until), 3),
        "idle": session.verdict.idle,
        "sets": sorted(sets),
        "why": why(session),
    }
