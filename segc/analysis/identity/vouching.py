"""Flows that ask for more than those who vouch can give (`SEG313`, `SEG314`).

A policy that names no source says nothing of who vouches, so nothing is found there. Where it names some, a
session is only ever bound for an address of a source's zones, and proves no more than the source may say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from segc.analysis.identity.granting import Seats, granting
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.identity.kinds import KINDS, Assurance
from segc.policy.model import Conditions, Flow, Part, Policy, Source, Zone
from segc.space.prefixes import PrefixSet

MOST_SHOWN = 3
PERSON = "a person, only a MAC address, which anybody can copy"


def check_vouching(policy: Policy) -> Iterator[Diagnostic]:
    vouchers = Vouchers(policy)
    if vouchers.binding:
        for flow in granting(policy):
            for part in flow.source.parts:
                if part.subject:
                    yield from _part(flow, part, vouchers)


class Lack(NamedTuple):
    """What one source cannot give to those who sit in `zone`."""

    source: Source
    zone: Zone
    what: str


class Proof(NamedTuple):
    """What the people of some zones can prove: the zones, those without a source, and what is lacking.

    `nowhere` says whether each of the sources lacks something that is asked for.
    """

    zones: tuple[Zone, ...]
    silent: tuple[Zone, ...]
    lacking: tuple[Lack, ...]
    nowhere: bool


class Vouchers:
    """Sources by the zones that they vouch for; those of kind `posture` speak of devices and bind nobody."""

    def __init__(self, policy: Policy) -> None:
        sources = policy.sources.values()
        self.binding = [each for each in sources if KINDS[each.kind].assurance is not None]
        self.feeds = [each for each in sources if KINDS[each.kind].assurance is None]
        self.seats = Seats(policy)
        self._of: dict[str, list[Source]] = {}
        for source in self.binding:
            for name in source.zones:
                self._of.setdefault(name, []).append(source)
        self._known: dict[tuple[PrefixSet, bool, tuple[str, ...]], Proof] = {}

    def proof(self, space: PrefixSet, conditions: Conditions) -> Proof:
        """What can be proved in a space of what conditions ask for; many flows ask alike."""
        key = (space, conditions.mfa, conditions.postures)
        if key not in self._known:
            self._known[key] = self._prove(space, conditions)
        return self._known[key]

    def _prove(self, space: PrefixSet, conditions: Conditions) -> Proof:
        zones = self.seats.zones(space)
        pairs = [(source, zone) for zone in zones for source in self._of.get(zone.name, ())]
        lacks = [tuple(self._lacks(*pair, conditions)) for pair in pairs]
        return Proof(
            zones,
            tuple(zone for zone in zones if zone.name not in self._of),
            tuple(lack for found in lacks for lack in found),
            all(any(lack.what != PERSON for lack in found) for found in lacks),
        )

    def _lacks(self, source: Source, zone: Zone, conditions: Conditions) -> Iterator[Lack]:
        if KINDS[source.kind].assurance is Assurance.MAC:
            yield Lack(source, zone, PERSON)
        if conditions.mfa and not source.mfa:
            yield Lack(source, zone, "a second factor")
        for name in conditions.postures:
            if not self._posture(name, source, zone):
                yield Lack(source, zone, f"posture `{name}`")

    def _posture(self, name: str, source: Source, zone: Zone) -> bool:
        """Whether a device behind `source` may be known to have a posture: by its word, or a feed's."""
        feeds = (feed for feed in self.feeds if not feed.zones or zone.name in feed.zones)
        return any(name in each.postures for each in (source, *feeds))


def _part(flow: Flow, part: Part, vouchers: Vouchers) -> Iterator[Diagnostic]:
    proof = vouchers.proof(part.space, flow.conditions)
    named = () if vouchers.seats.anywhere(part.space) else proof.silent  # zones that `in` names
    if len(proof.silent) == len(proof.zones):
        yield _nobody(flow, part, named)
        return
    if proof.lacking:
        unproved = [lack for lack in proof.lacking if lack.what != PERSON]
        yield _unmet(flow, part, unproved) if proof.nowhere else _weak(flow, part, proof.lacking)
    if named:
        yield _silent(flow, part, named)


def _unmet(flow: Flow, part: Part, lacking: Sequence[Lack]) -> Diagnostic:
    needs = _listed([lack.what for lack in lacking])
    return finding(
        "SEG313",
        f"nobody of {_who(part)} can ever use this flow: no source gives {needs}",
        flow.span,
        f"asks for {needs}",
        also=_places(lacking),
        help="let a source vouch for it where it can, such as with `mfa` or `posture NAME`, or ask for less",
    )


def _weak(flow: Flow, part: Part, lacking: Sequence[Lack]) -> Diagnostic:
    first = lacking[0]
    return finding(
        "SEG314",
        f"this flow asks of {_who(part)} what `{first.source.name}` cannot prove: {first.what}",
        flow.span,
        also=_places(lacking),
        notes=("whoever sits there by way of that source is refused, or is not who the flow takes them for",)
        if first.what != PERSON
        else (),
        help="name with `in` the zones whose sources prove it, or let the source vouch for it",
    )


def _nobody(flow: Flow, part: Part, named: Sequence[Zone]) -> Diagnostic:
    where = _listed([f"`{zone.name}`" for zone in named]) if named else "any zone"
    return finding(
        "SEG313",
        f"nobody of {_who(part)} can ever use this flow: no source vouches for who sits in {where}",
        flow.span,
        also=tuple(Label(zone.span, "without a source") for zone in named[:MOST_SHOWN]),
        help="name the zone in a source: `source NAME KIND { zone ZONE }`",
    )


def _silent(flow: Flow, part: Part, zones: Sequence[Zone]) -> Diagnostic:
    names = _listed([f"`{zone.name}`" for zone in zones])
    return finding(
        "SEG314",
        f"no source vouches for {_who(part)} in {names}, so this flow never opens there",
        flow.span,
        also=tuple(Label(zone.span, "without a source") for zone in zones[:MOST_SHOWN]),
        help="name the zone in a source, or leave it out behind `in`",
    )


def _who(part: Part) -> str:
    return f"`{part.subject}`"


def _places(lacking: Sequence[Lack]) -> tuple[Label, ...]:
    found = {lack.source.name: lack for lack in reversed(lacking)}
    shown = [found[name] for name in sorted(found)][:MOST_SHOWN]
    return tuple(
        Label(lack.source.span, f"vouches in `{lack.zone.name}`, not for {lack.what}") for lack in shown
    )


def _listed(words: Sequence[str]) -> str:
    unique = list(dict.fromkeys(words))
    shown = unique[:MOST_SHOWN] + [f"{len(unique) - MOST_SHOWN} more"] * (len(unique) > MOST_SHOWN)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
