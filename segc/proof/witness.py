"""One packet that stands for many, in words."""

from __future__ import annotations

from datetime import UTC, datetime

from segc.proof.atoms import members
from segc.proof.guards import ANY, Guard, Service
from segc.proof.meaning import Meaning, Role
from segc.space.addresses import address_text
from segc.space.services import ServiceSet


def worded(meaning: Meaning, role: Role, guard: Guard, at: int | None) -> str:
    """A packet of the guard, the first of a connection; nothing where it holds none."""
    family = meaning.atoms.real(guard.source, guard.destination, guard.family)
    if not family:
        return ""
    source, destination = (_address(meaning, bits, family) for bits in (guard.source, guard.destination))
    if source == destination:
        destination = _addresses(meaning, guard.destination, family, 2)[-1]
    protocol, value = _service(guard.service)
    service = ServiceSet(((protocol, ((value, value),)),))
    words = [f"{source} -> {destination} {service}", *sorted(map(str, guard.who))]
    if at is not None:
        words.append(f"at {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if role.still:
        words.append("in a connection that stands")
    return ", ".join(words)


def _address(meaning: Meaning, bits: int, family: int) -> str:
    return next(iter(_addresses(meaning, bits, family, 1)), "the gateway")


def _addresses(meaning: Meaning, bits: int, family: int, count: int) -> list[str]:
    """Some addresses of the places, those that hosts can have first."""
    found: list[str] = []
    for atom in members(bits & ~meaning.atoms.own):
        for first, last in meaning.atoms.spaces[atom].ranges(family):
            usual = [first + 1, first + 2, last] if last - first > 2 else list(range(first, last + 1))
            found += [address_text(each, family) for each in usual]
            if len(found) >= count:
                return found[:count]
    own = meaning.gateway.own.ranges(family)
    return found or ([address_text(own[0][0], family)] if own and bits & meaning.atoms.own else [])


def _service(service: Service) -> tuple[int, int]:
    protocol, first, last = service
    return (6, 9) if service == ANY else (protocol, first or min(last, 1))
