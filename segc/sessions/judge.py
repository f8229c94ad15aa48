"""What the policy makes of a claim: whether it is taken, what it opens, and for how long. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from segc.diagnostics.suggest import did_you_mean
from segc.frozen import frozen
from segc.identity.claim import MANUAL, Claim, Facts
from segc.identity.kinds import KINDS, Assurance
from segc.sessions.book import NOTHING, UNBOUNDED, Book, Membership
from segc.sessions.clock import Moment
from segc.sessions.posture import NEVER, Known, holds_until, misfit, newer
from segc.sessions.session import Session, Verdict

Devices = Mapping[str, Mapping[tuple[str, str], Known]]  # what each source told of each fact
FOREVER = float("inf")


class RefusedError(Exception):
    """The claim is not taken; in words for whoever made it."""


class BarredError(RefusedError):
    """Not for what it says, which is so, but for whom it says it of."""


@frozen
class Situation:
    """All that claims are judged by. `barred` people are no subject of theirs (None: of none at all),
    whatever the book says."""

    book: Book = NOTHING
    devices: Devices = field(default_factory=dict)
    barred: Mapping[str, frozenset[str] | None] = field(default_factory=dict)


def judge(session: Session, situation: Situation, now: Moment) -> Verdict:
    """RefusedError where the claim may not be made, or is over; BarredError where its person may not come."""
    claim, book = session.claim, situation.book
    check_source(claim, book)
    until, bound = _until(session, book)
    if until <= now.boot:
        raise RefusedError(f"it is over: {bound}")
    if situation.barred.get(claim.user, ()) is None:
        raise BarredError(f"access of `{claim.user}` was revoked")
    idle = book.idle.get(claim.user, UNBOUNDED).seconds
    if idle is not None and session.active + idle <= now.boot:
        raise RefusedError(f"nothing was heard of it for {idle} s")
    return Verdict(until, bound, idle, tuple(_held(session, situation, now)))


def check_source(claim: Claim, book: Book) -> None:
    """RefusedError unless the source may speak of these addresses."""
    if claim.delegated:
        check_hand(book)
    if book.open_to(claim.source):
        return
    if stranger := unnamed(claim.source, claim.kind, book):
        raise RefusedError(stranger)
    source = book.sources[claim.source]
    for address in claim.addresses:
        if address not in source.space:
            zones = ", ".join(f"`{name}`" for name in source.zones)
            raise RefusedError(
                f"{address} is in no zone that `{claim.source}` vouches for: {zones or 'it has none'}"
            )


def check_hand(book: Book) -> None:
    """RefusedError where the policy leaves to root alone what is said by hand."""
    if book.sources and MANUAL not in book.sources:
        raise RefusedError(
            f"the policy names sources, and `{MANUAL}` is none: only root may bind or vouch by hand"
        )


def unnamed(name: str, kind: str, book: Book) -> str:
    """A sentence where the policy does not name this source, or as one of another kind; else empty."""
    source = book.sources.get(name)
    if book.open_to(name) or (source is not None and source.kind == kind):
        return ""
    if source is not None:
        return f"the source `{name}` is of kind `{source.kind}`, not `{kind}`"
    known = ", ".join(f"`{each}`" for each in sorted(book.sources))
    return f"the policy knows no source `{name}`: it names {known}"


def check_names(claim: Claim, book: Book) -> None:
    """RefusedError where it names a posture or a fact that the policy does not, or a fact has a value of no
    use: a slip of who types it."""
    facts = {each.fact for posture in book.postures.values() for each in posture}
    for what, said, known in (("posture", claim.postures, book.postures), ("fact", claim.facts, facts)):
        for name in sorted(set(said) - set(known)):
            meant = did_you_mean(name, known)
            raise RefusedError(f"the policy knows no {what} `{name}`" + (f": {meant}" if meant else ""))
    for words in misfits(claim.facts, book).values():
        raise RefusedError(words)


def misfits(facts: Facts, book: Book) -> dict[str, str]:
    """By fact, a sentence about its value where a posture asks for another type, and so fails."""
    asked = [(name, each) for name, posture in sorted(book.postures.items()) for each in posture]
    return {
        each.fact: f"the fact `{each.fact}` is `{json.dumps(facts[each.fact])}`, and posture `{name}` "
        f"asks for {wanted}"
        for name, each in asked
        if each.fact in facts and (wanted := misfit(each, facts[each.fact]))
    }


def strayed(claim: Claim, book: Book) -> str:
    """A sentence about those of its addresses that no flow can be for; empty if there are none."""
    outside = [str(each) for each in claim.addresses if book.space is not None and each not in book.space]
    if not outside:
        return ""
    verb = "is" if len(outside) == 1 else "are"
    return f"{', '.join(outside)} {verb} in no zone of the policy: nothing opens there"


def proves_mfa(claim: Claim, book: Book) -> bool:
    """Whether a second factor that is claimed counts."""
    source = book.sources.get(claim.source)
    return claim.mfa and (KINDS[claim.kind].mfa if source is None else source.mfa)


def assurance(claim: Claim, book: Book) -> Assurance:
    """How strong its proof is, as far as its source is believed."""
    return claim.assurance if proves_mfa(claim, book) else replace(claim, mfa=False).assurance


def vouches(name: str, kind: str, posture: str, book: Book) -> bool:
    """Whether a source is believed what it says of a posture."""
    source = book.sources.get(name)
    if source is not None:
        return posture in source.postures
    return book.open_to(name) and KINDS[kind].posture


def _until(session: Session, book: Book) -> tuple[float, str]:
    """The least of everything that bounds it, on the boot clock, and which that is."""
    claim, freshness = session.claim, session.claim.freshness
    until, bound = session.renewed + freshness, f"{claim.source} vouches for {freshness} s"
    longest = book.longest.get(claim.user, UNBOUNDED)
    if longest.seconds is not None and session.began + longest.seconds < until:
        until, bound = session.began + longest.seconds, longest.words
    source = book.sources.get(claim.source)
    if source is not None and source.max is not None and session.began + source.max < until:
        until, bound = session.began + source.max, f"source {claim.source}: max {source.max} s"
    return until, bound


def _held(session: Session, situation: Situation, now: Moment) -> Iterator[tuple[Membership, float]]:
    """Whoever is revoked from a group is still kept out of what the group is kept out of: what opens is
    reviewed. One set cannot do that where it opens something too, and then there is no session."""
    claim, book = session.claim, situation.book
    mfa = proves_mfa(claim, book)
    without = situation.barred.get(claim.user) or frozenset()
    for number, subjects in book.by_user.get(claim.user, ()):
        membership = book.memberships[number]
        left = without.issuperset(subjects)
        if (membership.mfa and not mfa) or (left and not membership.closes):
            continue
        limit = FOREVER
        for name in membership.postures:
            limit = min(limit, _posture_until(name, session, situation, now))
        if limit <= now.boot:
            continue
        if left and membership.opens:
            raise BarredError(
                f"`{claim.user}` was revoked from {' and '.join(subjects)}, which keeps something shut "
                "as well: what that would open waits for the next snapshot"
            )
        yield membership, limit


def _posture_until(name: str, session: Session, situation: Situation, now: Moment) -> float:
    """Until when, on the boot clock, its device is known to fulfil a posture."""
    claim, book = session.claim, situation.book
    if name not in book.postures:
        return NEVER
    spoken = vouches(claim.source, claim.kind, name, book)
    if spoken and name in claim.postures:
        return FOREVER
    known = _claimed(session, now) if spoken else {}
    for (fact, _), each in situation.devices.get(claim.device or "", {}).items():
        heard = each.at <= now.wall and vouches(each.source, "posture", name, book)
        if heard and _speaks_of(each.source, claim, book):
            known[fact] = newer(known[fact], each) if fact in known else each
    until = holds_until(book.postures[name], known, now.wall)
    return until if until in (NEVER, FOREVER) else now.on_boot_clock(until)


def _speaks_of(feed: str, claim: Claim, book: Book) -> bool:
    """A feed that has zones knows devices that are there."""
    source = book.sources.get(feed)
    return source is None or not source.zones or all(each in source.space for each in claim.addresses)


def _claimed(session: Session, now: Moment) -> dict[str, Known]:
    """Facts that came with the claim are believed as long as it is."""
    claim = session.claim
    until = now.on_wall_clock(session.renewed) + claim.freshness
    return {name: Known(value, until, claim.at, claim.source) for name, value in claim.facts.items()}
