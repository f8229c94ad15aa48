"""What requests that can open or prolong access may say.

What else they say is a slip, and to pass over it could open more than was meant: a `ttl` that is misspelt
would have facts believed for an hour. What ends access is done whatever else is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segc.diagnostics.suggest import did_you_mean
from segc.identity.claim import ClaimError

# Of claims, `claim_of` sees to that.
MEMBERS: Mapping[str, frozenset[str]] = {
    "renew": frozenset(("source", "id", "ttl", "at", "addresses", "active")),
    "facts": frozenset(("device", "facts", "source", "ttl", "at")),
    "admit": frozenset(("users",)),
}


def check_members(do: str, document: Mapping[str, Any]) -> None:
    """ClaimError where a request says what has no meaning in it."""
    if do not in MEMBERS:
        return
    unknown = sorted(document.keys() - MEMBERS[do] - {"do"})
    if unknown:
        meant = did_you_mean(unknown[0], MEMBERS[do])
        raise ClaimError(f"`{unknown[0]}` says nothing in `{do}`" + (f": {meant}" if meant else ""))
    if not isinstance(document.get("active", True), bool):
        raise ClaimError("`active` must be true or false")
