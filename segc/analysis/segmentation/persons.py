"""People who need a session in too many zones (`SEG409`)."""

from __future__ import annotations

from collections.abc import Iterator

from segc.analysis.conflicts.atoms import bits
from segc.analysis.segmentation.outline import Outline, allows
from segc.analysis.segmentation.wording import listing
from segc.diagnostics.model import Diagnostic, Label, finding
from segc.policy.model import Flow, Policy, Subject


def check_persons(outline: Outline) -> Iterator[Diagnostic]:
    most = outline.limits["person-zones"]
    alike: dict[tuple[frozenset[int], Flow], list[str]] = {}
    for person, (zones, flow) in places(outline).items():
        if len(zones) > most:
            alike.setdefault((frozenset(zones), flow), []).append(person)
    for (everywhere, flow), persons in alike.items():
        names = listing([f"`{person}`" for person in sorted(persons)])
        yield finding(
            "SEG409",
            f"{names} need{'s' if len(persons) == 1 else ''} a session in {len(everywhere)} zones",
            flow.span,
            f"person-zones is {most}",
            also=tuple(Label(outline.zones[zone].span, "one of them") for zone in sorted(everywhere)[:3]),
            notes=(
                "each zone is one more place to sign in at, and one more address that may be taken over",
                "what they are worth is that a session counts only where it is expected",
            ),
            help="keep the zones that they work from; who it is matters more than where they sit",
        )


def places(outline: Outline) -> dict[str, tuple[set[int], Flow]]:
    """The zones that each person's flows name with `in`, and the first of these flows."""
    inner = frozenset(outline.inner)
    found: dict[str, tuple[set[int], Flow]] = {}
    for end, flows in outline.by_source.items():
        allowed = sorted(allows(flows), key=lambda flow: flow.span)
        for mask, subject in zip(outline.by_part(end), (part.subject for part in end.parts), strict=True):
            if not allowed or subject is None:
                continue
            zones = {outline.zone_at[cell] for cell in bits(mask)}
            if inner <= zones:  # wherever they sit
                continue
            for person in _people(subject, outline.policy):
                found.setdefault(person, (set(), allowed[0]))[0].update(zones)
    return found


def _people(subject: Subject, policy: Policy) -> Iterator[str]:
    """Users by name, and directory groups that stand for their members."""
    if subject.kind == "user":
        yield subject.name
        return
    group = policy.groups.get(subject.name)
    if group is not None:
        yield from sorted(group.users | group.directories)
