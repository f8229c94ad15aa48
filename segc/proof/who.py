"""Sessions as a ruleset sees them: sets of addresses that hold whoever proves a claim.

The set of a claim is found by its name alone, by the compiler, by the agent that fills it and here: so the
name is a contract. It ends in a digest of the claim, and these are the fields that the digest is taken of.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from segc.policy.model import Subject


class Grant(NamedTuple):
    """A claim that a session proves of an address: who, and what else is required."""

    subject: Subject
    mfa: bool
    postures: tuple[str, ...]

    def __str__(self) -> str:
        needs = [*(["mfa"] if self.mfa else []), *(f"posture {name}" for name in self.postures)]
        return f"{self.subject}" + (f" with {', '.join(needs)}" if needs else "")


class Literal(NamedTuple):
    """That an end of the connection holds a grant, or (`held` is false) does not."""

    side: str  # source, destination
    grant: Grant
    held: bool

    def __str__(self) -> str:
        return f"{self.side} {'is' if self.held else 'is not'} {self.grant}"


Who = frozenset[Literal]
NOBODY: Who = frozenset()


def set_name(family: int, grant: Grant) -> str:
    words = [grant.subject.kind[0], grant.subject.name, *(["mfa"] if grant.mfa else []), *grant.postures]
    slug = re.sub(r"[^A-Za-z0-9-]+", "_", ".".join(words))[:40].strip("_")
    return f"who{family}_{slug}_{hashlib.blake2b(repr(grant).encode(), digest_size=4).hexdigest()}"
