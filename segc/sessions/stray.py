"""Elements of the sets of people that are not as somebody vouches for, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segc.apply.errors import ApplyError
from segc.apply.generation import Generation
from segc.plan.model import Action, Change
from segc.policy.model import Policy
from segc.sessions.book import NOTHING, Book, BookError, Membership, read_book
from segc.sessions.session import Place
from segc.space.addresses import Address
from segc.space.words import quote

SHOWN = 3  # flows that an element opens
HOW = {
    Action.ADD: "element added by hand",
    Action.CHANGE: "element outlasts the session",
    Action.REMOVE: "element is gone",
}


class Stray(NamedTuple):
    """An element that nobody vouches for (added), that is gone, or that outlasts its session (changed)."""

    action: Action
    place: Place

    def order(self) -> tuple[str, bytes]:
        name, address = self.place
        return name, address.packed

    @property
    def change(self) -> Change:
        """The same as other drift has it."""
        name, address = self.place
        key = json.dumps(str(address))
        before, after = (key if self.action is not each else "" for each in (Action.ADD, Action.REMOVE))
        return Change(self.action, "element", name, before, after)


def book_of(generation: Generation) -> Book:
    """What it says of sessions. ApplyError where that cannot be read."""
    text = generation.artifact("sessions.json")
    try:
        return read_book(text) if text else NOTHING
    except BookError as error:
        raise ApplyError(str(error)) from None


def meaning(strays: Iterable[Stray], generation: Generation, policy: Policy) -> Iterator[str]:
    """Such as ``10.1.0.66 counts as a member of `staff`: element added by hand``, and what that opens."""
    memberships = {name: each for each in book_of(generation).memberships for name in (each.ipv4, each.ipv6)}
    for action, (name, address) in strays:
        membership = memberships[name]
        gone = action is Action.REMOVE
        opened = [] if gone else _opened(membership, address, policy)
        more = f" and {len(opened) - SHOWN} more" if len(opened) > SHOWN else ""
        opens = f"; it opens {', '.join(opened[:SHOWN])}{more}" if opened else ""
        counts = "does not count" if gone else "counts"
        yield f"{address} {counts} as {_whom(membership)}: {HOW[action]}{opens}"


def _whom(membership: Membership) -> str:
    parts = (each.partition(" ") for each in membership.subjects)
    who = " or ".join(
        f"a member of {quote(name)}" if kind == "group" else quote(name) for kind, _, name in parts
    )
    needs = (["mfa"] if membership.mfa else []) + [f"posture {each}" for each in membership.postures]
    return who + (f" with {', '.join(needs)}" if needs else "")


def _opened(membership: Membership, address: Address, policy: Policy) -> list[str]:
    """What flows that ask for just this membership let an address reach."""
    asked = membership.mfa, frozenset(membership.postures)
    return [
        f"{quote(flow.destination.text)} {flow.services} ({flow.span.place})"
        for flow in policy.flows
        if flow.action == "allow" and not flow.staged
        if (flow.conditions.mfa, frozenset(flow.conditions.postures)) == asked
        if any(
            part.subject
            and f"{part.subject.kind} {part.subject.name}" in membership.subjects
            and address in part.space
            for part in flow.source.parts
        )
    ]
