"""Where a policy is enforced: gateways and switches, with their interfaces and ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Interface, IPv6Interface
from typing import NamedTuple

from segc.frozen import frozen
from segc.source import Span
from segc.space.prefixes import PrefixSet
from segc.space.services import ServiceSet

InterfaceAddress = IPv4Interface | IPv6Interface


@frozen
class Port:
    """A port of a bridge or a switch: `access` is its untagged zone, `trunk` its tagged ones.

    One that asks (`dot1x`) has neither: IEEE 802.1X puts it into one of the zones of `Policy.admissions`.
    """

    name: str
    access: str | None
    trunk: tuple[str, ...]
    isolated: bool
    span: Span = field(compare=False, repr=False)
    dot1x: bool = False


@frozen
class Interface:
    """A device of a gateway. `zone` sits on it untagged, `trunk` on `name.<vlan>`; a bridge has ports."""

    name: str
    zone: str | None
    trunk: tuple[str, ...]
    bridge: bool
    ports: tuple[Port, ...]
    dhcp: bool
    addresses: tuple[InterfaceAddress, ...]
    masquerade: tuple[int, ...]  # the families that leave by its own address
    span: Span = field(compare=False, repr=False)

    def where(self, gateway: str) -> str:
        """`wan0 of gw1`."""
        return f"{self.name} of {gateway}"


class Attachment(NamedTuple):
    """A zone on a layer-3 device of a gateway; `vlan` is set where the device is a sub-interface."""

    device: str
    zone: str
    interface: str
    vlan: int | None


@frozen
class Publish:
    """DNAT: ports `first` to `last` of the interface's address go to `target`, from `target_first` on."""

    interface: str
    protocol: int
    first: int
    last: int
    target: PrefixSet
    target_first: int
    span: Span = field(compare=False, repr=False)

    @property
    def outer(self) -> ServiceSet:
        """What is asked for on the interface's address."""
        return ServiceSet(((self.protocol, ((self.first, self.last),)),))

    @property
    def inner(self) -> ServiceSet:
        """What the target gets."""
        ports = (self.target_first, self.target_first + self.last - self.first)
        return ServiceSet(((self.protocol, (ports,)),))

    def where(self, gateway: str) -> str:
        """`tcp/443 on wan0 of gw1`."""
        return f"{self.outer} on {self.interface} of {gateway}"


@frozen
class Gateway:
    """An enforcement point. With no `gateway` statement one is assumed: `implicit`, without interfaces."""

    name: str
    implicit: bool
    interfaces: tuple[Interface, ...]
    attachments: tuple[Attachment, ...]
    addresses: Mapping[str, tuple[InterfaceAddress, ...]]  # by zone
    own: PrefixSet  # every address known to be the gateway's
    dhcp_zones: tuple[str, ...]
    publishes: tuple[Publish, ...]
    mark: int  # the bits of the packet mark that the ruleset may use
    span: Span | None = field(compare=False, repr=False)
    zones: frozenset[str] = field(init=False, compare=False, repr=False)  # those that it is attached to

    def __post_init__(self) -> None:
        object.__setattr__(self, "zones", frozenset(each.zone for each in self.attachments))

    def interface(self, name: str) -> Interface:
        """The interface of that name, which it has."""
        return next(each for each in self.interfaces if each.name == name)


@frozen
class Switch:
    name: str
    platform: str
    ports: tuple[Port, ...]
    span: Span = field(compare=False, repr=False)
