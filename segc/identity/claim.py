"""What a source says of a person: who sits behind which addresses, as proved by what, and when."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, AF_INET6, inet_pton
from types import MappingProxyType
from typing import Any

from segc.frozen import frozen
from segc.identity.kinds import KINDS, Assurance
from segc.identity.names import LENGTH, person, readable
from segc.space.addresses import Address

Fact = bool | int | str  # versions and dates are written as strings
Facts = Mapping[str, Fact]
NO_FACTS: Facts = MappingProxyType({})

MANUAL = "manual"  # the source, and the kind, of what an administrator says by `segc bind`
ADDRESSES, FACTS, POSTURES = 64, 256, 64  # how many one claim may hold
LONGEST = 366 * 24 * 3600  # seconds
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MEMBERS = frozenset(
    (
        "do",
        "user",
        "addresses",
        "source",
        "kind",
        "id",
        "mac",
        "device",
        "mfa",
        "postures",
        "facts",
        "ttl",
        "at",
    )
)


class ClaimError(ValueError):
    """A claim that says too little, or what cannot be; in words for whoever made it."""


@frozen
class Claim:
    """`id` is the source's own name for the session, `at` when it verified it (Unix seconds), `ttl` for how
    many seconds it vouches; without one, for as long as its kind is believed. `delegated` is what somebody
    else than root said by hand."""

    user: str
    addresses: tuple[Address, ...]
    source: str
    kind: str
    id: str
    at: float
    mac: str | None = None
    device: str | None = None
    mfa: bool = False
    postures: frozenset[str] = frozenset()
    facts: Facts = field(default_factory=lambda: NO_FACTS)
    ttl: int | None = None
    delegated: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.id

    @property
    def freshness(self) -> int:
        """For how many seconds it is believed."""
        return KINDS[self.kind].freshness if self.ttl is None else self.ttl

    @property
    def assurance(self) -> Assurance:
        """How strong the proof behind it is. Only for kinds that bind people."""
        base = KINDS[self.kind].assurance
        assert base is not None
        return base.with_mfa() if self.mfa else base

    def document(self) -> dict[str, Any]:
        """As a request to bind, without what says nothing; `claim_of` reads it."""
        optional = {
            "mac": self.mac,
            "device": self.device,
            "mfa": self.mfa,
            "postures": sorted(self.postures),
            "facts": dict(self.facts),
            "ttl": self.ttl,
        }
        return {
            "user": self.user,
            "addresses": [str(each) for each in self.addresses],
            "source": self.source,
            "kind": self.kind,
            "id": self.id,
            "at": self.at,
            **{name: value for name, value in optional.items() if value},
        }


def claim_of(document: Mapping[str, Any], now: float) -> Claim:
    """Read a claim that came from elsewhere. What verifies after `now`, verified now. ClaimError."""
    unknown = sorted(map(str, document.keys() - _MEMBERS))
    if unknown:
        raise ClaimError(f"`{unknown[0]}` says nothing in a claim")
    addresses = addresses_of(document.get("addresses"))
    source = name_of(document, "source", MANUAL)
    kind = name_of(document, "kind", source)
    if kind not in KINDS:
        raise ClaimError(f"there is no kind of source `{kind}`: it is one of {', '.join(sorted(KINDS))}")
    if KINDS[kind].assurance is None:
        raise ClaimError(f"a source of kind `{kind}` speaks of devices and binds nobody")
    mac, device = document.get("mac"), document.get("device")
    return Claim(
        user=person_of(document),
        addresses=addresses,
        source=source,
        kind=kind,
        id=name_of(document, "id", str(addresses[0])),
        at=moment_of(document.get("at"), now),
        mac=None if mac is None else mac_of(mac),
        device=None if device is None else name_of(document, "device"),
        mfa=_flag(document.get("mfa", False)),
        postures=_names(document.get("postures", ())),
        facts=facts_of(document.get("facts", {})),
        ttl=seconds_of(document.get("ttl")),
    )


def name_of(document: Mapping[str, Any], member: str, default: str | None = None) -> str:
    value = document.get(member, default)
    if value is None and default is not None:
        value = default
    if not isinstance(value, str) or not readable(value):
        raise ClaimError(f"`{member}` must be a name: 1 to {LENGTH} printable characters")
    return value


def person_of(document: Mapping[str, Any], member: str = "user") -> str:
    return person(name_of(document, member))


def addresses_of(value: Any) -> tuple[Address, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= ADDRESSES:
        raise ClaimError(f"`addresses` must list 1 to {ADDRESSES} addresses")
    return tuple(dict.fromkeys(map(address_of, value)))


def address_of(value: Any) -> Address:
    """One that a single host can have; an IPv4 address that is written as IPv6 is what it is."""
    try:
        if not isinstance(value, str):
            raise ValueError
        found: IPv4Address | IPv6Address = ip_address(value)
    except ValueError:
        raise ClaimError(f"`{value}` is no address of a host") from None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            raise ClaimError(f"`{value}` has a scope: a session binds addresses that are routed")
        found = found.ipv4_mapped or found
    if found.is_multicast or found.is_unspecified or found.is_loopback or found.is_link_local:
        raise ClaimError(f"`{value}` is not the address of one host on a network")
    return found


def mac_of(value: Any) -> str:
    text = value.lower().replace("-", ":") if isinstance(value, str) else ""
    if not _MAC.fullmatch(text):
        raise ClaimError(f"`{value}` is no MAC address: write it as `02:00:00:00:00:1e`")
    return text


def facts_of(value: Any) -> dict[str, Fact]:
    if not isinstance(value, dict) or len(value) > FACTS:
        raise ClaimError(f"`facts` must be an object of at most {FACTS} facts")
    for name, fact in value.items():
        if not readable(name):
            raise ClaimError(f"a fact is named by 1 to {LENGTH} printable characters")
        if not isinstance(fact, bool | int | str) or _too_long(fact):
            raise ClaimError(
                f"the fact `{name}` must be true, false, a whole number or a short string "
                "(versions and dates are strings)"
            )
    return dict(value)


def _too_long(fact: Fact) -> bool:
    return len(fact) > LENGTH if isinstance(fact, str) else abs(fact) >= 1 << 63


def seconds_of(value: Any) -> int | None:
    """A length of time, rounded down."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= LONGEST:
        raise ClaimError(f"`ttl` must be a number of seconds, 1 to {LONGEST}")
    return int(value)


