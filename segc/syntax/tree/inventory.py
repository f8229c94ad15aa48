"""What there is: zones, people, devices, and what they are called."""

from __future__ import annotations

from dataclasses import field

from segc.frozen import frozen
from segc.source import Span
from segc.syntax.tree.ends import End, Word
from segc.syntax.tree.services import Service


@frozen
class Import:
    path: Word
    span: Span = field(compare=False, repr=False)


@frozen
class ServiceDef:
    name: Word
    services: tuple[Service, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Host:
    """`host payroll = 10.10.10.20, 2001:db8:10::20 { mac … tag … }`."""

    name: Word
    addresses: tuple[Word, ...]
    mac: tuple[Word, ...]  # at most one is right; the resolver says so
    tags: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Setting:
    """`key value…` inside a block: `vlan 10`, `subnet A, B`, `external` (no values), `about "…"`."""

    key: Word
    values: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Dot1x:
    """`dot1x group hr-staff`, `dot1x user "…"` or `dot1x mac`: whom a port that asks puts into the zone."""

    kind: str  # group, user, mac
    names: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class ZoneDef:
    name: Word
    settings: tuple[Setting, ...]  # vlan, subnet, external, tag, intra, refuse, about
    hosts: tuple[Host, ...]
    span: Span = field(compare=False, repr=False)
    dot1x: tuple[Dot1x, ...] = ()


@frozen
class SetDef:
    name: Word
    end: End
    span: Span = field(compare=False, repr=False)


@frozen
class GroupDef:
    """A group by its members, or `from directory "…"` (then `directory` is set)."""

    name: Word
    users: tuple[Word, ...]
    groups: tuple[Word, ...]
    directory: Word | None
    span: Span = field(compare=False, repr=False)


@frozen
class Fact:
    """`os_version >= "14.2"`; `operator` is one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `within`."""

    name: Word
    operator: str
    value: Word
    quoted: bool
    span: Span = field(compare=False, repr=False)


@frozen
class PostureDef:
    name: Word
    facts: tuple[Fact, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class SessionDef:
    """`session staff { max 10h  idle 1h }`; the name is a group's."""

    name: Word
    settings: tuple[Setting, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class SourceDef:
    """`source hq-vpn openvpn { zone vpn  mfa  posture managed  max 12h }`."""

    name: Word
    kind: Word
    settings: tuple[Setting, ...]  # zone, mfa, posture, max
    span: Span = field(compare=False, repr=False)


@frozen
class DirectoryDef:
    """`directory corp { sync 5m  timeout 30s }`."""

    name: Word
    settings: tuple[Setting, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Revoke:
    """`revoke within 15m`, or `revoke group finance within 15m`."""

    group: Word | None
    within: Word
    span: Span = field(compare=False, repr=False)


@frozen
class LimitsDef:
    """`limits { zone-hosts 2 }`: from where on checks of segmentation speak up."""

    settings: tuple[Setting, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Timezone:
    name: Word
    span: Span = field(compare=False, repr=False)
