"""Where it is enforced."""

from __future__ import annotations

from dataclasses import field

from segc.frozen import frozen
from segc.source import Span
from segc.syntax.tree.ends import End, Term, Word
from segc.syntax.tree.inventory import Setting
from segc.syntax.tree.services import Service


@frozen
class Port:
    """`port p1 zone hr isolated`, `port "Gi1/0/1-12" dot1x` or `port p2 trunk hr, finance`."""

    name: Word
    zones: tuple[Word, ...]  # none where whoever is at the port decides
    trunk: bool
    isolated: bool
    span: Span = field(compare=False, repr=False)
    dot1x: bool = False


@frozen
class Interface:
    """`interface wan0 { zone internet  address dhcp  masquerade }`."""

    name: Word
    zones: tuple[Word, ...]  # zone Z (untagged), at most one is right
    trunk: tuple[Word, ...]
    bridge: bool
    ports: tuple[Port, ...]
    addresses: tuple[Word, ...]  # `dhcp` among them
    masquerade: tuple[int, ...]  # the families that it translates
    span: Span = field(compare=False, repr=False)


@frozen
class GatewayAddress:
    """`address hr 10.10.10.1/24, 2001:db8:10::1/64`."""

    zone: Word
    addresses: tuple[Word, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Serve:
    """`serve dns, dhcp to hr, finance`: names of services, `dhcp` being built in."""

    services: tuple[Service, ...]
    to: End
    span: Span = field(compare=False, repr=False)


@frozen
class Manage:
    """`manage from it-admin : ssh`."""

    source: End
    services: tuple[Service, ...]
    span: Span = field(compare=False, repr=False)


@frozen
class Publish:
    """`publish tcp/443 on wan0 -> dmz.web : tcp/8443`; `target_service` None keeps the port."""

    service: Service
    interface: Word
    target: Term
    target_service: Service | None
    span: Span = field(compare=False, repr=False)


@frozen
class GatewayDef:
    name: Word
    interfaces: tuple[Interface, ...]
    addresses: tuple[GatewayAddress, ...]
    serves: tuple[Serve, ...]
    manages: tuple[Manage, ...]
    publishes: tuple[Publish, ...]
    settings: tuple[Setting, ...]  # mark 0xffff0000: the bits of the packet mark that segc may use
    span: Span = field(compare=False, repr=False)


@frozen
class SwitchDef:
    name: Word
    settings: tuple[Setting, ...]  # platform
    ports: tuple[Port, ...]
    span: Span = field(compare=False, repr=False)
