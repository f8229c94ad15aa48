"""Private addresses that go out untranslated."""

from __future__ import annotations

import pytest

from segc.analysis.translation import check_translation
from tests.unit.backends.helpers import NAMES, policy, sample

ZONES = """
zone hr { subnet 10.0.10.0/24, 2001:db8:10::/64 }
zone lab { subnet 192.168.20.0/24, fd00:20::/64 }
zone dmz { subnet 198.51.100.0/28, 10.9.9.0/24 }
zone link { subnet 172.16.0.0/24 }
zone internet { external  host ntp = 10.255.0.1 }
"""
LANS = "interface lan0 { zone hr }  interface lan1 { zone lab }  interface lan2 { zone dmz }"
ONE = "gateway gw { interface wan0 { zone internet %s }  LANS }\n".replace("LANS", LANS)
OUT = "allow hr -> internet : tcp/443\n"


def found(text: str) -> list[str]:
    told = list(check_translation(policy(ZONES + text)))
    assert all(each.code == "SEG225" for each in told)
    return [each.message for each in told]


def leave(*zones: str, by: str = "`wan0` of gateway `gw`") -> list[str]:
    return [f"private addresses leave by {by} as they are: {', '.join(f'`{each}`' for each in zones)}"]


@pytest.mark.parametrize(
    ("flow", "zones"),
    [
        (OUT, ["hr"]),
        ("allow any -> any : tcp/443", ["hr", "lab"]),
        ("allow lab -> 2600::/16 : tcp/443", ["lab"]),
        ("allow 10.0.10.9 -> 9.9.9.9 : udp/53", ["hr"]),
        ('allow user "ana" in hr -> internet : tcp/443', ["hr"]),
    ],
)
def test_private_addresses_that_leave(flow: str, zones: list[str]) -> None:
    assert found(ONE % "" + flow) == leave(*zones)
    assert found(ONE % "address dhcp" + flow) == leave(*zones)
    assert found(ONE % "address dhcp  masquerade" + flow) == []
    assert found(flow) == []  # by address alone: nobody knows where they leave


def test_masquerade_of_one_family_leaves_private_addresses_of_the_other():
    lab = "allow lab -> 2600::/16 : tcp/443"
    assert found(ONE % "masquerade ipv4" + OUT) == found(ONE % "masquerade ipv6" + lab) == []
    assert found(ONE % "masquerade ipv6" + OUT) == leave("hr")
    assert found(ONE % "masquerade ipv4" + lab) == leave("lab")
    assert found(ONE % "masquerade ipv4  masquerade ipv6" + OUT + lab) == []


@pytest.mark.parametrize(
    "flow",
    [
        "allow hr -> lab : tcp/443",
        "allow internet -> hr : tcp/443",
        "allow dmz -> internet : tcp/443",  # has public addresses to speak with
        "allow hr -> 2600::/16 : tcp/443",
        "allow hr -> internet.ntp : udp/123",
        "staged allow hr -> internet : tcp/443",
        "deny hr -> internet : tcp/443",
        "allow gateway gw -> internet : tcp/443",
    ],
)
def test_what_needs_no_translation(flow: str) -> None:
    assert found(ONE % "" + flow) == []


def test_a_gateway_that_stands_behind_another_router() -> None:
    assert found(ONE % "address 192.168.1.2/24" + OUT) == []
    text = ONE % "" + "allow lab -> internet : tcp/443"
    assert found(text.replace("zone internet }", "zone internet  address 192.168.1.2/24 }")) == leave("lab")


TWO = """
gateway head { interface wan0 { zone internet %s }  interface wg0 { zone link } }
gateway shop { interface wan0 { zone internet }  interface wg0 { zone link %s }  interface lan0 { zone hr } }
"""


def test_several_gateways() -> None:
    """Whoever translates on any way out may be the one that is taken."""
    out = [leave("hr", by=f"`wan0` of gateway `{name}`")[0] for name in ("head", "shop")]
    assert found(TWO % ("", "") + OUT) == out
    assert found(TWO % ("masquerade", "") + OUT) == []
    assert found(TWO % ("", "masquerade") + OUT) == []
    assert found(TWO.replace("shop { interface wan0 { zone internet }", "shop {") % ("", "") + OUT) == out[:1]


@pytest.mark.parametrize("name", NAMES)
def test_the_samples_are_as_they_should_be(name: str) -> None:
    assert list(check_translation(sample(name))) == []
