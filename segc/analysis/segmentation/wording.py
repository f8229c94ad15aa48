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
    opened = next(merged.opened, None)
    exposure = "exposes nothing within" if opened is None else _exposure(merged.zones)
    notes = [f"merging them {exposure}{_savings(merged)}"]
    if opened is not None:
        notes.append(f"for instance: {comparison.witness(opened).text} is denied today")
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


def _exposure(zones: Sequence[Zone]) -> str:
    hosts = all(zone.hosts for zone in zones)
    counts, word = [len(z.hosts) if hosts else addresses(z) for z in zones], "hosts" if hosts else "addresses"
    if len(zones) == 2:
        return f"exposes {many(counts[0])} x {many(counts[1])} {word} to each other"
    return f"exposes the {many(sum(counts))} {word} of {len(zones):,} zones to each other"


def usable(zone: Zone) -> str:
    return many(addresses(zone))


def addresses(zone: Zone) -> int:
    """How many a zone has, of IPv4 where it has any."""
    return intervals.count(zone.space.v4) or intervals.count(zone.space.v6)


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
    vlans = [str(zone.vlan) for zone in merged.others if zone.vlan is not None]
    if vlans:
        saved.append(f"VLAN{'' if len(vlans) == 1 else 's'} {listing(vlans)}")
    count = len(merged.others)
    return f" and removes {' and '.join(saved or ['a zone' if count == 1 else some(count, 'zone')])}"
