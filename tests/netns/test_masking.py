"""What `SEG227` says is so: behind a gateway that masquerades, the next one sees that gateway."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from segc.analysis.masking import check_masking
from tests.netns.conversation import serve_tcp, tcp_connect
from tests.netns.namespace import Namespace, ip_batch, nft, sysctl
from tests.netns.policy import compile_text

pytestmark = pytest.mark.kernel

CHAIN = """
zone hr { subnet 10.10.0.0/24 }
zone link { subnet 10.50.0.0/24 }
zone dc { subnet 10.20.0.0/24 }
gateway gw1 {
  interface lan0 { zone hr  address 10.10.0.1/24 }
  interface up0 { zone link  address 10.50.0.1/24  %s }
}
gateway gw2 {
  interface up0 { zone link  address 10.50.0.2/24 }
  interface lan0 { zone dc  address 10.20.0.1/24 }
}
allow hr -> dc : tcp/443
%s
"""
CABLES = (("hr", "eth0", "gw1", "lan0"), ("gw1", "up0", "gw2", "up0"), ("gw2", "lan0", "dc", "eth0"))
ADDRESSES = {
    "hr": ("10.10.0.5/24 dev eth0",),
    "gw1": ("10.10.0.1/24 dev lan0", "10.50.0.1/24 dev up0"),
    "gw2": ("10.50.0.2/24 dev up0", "10.20.0.1/24 dev lan0"),
    "dc": ("10.20.0.7/24 dev eth0",),
}
ROUTES = {
    "hr": "default via 10.10.0.1",
    "gw1": "10.20.0.0/24 via 10.50.0.2",
    "gw2": "10.10.0.0/24 via 10.50.0.1",
    "dc": "default via 10.20.0.1",
}


@pytest.fixture
def hosts() -> Iterator[dict[str, Namespace]]:
    made = {name: Namespace.create(name) for name in ROUTES}
    lines: dict[str, list[str]] = {name: [] for name in ROUTES}
    for one, device, other, far in CABLES:
        lines[one].append(f"link add {device} type veth peer name {far} netns {made[other].path}")
        lines[one].append(f"link set {device} up")
        lines[other].append(f"link set {far} up")
    for name, found in lines.items():
        found += [*(f"address add {each}" for each in ADDRESSES[name]), f"route add {ROUTES[name]}"]
        made[name].call(partial(ip_batch, found))
    for name in ("gw1", "gw2"):
        made[name].call(partial(sysctl, ipv4__ip_forward=1))
    yield made
    for each in made.values():
        each.close()


@pytest.mark.parametrize(
    ("masquerade", "more", "arrives"),
    [
        ("", "", True),
        ("masquerade", "", False),
        ("masquerade", "allow link -> dc : tcp/443", False),
        ("masquerade", "allow gateway gw1 -> dc : tcp/443", True),
    ],
)
def test_what_the_next_gateway_lets_in(
    hosts: dict[str, Namespace], masquerade: str, more: str, arrives: bool
) -> None:
    compiled = compile_text(CHAIN % (masquerade, more))
    for name in ("gw1", "gw2"):
        hosts[name].call(partial(nft, compiled.ruleset(name)))
    with serve_tcp(hosts["dc"], 443):
        how = tcp_connect(hosts["hr"], "10.10.0.5", "10.20.0.7", 443)
    assert (how == "connected") == arrives, how
    assert [each.code for each in check_masking(compiled.policy)] == ([] if arrives else ["SEG227"])
