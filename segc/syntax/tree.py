"""The syntax tree: what was written, before any name means anything.

Frozen nodes. Spans stand outside equality and repr, so `parse(format(tree)) == tree` can be said.
Values that need checking (addresses, ports, dates, sizes) stay text here; `segc.policy.resolve` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from segc.identity.snapshot import Snapshot
from segc.source import Span


@dataclass(frozen=True, slots=True)
class Word:
    """A name, number, address or other bare word; or a string, then without its quotes."""

    text: str
    span: Span = field(compare=False, repr=False)


# ---- ends -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnyTerm:
    """`any`: every zone, never a gateway."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NameTerm:
    """A zone or a set (`hr`), or a host of a zone (`hr.payroll`)."""

    name: Word
    host: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TagTerm:
    name: Word
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AddressTerm:
    """An address, a prefix or a range `first-last`, of either family."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroupTerm:
    """`group G`, or `group G in (vpn, hr)`; `zones` is empty where no `in` was written."""

    name: Word
    zones: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UserTerm:
    name: Word
    zones: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GatewayTerm:
    name: Word
    span: Span = field(compare=False, repr=False)


Term = AnyTerm | NameTerm | TagTerm | AddressTerm | GroupTerm | UserTerm | GatewayTerm


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow: the union of `terms` less the union of `excepted`."""

    terms: tuple[Term, ...]
    excepted: tuple[Term, ...]
    span: Span = field(compare=False, repr=False)


# ---- services ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceLiteral:
    """`tcp/443`, `tcp/8000-8100`, `icmp/echo-request`, `proto/47`, or a protocol alone (`udp`)."""

    protocol: Word
    argument: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ServiceName:
    name: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AnyService:
    span: Span = field(compare=False, repr=False)


Service = ServiceLiteral | ServiceName | AnyService


