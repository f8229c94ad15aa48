"""Two claims for one address: which of them holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from segc.identity.claim import Claim
from segc.sessions.book import Book
from segc.sessions.judge import RefusedError, assurance
from segc.sessions.registry import Registry
from segc.sessions.session import Change, Key, Session
from segc.space.addresses import Address


def newer_at(claim: Claim, at: float, registry: Registry, book: Book) -> tuple[Address, ...]:
    """Its addresses but those at which a session as strong was seen since."""
    return tuple(each for each in claim.addresses if not _outdated(each, claim, at, registry, book))


def _outdated(address: Address, claim: Claim, at: float, registry: Registry, book: Book) -> bool:
    holder = registry.holder(address)
    if holder is None or holder.key == claim.key or holder.last <= at:
        return False
    return assurance(holder.claim, book) == assurance(claim, book)


def taken_from(session: Session, registry: Registry, book: Book) -> Iterator[Change]:
    """What others lose by a new session: the newer claim takes an address over.

    RefusedError where who holds it has proved more.
    """
    claim, lost = session.claim, dict[Key, list[Address]]()
    former = registry.get(claim.key)
    if former is not None and former.claim.user != claim.user:
        yield Change(former, None, f"`{claim.source}` says that it is `{claim.user}` now")
    for address in claim.addresses:
        holder = registry.holder(address)
        if holder is None or holder.key == session.key:
            continue
        theirs, ours = (assurance(each, book) for each in (holder.claim, claim))
        if theirs > ours:
            raise RefusedError(
                f"{address} is `{holder.claim.user}` by {holder.claim.source}, proved by {theirs}: "
                f"{ours} does not outweigh that"
            )
        lost.setdefault(holder.key, []).append(address)
    for key, addresses in lost.items():
        holder = registry.sessions[key]
        rest = tuple(each for each in holder.claim.addresses if each not in addresses)
        why = f"{', '.join(map(str, addresses))} taken over by `{claim.user}` ({claim.source})"
        after = replace(holder, claim=replace(holder.claim, addresses=rest)) if rest else None
        yield Change(holder, after, why)
