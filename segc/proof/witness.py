"""One packet that stands for many, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from segc.proof.atoms import members
from segc.proof.events import ANY, Guard, Service
from segc.proof.meaning import Meaning, Role
from segc.proof.who import Who
from segc.space.addresses import address_text
from segc.space.services import ServiceSet


@dataclass(frozen=True, slots=True)
class Witness:
    """The first packet of a connection (of one that stands, its opener's); an end without address is us."""

    source: str
    destination: str
    protocol: int
    value: int
    who: Who
    at: int | None
    still: bool

    def __str__(self) -> str:
        service = ServiceSet(((self.protocol, ((self.value, self.value),)),))
        words = [f"{self.source or 'the gateway'} -> {self.destination or 'the gateway'} {service}"]
        words += sorted(map(str, self.who))
        if self.at is not None:
            words.append(f"at {datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M:%S} UTC")
        if self.still:
            words.append("in a connection that stands")
        return ", ".join(words)


def worded(meaning: Meaning, role: Role, guard: Guard, at: int | None) -> Witness | None:
    """A packet of the guard; None where it holds none."""
    family = guard.family or meaning.atoms.real(guard.source, guard.destination)
    if not family:
        return None
    ends = [_address(meaning, bits, family) for bits in (guard.source, guard.destination)]
    if ends[0] == ends[1] and ends[0]:
        ends[1] = next(iter(_addresses(meaning, guard.destination, family, 2)[1:]), ends[1])
    protocol, value = _service(guard.service, family)
    return Witness(ends[0], ends[1], protocol, value, guard.who, at, role.still)


def _address(meaning: Meaning, bits: int, family: int) -> str:
    return next(iter(_addresses(meaning, bits, family, 1)), "")


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


def _service(service: Service, family: int) -> tuple[int, int]:
    if service == ANY:
        return 6, 9
    return service[0], service[1] or min(service[2], 1)