# ---- inventory --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Import:
    path: Word
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ServiceDef:
    name: Word
    services: tuple[Service, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Host:
    """`host payroll = 10.10.10.20, 2001:db8:10::20 { mac … tag … }`."""

    name: Word
    addresses: tuple[Word, ...]
    mac: tuple[Word, ...]  # at most one is right; the resolver says so
    tags: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """`key value…` inside a block: `vlan 10`, `subnet A, B`, `external` (no values), `about "…"`."""

    key: Word
    values: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Dot1x:
    """`dot1x group hr-staff`, `dot1x user "…"` or `dot1x mac`: whom a port that asks puts into the zone."""

    kind: str  # group, user, mac
    names: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ZoneDef:
    name: Word
    settings: tuple[Setting, ...]  # vlan, subnet, external, tag, intra, refuse, about
    hosts: tuple[Host, ...]
    span: Span = field(compare=False, repr=False)
    dot1x: tuple[Dot1x, ...] = ()


@dataclass(frozen=True, slots=True)
class SetDef:
    name: Word
    end: End
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroupDef:
    """A group by its members, or `from directory "…"` (then `directory` is set)."""

    name: Word
    users: tuple[Word, ...]
    groups: tuple[Word, ...]
    directory: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """`os_version >= "14.2"`; `operator` is one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `within`."""

    name: Word
    operator: str
    value: Word
    quoted: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PostureDef:
    name: Word
    facts: tuple[Fact, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SessionDef:
    """`session staff { max 10h  idle 1h }`; the name is a group's."""

    name: Word
    settings: tuple[Setting, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SourceDef:
    """`source hq-vpn openvpn { zone vpn  mfa  posture managed  max 12h }`."""

    name: Word
    kind: Word
    settings: tuple[Setting, ...]  # zone, mfa, posture, max
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DirectoryDef:
    """`directory corp { sync 5m  timeout 30s }`."""

    name: Word
    settings: tuple[Setting, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Revoke:
    """`revoke within 15m`, or `revoke group finance within 15m`."""

    group: Word | None
    within: Word
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LimitsDef:
    """`limits { zone-hosts 2 }`: from where on checks of segmentation speak up."""

    settings: tuple[Setting, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Timezone:
    name: Word
    span: Span = field(compare=False, repr=False)


# ---- flows and promises -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requirement:
    """`mfa` (then `posture` is None) or `posture NAME`."""

    posture: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class When:
    """`when mon-fri 08:00-18:00`: `days` are `mon`…`sun`, `mon-fri` or `daily`."""

    days: tuple[Word, ...]
    hours: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """What may follow a flow, each at most once; a second one is kept in `repeated` to be complained of."""

    require: tuple[Requirement, ...] = ()
    when: When | None = None
    not_before: Word | None = None
    until: Word | None = None
    limit: Word | None = None  # `200/second`
    log: Word | None = None
    owner: Word | None = None
    ticket: Word | None = None
    because: Word | None = None
    repeated: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    action: str  # allow, deny
    staged: bool
    name: Word | None
    source: End
    destination: End
    services: tuple[Service, ...]
    options: Options
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Never:
    source: End
    destination: End
    transitive: bool  # ~>
    services: tuple[Service, ...]  # empty: any
    because: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    source: End
    destination: End
    services: tuple[Service, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Workflow:
    name: Word
    steps: tuple[Step, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A line of a `test`: every packet of it must get the verdict."""

    action: str  # allow, deny
    source: End
    destination: End
    services: tuple[Service, ...]
    facts: tuple[Requirement, ...]  # with mfa, posture managed
    at: Word | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Test:
    title: Word
    expectations: tuple[Expectation, ...]
    span: Span = field(compare=False, repr=False)


# ---- where it is enforced ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Port:
    """`port p1 zone hr isolated`, `port "Gi1/0/1-12" dot1x` or `port p2 trunk hr, finance`."""

    name: Word
    zones: tuple[Word, ...]  # none where whoever is at the port decides
    trunk: bool
    isolated: bool
    span: Span = field(compare=False, repr=False)
    dot1x: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """`interface wan0 { zone internet  address dhcp  masquerade }`."""

    name: Word
    zones: tuple[Word, ...]  # zone Z (untagged), at most one is right
    trunk: tuple[Word, ...]
    bridge: bool
    ports: tuple[Port, ...]
    addresses: tuple[Word, ...]  # `dhcp` among them
    masquerade: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """`address hr 10.10.10.1/24, 2001:db8:10::1/64`."""

    zone: Word
    addresses: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Serve:
    """`serve dns, dhcp to hr, finance`: names of services, `dhcp` being built in."""

    services: tuple[Service, ...]
    to: End
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Manage:
    """`manage from it-admin : ssh`."""

    source: End
    services: tuple[Service, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Publish:
    """`publish tcp/443 on wan0 -> dmz.web : tcp/8443`; `target_service` None keeps the port."""

    service: Service
    interface: Word
    target: Term
    target_service: Service | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GatewayDef:
    name: Word
    interfaces: tuple[Interface, ...]
    addresses: tuple[GatewayAddress, ...]
    serves: tuple[Serve, ...]
    manages: tuple[Manage, ...]
    publishes: tuple[Publish, ...]
    settings: tuple[Setting, ...]  # mark 0xffff0000: the bits of the packet mark that segc may use
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SwitchDef:
    name: Word
    settings: tuple[Setting, ...]  # platform
    ports: tuple[Port, ...]
    span: Span = field(compare=False, repr=False)


Statement = (
    Import
    | ServiceDef
    | ZoneDef
    | SetDef
    | GroupDef
    | PostureDef
    | SessionDef
    | SourceDef
    | DirectoryDef
    | Revoke
    | LimitsDef
    | Snapshot
    | Timezone
    | Flow
    | Never
    | Workflow
    | Test
    | GatewayDef
    | SwitchDef
)


@dataclass(frozen=True, slots=True)
class File:
    """The statements of one file in the order written."""

    statements: tuple[Statement, ...]

    @property
    def path(self) -> str:
        """The file that the statements stand in; nothing where there is none."""
        return self.statements[0].span.path if self.statements else ""

    @property
    def flows(self) -> tuple[Flow, ...]:
        return tuple(each for each in self.statements if isinstance(each, Flow))

    @property
    def rest(self) -> tuple[Statement, ...]:
        """All but the flows, of which there may be many."""
        return tuple(each for each in self.statements if not isinstance(each, Flow))
