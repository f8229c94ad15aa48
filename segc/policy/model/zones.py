"""Where things are: zones and their hosts."""

from __future__ import annotations

from dataclasses import field

from segc.frozen import frozen
from segc.source import Span
from segc.space.prefixes import PrefixSet


@frozen
class Host:
    name: str
    zone: str
    space: PrefixSet
    mac: str | None
    tags: frozenset[str]
    span: Span = field(compare=False, repr=False)


@frozen
class Zone:
    """A named part of the network. `space` of an external zone is all that no other zone claims."""

    name: str
    vlan: int | None
    space: PrefixSet
    external: bool
    hosts: tuple[Host, ...]
    tags: frozenset[str]
    isolated: bool  # `intra deny`: hosts of the zone need a flow to reach each other
    refuse: str  # drop, reject
    about: str
    span: Span = field(compare=False, repr=False)
