"""Flows that stop at the next gateway, as the one before it masquerades."""

from __future__ import annotations

import time

import pytest

from segc.analysis.masking import check_masking
from tests.unit.backends.helpers import NAMES, policy, sample

CHAIN = """
zone hr { subnet 10.10.0.0/24, 2001:db8:10::/64 }
zone link { subnet 10.50.0.0/24, 2001:db8:50::/64 }
zone dc { subnet 10.20.0.0/24, 2001:db8:20::/64 }
zone internet { external }
gateway gw1 {
  interface lan0 { zone hr }
  interface up0 { zone link %s masquerade }
}
gateway gw2 {
  interface up0 { zone link }
  interface lan0 { zone dc }
  interface wan0 { zone internet masquerade }
}
"""
STATED = CHAIN % "address 10.50.0.1/24, 2001:db8:50::1/64"
OF_SOME = CHAIN % "address dhcp"  # nobody knows which address of `link` that is


def found(text: str) -> list[str]:
    told = list(check_masking(policy(text)))
    assert all(each.code == "SEG227" for each in told)
    return [each.message.rpartition(": ")[2] for each in told]


@pytest.mark.parametrize(
    ("flow", "zone"),
    [
        ("allow hr -> dc : tcp/443", "dc"),
        ("allow hr -> internet : tcp/443", "internet"),
        ('allow user "ana" in hr -> 10.20.0.7 : tcp/443', "dc"),
        ("allow hr -> dc : tcp/443, tcp/80\nallow gateway gw1 -> dc : tcp/443", "dc"),
        ("allow hr -> dc : tcp/443\nallow gateway gw1 -> 10.20.0.7 : tcp/443", "dc"),
        ("allow hr -> dc : tcp/443\nstaged allow gateway gw1 -> dc : any", "dc"),
        ("allow hr -> dc : tcp/443\nallow gateway gw2 -> dc : any", "dc"),
    ],
)
def test_flows_that_stop_halfway(flow: str, zone: str) -> None:
    assert found(STATED + flow) == [f"`{zone}` is out of reach"]
    assert found(OF_SOME + flow) == [f"`{zone}` is out of reach"]
    assert found(STATED.replace(" masquerade }\n}", " }\n}") + flow) == []


@pytest.mark.parametrize(
    "flow",
    [
        "allow hr -> link : tcp/443",
        "allow dc -> hr : tcp/443",
        "allow dc -> internet : tcp/443",
        "allow link -> dc : tcp/443",
        "staged allow hr -> dc : tcp/443",
        "deny hr -> dc : tcp/443",
        "allow gateway gw1 -> dc : tcp/443",
        "allow hr -> dc : tcp/443, tcp/9\nallow gateway gw1 -> any : tcp/9, tcp/443",
    ],
)
def test_what_arrives(flow: str) -> None:
    assert found(STATED + flow) == []


def test_an_address_that_nobody_states_is_one_of_its_zone() -> None:
    everything = "allow any -> any : tcp/443"
    assert (found(OF_SOME + everything), found(STATED + everything)) == ([], ["`dc` is out of reach"])
    flow = "allow hr -> dc : tcp/443\nallow link -> dc : any"
    assert found(OF_SOME + flow) == []
    assert found(STATED + flow) == ["`dc` is out of reach"]  # a zone is never a gateway


LAN = "interface lan0 { zone hr }"
THIRD = "gateway gw3 { interface a { zone %s } interface b { zone dc } }\n"


def test_another_way_may_be_taken() -> None:
    flow = "allow hr -> dc : tcp/443\n"
    side = "zone side { subnet 10.60.0.0/24 }\n"
    assert found(STATED + flow + THIRD % "hr") == []
    assert found(STATED.replace(LAN, f"{LAN} interface dc0 {{ zone dc }}") + flow) == []
    assert (
        found(side + STATED.replace(LAN, f"{LAN} interface up1 {{ zone side }}") + flow + THIRD % "side")
        == []
    )


def test_gateways_further_on() -> None:
    behind = (
        "zone far { subnet 10.70.0.0/24 }\ngateway gw0 { interface a { zone far } interface b { zone hr } }\n"
    )
    assert found(behind + STATED + "allow far -> dc : tcp/443") == ["`dc` is out of reach"]
    assert found(behind + STATED + "allow dc -> far : tcp/443") == []


@pytest.mark.parametrize("name", NAMES)
def test_the_samples_are_as_they_should_be(name: str) -> None:
    assert list(check_masking(sample(name))) == []


def test_many_flows_that_cross_cost_one_look_each():
    zones = range(40)
    near, far = (", ".join(f"{site}{n}" for n in zones) for site in "ab")
    text = "zone link { subnet 10.200.0.0/24 }\n" + "".join(
        f"zone {site}{n} {{ vlan {number * 100 + n} subnet 10.{number}.{n}.0/24 }}\n"
        for number, site in enumerate("ab", start=1)
        for n in zones
    )
    text += f"gateway gw1 {{ interface lan0 {{ trunk {near} }} interface up0 {{ zone link masquerade }} }}\n"
    text += f"gateway gw2 {{ interface lan0 {{ trunk {far} }} interface up0 {{ zone link }} }}\n"
    text += "".join(f"allow a{n % 40} -> b{n % 39} : tcp/{n + 1}\n" for n in range(2000))
    crossing = policy(text + "allow link -> any : any\n")
    before = time.process_time()
    assert list(check_masking(crossing)) == []
    assert time.process_time() - before < 1
