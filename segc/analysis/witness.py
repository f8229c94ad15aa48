"""One packet that shows a finding, in words."""

from __future__ import annotations

from datetime import datetime

from segc.policy.calendar import timezone
from segc.policy.claims import Claims, Situation
from segc.space.addresses import address_text
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet
from segc.space.traffic import Box
from segc.space.typical import typical, typical_service


def witness(box: Box) -> str:
    """`10.10.90.7 -> 10.10.10.20 tcp/22`: a packet of a box that is not empty."""
    source, destination = _ends(box)
    return f"{source} -> {destination} {first_service(box.services)}"


def _ends(box: Box) -> tuple[str, str]:
    for family in (4, 6):
        here, there = box.source.ranges(family), box.destination.ranges(family)
        if here and there:
            source, (first, last) = typical(here, family)[0], typical(there, family)
            # An address with itself tells little: within one zone take two where there are two.
            return address_text(source, family), address_text(last if source == first else first, family)
    if box.from_gateways:
        to = f"gateway {min(box.to_gateways)}" if box.to_gateways else _example(box.destination)
        return f"gateway {min(box.from_gateways)}", to
    return _example(box.source), f"gateway {min(box.to_gateways)}"


def _example(space: PrefixSet) -> str:
    family = min(space.families)
    return address_text(typical(space.ranges(family), family)[0], family)


def first_service(services: ServiceSet) -> str:
    protocol, value = typical_service(services)
    return str(ServiceSet(((protocol, ((value, value),)),)))


def circumstances(situation: Situation, zone: str) -> str:
    """` (from user "ana", with mfa, at 2026-11-24 18:30)`, in local time; empty where nothing matters."""
    sender = situation.source
    words = [_who(sender, "from "), _who(situation.destination, "to ")]
    words += ["with mfa"] if sender.mfa else []
    words += [f"posture {name}" for name in sorted(sender.postures)]
    if situation.at is not None:
        words.append(f"at {datetime.fromtimestamp(situation.at, timezone(zone)):%Y-%m-%d %H:%M}")
    said = ", ".join(filter(None, words))
    return f" ({said})" if said else ""


def _who(claims: Claims, word: str) -> str:
    if claims.user is None and not claims.groups:
        return ""
    texts = [f'user "{claims.user}"'] if claims.user else []
    texts += [f"group {name}" for name in sorted(claims.groups)]
    return word + ", ".join(texts)
