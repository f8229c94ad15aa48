"""What docs/beside.md says of others on the gateway, with packets."""

from __future__ import annotations

import re
import socket
import struct
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.netns import wire
from tests.netns.harness import LOCAL
from tests.netns.namespace import nft, run
from tests.netns.site import Site

pytestmark = pytest.mark.kernel
FAMILIES = pytest.mark.parametrize("family", [4, 6])
PAGE = Path(__file__).parents[2] / "docs" / "beside.md"
MARKING = """
table inet other {
	counter kept { }
	chain forward {
		type filter hook forward priority mangle
		meta mark set meta mark | 0x00040000
	}
	chain leaving {
		type filter hook postrouting priority srcnat
		meta mark & 0x00ff0000 == 0x00040000 counter name kept
	}
}
"""


def begins(src: str, dst: str, segment_size: int) -> bytes:
    """A SYN that says how large a segment may be (RFC 9293, 3.2)."""
    ends = wire.packed(src), wire.packed(dst)
    option = struct.pack("!BBH", 2, 4, segment_size)
    head = struct.pack("!HHIIBBHHH", 40000, 443, 1, 0, 6 << 4, 2, 65535, 0, 0)
    return wire.ip(*ends, wire.TCP, wire.summed(*ends, wire.TCP, head + option, 16))


@FAMILIES
def test_segments_fit_the_uplink(family: int) -> None:
    table = re.search(r"```nft mss\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert table
    with Site("allow a -> net : tcp/443\nallow net -> a : tcp/443") as site:
        inside, outside = site.address("a.5", family), site.address("net.7", family)
        namespace = site.gateway.namespace
        namespace.call(partial(nft, table[1].replace("ppp0", "wan0")))
        run(namespace, ["ip", "link", "set", "wan0", "mtu", "1492"])
        for device, ends in (("lan0.1", (inside, outside)), ("wan0", (outside, inside))):
            (arrived,) = site.gateway.exchange(device, begins(*ends, 1460))
            (size,) = struct.unpack("!H", arrived.data[-2:])
            assert size == 1492 - (40 if family == 4 else 60)
        (arrived,) = site.gateway.exchange("lan0.1", begins(inside, outside, 536))
        assert arrived.data.endswith(struct.pack("!H", 536))


@pytest.mark.parametrize(("setting", "kept"), [("mark 0x0007ffff", 0), ("mark 0x0000ffff", 1)])
def test_marks_of_others_are_kept_where_they_were_not_granted(setting: str, kept: int) -> None:
    with Site("allow a -> b : udp/53", in_gateway=setting) as site:
        site.gateway.namespace.call(partial(nft, MARKING))
        a, b = (wire.packed(site.address(name, 4)) for name in ("a.5", "b.5"))
        assert site.gateway.exchange("lan0.1", wire.udp(a, b, 40000, 53, b"asked"))
        counted = run(site.gateway.namespace, ["nft", "list", "counter", "inet", "other", "kept"]).stdout
        assert f"packets {kept} " in counted


def test_the_gateway_repeats_multicast() -> None:
    group = "224.0.0.251"
    flows = f"allow a -> gateway gw : udp/5353\nallow gateway gw -> {group} : udp/5353"
    with Site(flows) as site:
        site.check(f"gw -> {group} : udp/5353  yes\ngw -> 224.0.0.18 : udp/5353  no")
        joined = site.gateway.namespace.call(partial(join, group, site.address("gw", 4, "a")))
        for name, zone, wanted in (("a.5", "lan0.1", [LOCAL]), ("b.5", "lan0.2", [])):
            asked = wire.udp(wire.packed(site.address(name, 4)), ip_address(group).packed, 5353, 5353, b"who")
            arrived = [each.interface for each in site.gateway.exchange(zone, asked)]
            assert [each for each in arrived if each == LOCAL] == wanted
        joined.close()


def join(group: str, own: str) -> socket.socket:
    member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    addresses = socket.inet_aton(group) + socket.inet_aton(own)
    member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, addresses)
    return member
