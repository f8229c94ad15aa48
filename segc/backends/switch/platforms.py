"""What each switch platform takes: names of ports, lengths, reserved names and VLANs, and how it isolates.

Isolation: `protected` of IOS and the Linux bridge's `isolated` are flags of a port; AOS-CX names, port by
port, where frames must not go (`portfilter`); Junos has private VLANs (RFC 5517). EOS has private VLANs too,
but whether a trunk sends a secondary VLAN's frames with the primary's tag differs between its models, so
there isolation counts as not expressible.

Trunks: an untagged frame belongs to no zone. Junos, EOS (`native vlan tag`), Linux and OpenWrt drop it;
IOS and AOS-CX put it into a native VLAN, which is therefore one without other ports, and not VLAN 1, where
every port is that nobody configured.

IEEE 802.1X: a port that asks stays in a VLAN without other ports until RADIUS has named another, so that one
which is let in without any reaches nothing. hostapd takes no VLAN from RADIUS for wired ports, so Linux and
OpenWrt cannot ask. Where RADIUS servers are, and the secrets shared with them, is the switch's own matter.
"""

from __future__ import annotations

import re

from segc.backends.linux import DEVICE
from segc.frozen import frozen

BRIDGE = "br0"  # what a Linux machine's ports are put into
FACTORY = frozenset((1,))
CISCO_RESERVED = FACTORY | frozenset(range(1002, 1006))
NUMBER = r"(?:0|[1-9][0-9]*)"  # `1/0/01` is `1/0/1` to a switch, and would be two ports here
CISCO_PORTS = (
    "FastEthernet|GigabitEthernet|TwoGigabitEthernet|FiveGigabitEthernet|TenGigabitEthernet|TwentyFiveGigE"
    "|FortyGigabitEthernet|FiftyGigE|HundredGigE|FourHundredGigE|AppGigabitEthernet|Ethernet|Port-channel"
)


@frozen
class Platform:
    """A switch platform. Lengths are in characters."""

    name: str
    file: str
    port: re.Pattern[str]
    example: str  # of a port's name
    vlan_name: int = 32
    description: int = 200
    reserved_names: frozenset[str] = frozenset()  # in lower case
    reserved_vlans: frozenset[int] = frozenset()
    isolates: bool = True
    isolates_trunks: bool = True
    private_vlans: bool = False
    parks: bool = False  # needs a VLAN for untagged frames on trunks
    dot1x: bool = False  # puts a port into the VLAN that RADIUS names (RFC 3580)


CISCO_IOS = Platform(
    "cisco-ios",
    "switch.cfg",
    re.compile(rf"(?:{CISCO_PORTS}){NUMBER}(?:/{NUMBER}){{0,3}}"),
    "GigabitEthernet1/0/1",
    reserved_names=frozenset(
        ("default", "fddi-default", "token-ring-default", "fddinet-default", "trnet-default")
    ),
    reserved_vlans=CISCO_RESERVED,
    parks=True,
    dot1x=True,
)
ARISTA_EOS = Platform(
    "arista-eos",
    "switch.cfg",
    re.compile(rf"(?:Ethernet|Port-Channel){NUMBER}(?:/{NUMBER}){{0,3}}"),
    "Ethernet1",
    reserved_names=frozenset(("default",)),
    reserved_vlans=FACTORY,
    isolates=False,
    dot1x=True,
)
JUNOS = Platform(
    "junos",
    "switch.set",
    re.compile(rf"(?:fe|ge|mge|xe|et)-{NUMBER}/{NUMBER}/{NUMBER}(?::{NUMBER})?|ae{NUMBER}"),
    "ge-0/0/0",
    vlan_name=63,
    reserved_names=frozenset(("default", "all", "any", "vlan-id")),
    reserved_vlans=FACTORY,
    isolates_trunks=False,
    private_vlans=True,
    dot1x=True,
)
ARUBA_CX = Platform(
    "aruba-cx",
    "switch.cfg",
    re.compile(rf"{NUMBER}/{NUMBER}/{NUMBER}(?::{NUMBER})?|lag {NUMBER}"),
    "1/1/1",
    description=64,
    reserved_names=frozenset(("default_vlan_1",)),
    reserved_vlans=FACTORY,
    parks=True,
    dot1x=True,
)
# The bridge cannot be a port of itself.
LINUX_BRIDGE = Platform("linux-bridge", "links.json", re.compile(rf"(?!{BRIDGE}$){DEVICE.pattern}"), "eth0")
OPENWRT = Platform("openwrt", "network.uci", re.compile(rf"(?!br-segc$){DEVICE.pattern}"), "lan1")

PLATFORMS = {each.name: each for each in (CISCO_IOS, ARISTA_EOS, JUNOS, ARUBA_CX, LINUX_BRIDGE, OPENWRT)}
