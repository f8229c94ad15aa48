"""Flows that ask for more than those who vouch can give (`SEG313`, `SEG314`).

A policy that names no source says nothing of who vouches, so nothing is found there. Where it names some, a
session is only ever bound for an address of a source's zones, and proves no more than the source may say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segc.analysis.identity.granting import Seats, granting
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.identity.kinds import KINDS, Assurance
from segc.policy.model import Flow, Part, Policy, Source, Zone

MOST_SHOWN = 3


def check_vouching(policy: Policy) -> Iterator[Diagnostic]:
    vouchers = Vouchers(policy)
    if vouchers.binding:
        for flow in granting(policy):
            for part in flow.source.parts:
                if part.subject:
                    yield from _part(flow, part, vouchers)


class Vouchers:
    """Sources by the zones that they vouch for; those of kind `posture` speak of devices and bind nobody."""

    def __init__(self, policy: Policy) -> None:
        sources = policy.sources.values()
        self.binding = [each for each in sources if KINDS[each.kind].assurance is not None]
        self.feeds = [each for each in sources if KINDS[each.kind].assurance is None]
        self.seats = Seats(policy)

    def of(self, zone: Zone) -> list[Source]:
        return [source for source in self.binding if zone.name in source.zones]

    def posture(self, name: str, source: Source, zone: Zone) -> bool:
        """Whether a device behind `source` may be known to have a posture: by its word, or a feed's."""
        feeds = (feed for feed in self.feeds if not feed.zones or zone.name in feed.zones)
        return any(name in each.postures for each in (source, *feeds))


@dataclass(frozen=True, slots=True)
class Lack:
    """What one source cannot give to those who sit in `zone`."""

    source: Source
    zone: Zone
    what: str


def _part(flow: Flow, part: Part, vouchers: Vouchers) -> Iterator[Diagnostic]:
    zones = vouchers.seats.zones(part.space)
    pairs = [(source, zone) for zone in zones for source in vouchers.of(zone)]
    if not pairs:
        yield _nobody(flow, part, zones, vouchers)
        return
    lacking = [lack for source, zone in pairs for lack in _lacks(flow, source, zone, vouchers)]
    sound = {(source.name, zone.name) for source, zone in pairs}
    sound -= {(lack.source.name, lack.zone.name) for lack in lacking}
    unproved = [lack for lack in lacking if lack.what != PERSON]
    if lacking:
        all_lack = not sound and len({(each.source.name, each.zone.name) for each in unproved}) == len(pairs)
        yield _unmet(flow, part, unproved) if all_lack else _weak(flow, part, lacking)
    silent = [zone for zone in zones if not vouchers.of(zone)]
    if silent and not vouchers.seats.anywhere(part.space):
        yield _silent(flow, part, silent)


PERSON = "a person, only a MAC address, which anybody can copy"


def _lacks(flow: Flow, source: Source, zone: Zone, vouchers: Vouchers) -> Iterator[Lack]:
    conditions = flow.conditions
    if KINDS[source.kind].assurance is Assurance.MAC:
        yield Lack(source, zone, PERSON)
    if conditions.mfa and not source.mfa:
        yield Lack(source, zone, "a second factor")
    for name in conditions.postures:
        if not vouchers.posture(name, source, zone):
            yield Lack(source, zone, f"posture `{name}`")


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


def _nobody(flow: Flow, part: Part, zones: Sequence[Zone], vouchers: Vouchers) -> Diagnostic:
    named = [zone for zone in zones if not vouchers.seats.anywhere(part.space)]
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
