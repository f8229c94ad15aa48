"""What a change of policy costs and saves, in words."""

from __future__ import annotations

from collections.abc import Sequence

from segc.analysis.segmentation.difference import Change, Comparison
from segc.analysis.segmentation.merging import Merger
from segc.policy.model import Zone
from segc.space import intervals

SHOWN = 3


def certificate(merged: Merger) -> tuple[str, ...]:
    """The cost of a merger, each kind with one packet, and its benefit."""
    comparison = merged.comparison
    notes = [f"merging them {_exposure(merged)}{_savings(merged)}"]
    if merged.opened:
        notes.append(f"for instance: {comparison.witness(merged.opened[0]).text} is denied today")
    if merged.leaking:
        notes.append(f"it also opens {listed(merged.leaking, comparison)}, denied today")
    lost = (*merged.missing, *merged.closed)
    if lost:
        notes.append(f"it also closes {listed(lost, comparison)}, allowed today")
    return tuple(notes)


def listed(changes: Sequence[Change], comparison: Comparison) -> str:
    """Regions of traffic, the first few, with one packet."""
    texts = regions(changes, comparison)
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"{'; '.join(texts[:SHOWN])}{more} (such as {comparison.witness(changes[0]).text})"


def regions(changes: Sequence[Change], comparison: Comparison) -> list[str]:
    """Regions of traffic, all of them."""
    return list(dict.fromkeys(comparison.wording.region(change.region) for change in changes))


def _exposure(merged: Merger) -> str:
    if not merged.opened:
        return "exposes nothing within"
    one, other = merged.first, merged.second
    if one.hosts and other.hosts:
        return f"exposes {len(one.hosts)} x {len(other.hosts)} hosts to each other"
    return f"exposes {usable(one)} x {usable(other)} addresses to each other"


def usable(zone: Zone) -> str:
    """How many addresses a zone has, of IPv4 where it has any."""
    return many(intervals.count(zone.space.v4) or intervals.count(zone.space.v6))


def many(count: int) -> str:
    return f"{count:,}" if count < 1 << 32 else f"2^{count.bit_length() - 1}"


def some(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def listing(words: Sequence[str]) -> str:
    """`a`, `b` and 3 more."""
    shown = list(words[:SHOWN])
    if len(words) > SHOWN:
        return f"{', '.join(shown)} and {len(words) - SHOWN} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _savings(merged: Merger) -> str:
    saved = []
    if merged.spared:
        saved.append(some(merged.spared, "flow"))
    if merged.second.vlan is not None:
        saved.append(f"VLAN {merged.second.vlan}")
    return f" and removes {' and '.join(saved or ['a zone'])}"
