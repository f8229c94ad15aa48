"""The kinds of sources that vouch for sessions, and how much each can prove.

Whoever vouches proves a person by something: NIST SP 800-63B calls these authenticators. A certificate or a
key cannot be phished or guessed, a password can, and a MAC address can be read off a label and typed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class Assurance(IntEnum):
    """What a claim rests on; the stronger compares greater."""

    MAC = 1
    PASSWORD = 2
    CERTIFICATE = 3
    PASSWORD_AND_MFA = 4
    CERTIFICATE_AND_MFA = 5

    def __str__(self) -> str:
        return _WORDS[self]

    def with_mfa(self) -> Assurance:
        """The same with a second factor, which makes no person out of a MAC address."""
        return _WITH_MFA.get(self, self)


_WITH_MFA = {
    Assurance.PASSWORD: Assurance.PASSWORD_AND_MFA,
    Assurance.CERTIFICATE: Assurance.CERTIFICATE_AND_MFA,
}
_WORDS = {
    Assurance.MAC: "mac",
    Assurance.PASSWORD: "password",
    Assurance.CERTIFICATE: "certificate",
    Assurance.PASSWORD_AND_MFA: "password+mfa",
    Assurance.CERTIFICATE_AND_MFA: "certificate+mfa",
}


class Kind(NamedTuple):
    """A kind of source. `mfa` and `posture` tell whether one of them may vouch for these at all, where the
    policy says that it does; `freshness` is for how many seconds a claim without a `ttl` is believed.
    `assurance` is None where the source speaks of devices only and binds nobody. `entrance` tells whether
    people come into its zones only by what it sees, so that whoever sits there has a session as a rule.
    `back` says when it proves people anew whose session was ended, without anything that they do; it is empty
    where it does not.
    """

    assurance: Assurance | None
    mfa: bool
    posture: bool
    freshness: int
    entrance: bool = False
    back: str = ""


KINDS: Mapping[str, Kind] = {
    "openvpn": Kind(
        Assurance.CERTIFICATE,
        mfa=True,
        posture=True,
        freshness=3600,
        entrance=True,
        back="within seconds, as their clients dial in again",
    ),
    "wireguard": Kind(
        Assurance.CERTIFICATE,
        mfa=False,
        posture=True,
        freshness=180,  # REJECT_AFTER_TIME
        entrance=True,
        back="within two minutes, as their clients shake hands again",
    ),
    "radius": Kind(  # two interim updates
        Assurance.PASSWORD, mfa=True, posture=True, freshness=1200, entrance=True
    ),
    "dhcp": Kind(
        Assurance.MAC, mfa=False, posture=False, freshness=3600, back="when their leases are renewed"
    ),
    "posture": Kind(None, mfa=False, posture=True, freshness=3600),
    "manual": Kind(Assurance.PASSWORD, mfa=True, posture=True, freshness=3600),  # an administrator's word
}