def moment_of(value: Any, now: float) -> float:
    """Unix seconds, `now` at the latest: a source whose clock is ahead must not outlast what comes after."""
    if value is None:
        return now
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ClaimError("`at` must be in Unix seconds")
    return float(min(value, now))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ClaimError("`mfa` must be true or false")
    return value


def _names(value: Any) -> frozenset[str]:
    if not isinstance(value, list | tuple) or len(value) > POSTURES:
        raise ClaimError(f"`postures` must list at most {POSTURES} names")
    if not all(isinstance(each, str) and 0 < len(each) <= LENGTH for each in value):
        raise ClaimError("`postures` must be names")
    return frozenset(value)


def packed(claim: Claim) -> list[Any]:
    """For the journal; `unpacked` reads it."""
    addresses = [str(each) for each in claim.addresses]
    found = [claim.user, addresses, claim.source, claim.kind, claim.id, claim.at]
    more = [claim.mac, claim.device, claim.mfa, sorted(claim.postures), dict(claim.facts), claim.ttl]
    more += [True] if claim.delegated else []
    return found + more if any(more) else found


def unpacked(values: list[Any]) -> Claim:
    """What was once taken is not examined again: there may be very many."""
    user, addresses, source, kind, id_, at, *more = values
    places = tuple(map(_address, addresses))
    if not more:
        return Claim(user, places, source, kind, id_, at)
    mac, device, mfa, postures, facts, ttl, *delegated = more
    known = frozenset(postures) if postures else _NONE
    facts = facts or NO_FACTS
    return Claim(user, places, source, kind, id_, at, mac, device, mfa, known, facts, ttl, bool(delegated))


_NONE: frozenset[str] = frozenset()


def _address(text: str) -> Address:
    """Quicker than `ip_address`, for what that has written."""
    if ":" in text:
        return IPv6Address(inet_pton(AF_INET6, text))
    return IPv4Address(inet_pton(AF_INET, text))
