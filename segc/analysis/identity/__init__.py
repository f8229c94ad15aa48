"""Who vouches for people, how long their access outlives them, and where 802.1X puts them."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.identity.lifetimes import check_lifetimes
from segc.analysis.identity.postures import check_postures
from segc.analysis.identity.revocation import check_revocations
from segc.analysis.identity.tunnels import check_tunnels
from segc.analysis.identity.vouching import check_vouching
from segc.analysis.identity.wire import check_wire
from segc.diagnostics.model import Diagnostic
from segc.policy.model import Policy


def check_identity(policy: Policy) -> Iterator[Diagnostic]:
    """`SEG220`, `SEG221`, `SEG230` and `SEG313` to `SEG317`. Linear in flows x zones of their sources."""
    yield from check_postures(policy)
    yield from check_vouching(policy)
    yield from check_tunnels(policy)
    yield from check_lifetimes(policy)
    yield from check_revocations(policy)
    yield from check_wire(policy)
