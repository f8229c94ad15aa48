import time

import pytest

from segc.analysis.addresses import check_addresses
from segc.analysis.placement import check_placement
from segc.analysis.sight import check_sight
from segc.analysis.topology import check_topology
from segc.policy.topology import position
from tests.unit.backends.helpers import NAMES, policy, sample

ZONES = """
zone hr { vlan 10  subnet 10.0.10.0/24, 2001:db8:10::/64 }
zone lab { vlan 20  subnet 10.0.20.0/24 }
zone internet { external }
"""
GATEWAY = "gateway gw { interface wan0 { zone internet }  interface lan0 { trunk hr, lab } }\n"


def found(text, check=check_topology):
    """Code, message and underlined text of each finding."""
    text = ZONES + text
    findings = list(check(policy(text)))
    return [(d.code, d.message, text[d.primary.span.start : d.primary.span.end]) for d in findings]


def switch(*ports, name="sw"):
    return f"switch {name} {{ platform openwrt  {'  '.join(f'port {port}' for port in ports)} }}\n"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", [check_topology, check_placement, check_sight])
def test_the_samples_are_as_they_should_be(name, check):
    assert list(check(sample(name))) == []


# ---- VLANs between gateways and switches


def test_a_vlan_that_802_1x_puts_ports_into_and_that_no_trunk_carries():
    zone = 'zone desk { vlan 30  subnet 10.0.30.0/24  dot1x user "ana" }\n'
    gateway = GATEWAY.replace("hr, lab", "hr, lab, desk")
    asking = "switch `sw` has ports in zone `desk`, and no trunk that takes it to a gateway"
    carried, cut = "p2 trunk hr, lab, desk", "p2 trunk hr, lab"
    assert found(zone + gateway + switch("p1 dot1x", carried)) == []
    assert ("SEG207", asking, "port p1 dot1x") in found(zone + gateway + switch("p1 dot1x", cut))
    assert "port p1 zone hr" not in str(found(zone + gateway + switch("p1 zone hr", cut)))


def test_a_vlan_that_comes_by_no_trunk():
    missing = "gateway `gw` expects `lab`, which no trunk of a switch carries"
    assert found(GATEWAY + switch("p1 zone hr", "p2 trunk hr")) == [("SEG207", missing, "lan0")]
    assert found(GATEWAY + switch("p1 zone hr", "p2 trunk hr, lab")) == []


def test_a_trunk_of_a_bridge_expects_its_vlans_too():
    bridge = "gateway gw { interface br0 { bridge  port p1 trunk hr, lab  port p2 zone lab } }\n"
    assert [finding[0::2] for finding in found(bridge + switch("p1 zone hr", "p2 trunk hr"))] == [
        ("SEG207", "port p1 trunk hr, lab")
    ]


def test_a_trunk_that_leads_to_no_described_switch_is_nobodys_concern():
    others = "zone far { vlan 30  subnet 10.0.30.0/24 }\ngateway far { interface lan0 { trunk far } }\n"
    assert found(others + GATEWAY + switch("p1 zone hr", "p2 trunk hr, lab")) == []


def test_a_zone_that_ends_at_its_switch():
    cut = "switch `sw` has ports in zone `lab`, and no trunk that takes it to a gateway"
    assert found(GATEWAY + switch("p1 zone hr", "p2 zone lab", "p3 zone lab", "p9 trunk hr")) == [
        ("SEG207", "gateway `gw` expects `lab`, which no trunk of a switch carries", "lan0"),
        ("SEG207", cut, "port p2 zone lab"),
    ]


def test_a_switch_behind_a_switch_carries_on():
    far = switch("p1 zone lab", "p9 trunk lab", name="far")
    assert found(GATEWAY + far + switch("p8 trunk lab", "p9 trunk hr, lab")) == []
    alone = "gateway gw { interface lan0 { trunk hr }  interface lan1 { trunk lab } }\n"
    uplink = "switch `far` has ports in zone `lab`, and no trunk that takes it to a gateway"
    assert ("SEG207", uplink, "port p1 zone lab") in found(
        alone + switch("p1 zone lab", name="far") + switch("p9 trunk hr, lab")
    )


def test_a_cable_from_an_access_port_brings_a_zone_as_well():
    untagged = "gateway gw { interface lan0 { zone hr }  interface br0 { bridge  port p1 zone lab } }\n"
    assert found(untagged + switch("p1 zone hr", "p2 zone hr", "p3 zone lab")) == []


def test_an_isolated_port_and_an_isolated_uplink():
    told = "SEG207", "switch `sw` keeps zone `lab` from its trunk: both are isolated"
    ports = "p1-2 zone lab isolated", "p3 zone hr", "p9 trunk hr, lab isolated"
    assert found(GATEWAY + switch(*ports)) == [(*told, "port p9 trunk hr, lab isolated")]
    assert found(GATEWAY + switch(*ports, "p8 trunk hr, lab")) == []
    closed = "zone till { vlan 30  subnet 10.0.30.0/24  intra deny }\n"
    gateway = GATEWAY.replace("hr, lab", "till")
    both = switch("p1 zone till", "p9 trunk till isolated")
    assert [each[0] for each in found(closed + gateway + both)] == ["SEG207"]


def test_what_is_untagged_at_one_end_of_a_cable_and_tagged_at_the_other():
    """Frames of `hr` come tagged to a device that takes them untagged, and nothing was said."""
    mixed = GATEWAY.replace("trunk hr, lab", "zone hr  trunk lab")
    untagged = (
        "gateway `gw` expects `hr` untagged on `lan0`, where a trunk of a switch carries tagged frames only"
    )
    assert found(mixed + switch("p1 zone hr", "p9 trunk hr, lab")) == [("SEG207", untagged, "lan0")]
    assert found(mixed) == []
    assert found(mixed + switch("p1 zone hr")) == []


def test_a_zone_on_a_bridge_that_no_port_carries():
    bridge = "gateway gw { interface br0 { bridge  zone hr  trunk lab  %s } }\n"
    told = ["SEG207", "no port of bridge `br0` of gateway `gw` carries zone `%s`", "br0"]
    hr, lab = (tuple(word.replace("%s", zone) for word in told) for zone in ("hr", "lab"))
    assert found(bridge % "port p1 zone hr") == [lab]
    assert found(bridge % "port p1 trunk lab") == [hr]
    assert found(bridge % "port p1 zone hr  port p2 trunk lab") == found(bridge % "") == []


def test_without_gateways_switches_are_on_their_own():
    assert found(switch("p1 zone hr", "p2 trunk lab")) == []


# ---- devices and nodes


def test_a_device_is_one_thing_only():
    text = "gateway gw { interface lan0 { trunk lab }  interface br0 { bridge  port lan0 zone hr } }\n"
    assert found(text) == [("SEG210", "`lan0` cannot be two devices of one gateway", "port lan0 zone hr")]
    text = 'gateway gw { interface lan0 { trunk lab }  interface "lan0.20" { zone hr } }\n'
    assert found(text) == [("SEG210", "`lan0.20` cannot be two devices of one gateway", "lan0")]


def test_a_gateway_and_a_switch_have_different_names():
    text = GATEWAY + switch("p1 zone hr", "p2 trunk hr, lab", name="gw")
    assert found(text) == [("SEG102", "a gateway and a switch are called `gw`", "gw")]


def test_names_of_nodes_differ_by_more_than_case():
    text = GATEWAY + switch("p1 zone hr", "p2 trunk hr, lab", name="GW")
    assert found(text) == [("SEG102", "a gateway and a switch are alike but for the case of letters", "GW")]
    text = switch("p1 zone hr", name="sw") + switch("p1 zone lab", name="SW")
    assert found(text) == [
        ("SEG102", "a switch and another switch are alike but for the case of letters", "SW")
    ]


def test_a_switch_is_not_called_as_the_gateway_that_is_assumed():
    text = switch("p1 zone hr", name="gateway")
    assert found(text) == [("SEG102", "a gateway and a switch are called `gateway`", "gateway")]


# ---- zones and flows at gateways


def test_a_zone_that_no_gateway_reaches():
    text = GATEWAY + 'zone island { subnet 10.0.30.0/24 }\nzone sketch { about "nothing yet" }\n'
    assert found(text, check_placement) == [
        ("SEG209", "no gateway has an interface in zone `island`", "island")
    ]
    assert found("zone island { subnet 10.0.30.0/24 }\n", check_placement) == []


TWO_SITES = """
zone backbone { subnet 10.0.99.0/24 }
gateway east { interface lan0 { zone hr }  interface wan0 { zone internet } %s }
gateway west { interface lan0 { zone lab }  interface wan0 { zone internet } %s }
"""
JOINED = ("interface wg0 { zone backbone }",) * 2
APART = ("interface wg0 { zone backbone }", "")


@pytest.mark.parametrize("action", ["allow", "deny"])
def test_a_flow_that_meets_no_gateway(action):
    flow = f"{action} hr -> lab : tcp/443"
    assert found(TWO_SITES % JOINED + flow, check_placement) == []
    assert found(TWO_SITES % APART + flow, check_placement) == [
        ("SEG213", "no gateway stands between `hr` and `lab`", flow)
    ]


def test_one_zone_of_an_end_may_be_the_one():
    flow = "allow hr, internet -> lab : tcp/443"
    assert found(TWO_SITES % APART + flow, check_placement) == [
        ("SEG213", "no gateway stands between `hr` and `lab`", flow)
    ]
    everywhere = "allow internet -> hr, lab : tcp/443\nallow hr, lab -> internet : tcp/80\n"
    assert found(TWO_SITES % APART + everywhere, check_placement) == []


@pytest.mark.parametrize(
    ("flow", "zone"),
    [
        ("allow lab -> gateway east : tcp/22", "lab"),
        ("deny gateway east -> lab : tcp/22", "lab"),
        ("allow lab, group staff in lab -> gateway east : tcp/22", "lab"),
    ],
)
def test_a_flow_of_a_gateway_with_a_zone_that_it_never_meets(flow, zone):
    staff = 'group staff { user "ana@x.example" }\n'
    assert found(TWO_SITES % JOINED + staff + flow, check_sight) == []
    told = ("SEG213", f"no interface of gateway `east` leads to zone `{zone}`", flow)
    assert found(TWO_SITES % APART + staff + flow, check_sight) == [told]


@pytest.mark.parametrize("said", ["serve tcp/53 to lab", "manage from lab : tcp/22"])
def test_what_a_gateway_offers_to_a_zone_that_it_never_meets(said):
    backbone, _ = APART
    told = ("SEG213", "no interface of gateway `east` leads to zone `lab`", said)
    assert found(TWO_SITES % (f"{backbone} {said}", ""), check_sight) == [told]
    assert found(TWO_SITES % (f"{backbone} {said}", backbone), check_sight) == []


def test_a_gateway_that_meets_one_zone_of_an_end():
    flows = "allow any, gateway west -> gateway east : tcp/22\nallow lab, hr -> gateway east : tcp/23\n"
    assert found(TWO_SITES % APART + flows, check_sight) == []


def test_two_zones_behind_one_device_meet_elsewhere():
    text = "gateway gw { interface lan0 { zone hr }  interface wan0 { zone internet } }\n"
    router = "gateway core { interface a { zone hr }  interface b { zone lab } }\n"
    flow = "allow internet -> lab : tcp/443\nallow hr -> lab : tcp/80\n"
    assert found(text + router + flow, check_placement) == []


def test_hosts_of_a_closed_zone_that_may_talk_after_all():
    closed = "zone till { vlan 30  subnet 10.0.30.0/24  intra deny }\n"
    flow = "allow till -> 10.0.30.9 : tcp/80\n"
    told = ("SEG213", "nothing on `sw` stands between hosts of zone `till`, where only some may talk", "till")
    assert found(closed + flow + switch("p1 zone till", "p2 zone till"), check_placement) == [told]
    assert found(closed + switch("p1 zone till", "p2 zone till"), check_placement) == []
    assert found(closed + flow + switch("p1 zone till", "p2 zone till isolated"), check_placement) == []


# ---- addresses of gateways


def gateway(*addresses):
    return GATEWAY.replace("} }\n", "}\n" + "".join(f"  address {each}\n" for each in addresses) + "}\n")


def test_a_gateway_without_an_address_in_a_family_of_a_zone():
    assert found(gateway("hr 10.0.10.1/24", "lab 10.0.20.1/24"), check_placement) == [
        ("SEG215", "gateway `gw` has no IPv6 address in zone `hr`", "lan0")
    ]
    assert found(gateway("lab 10.0.20.1/24"), check_placement) == [
        ("SEG215", "gateway `gw` has no IPv4 or IPv6 address in zone `hr`", "lan0")
    ]


def test_a_gateway_that_is_given_no_address_gets_them_elsewhere():
    assert found(GATEWAY, check_placement) == []
    uplink = GATEWAY.replace("internet }", "hr  address dhcp }").replace("trunk hr, ", "trunk ")
    assert found(uplink.replace("} }", "}  address lab 10.0.20.1/24 }"), check_placement) == [
        ("SEG209", "no gateway has an interface in zone `internet`", "internet")
    ]


TWO_LINKS = """
zone link { subnet 10.0.9.0/24 }
gateway gw {
  interface wg1 { zone link %s }  interface wg0 { zone link %s }
  interface lan0 { trunk hr }  interface lan1 { trunk lab %s }  interface wan0 { zone internet }
  address hr 10.0.10.1/24, 2001:db8:10::1/64
  address lab 10.0.20.1/24
  %s
}
"""


def test_an_address_that_may_be_meant_for_any_of_several_interfaces():
    """All of them used to go to the first by name, and nobody was told."""
    told = "SEG223", "`address link` of gateway `gw` is for `wg0` alone, not for `wg1`", "wg1"
    given = "address link 10.0.9.1/30, 10.0.9.5/30"
    assert found(TWO_LINKS % ("", "", "", given), check_placement) == [told]
    each = "address 10.0.9.5/30", "address 10.0.9.1/30"
    assert found(TWO_LINKS % (*each, "", ""), check_placement) == []


def test_one_vlan_on_two_interfaces_has_the_address_on_one():
    told = "SEG223", "`address hr` of gateway `gw` is for `lan0.10` alone, not for `lan1.10`", "lan1"
    each = "address 10.0.9.5/30", "address 10.0.9.1/30"
    assert found(TWO_LINKS % (*each, ", hr", ""), check_placement) == [told]


def test_an_interface_without_an_address_beside_one_that_has_its_own():
    told = "SEG215", "gateway `gw` has no address on `wg0` in zone `link`", "wg0"
    assert found(TWO_LINKS % ("address 10.0.9.5/30", "", "", ""), check_placement) == [told]
    assert found(TWO_LINKS % ("address 10.0.9.5/30", "address dhcp", "", ""), check_placement) == []


def test_one_network_on_two_interfaces():
    """The kernel would have two routes for one subnet, and send by the first."""
    told = "SEG219", "`10.0.9.5/24` and `10.0.9.1/24` are in one network, on two interfaces of `gw`", "wg1"
    wide = TWO_LINKS % ("address 10.0.9.5/24", "address 10.0.9.1/24", "", "")
    assert found(wide, check_addresses) == [told]
    assert found(wide.replace("10.0.9.5/24", "10.0.9.5/32"), check_addresses) == []
    assert found(wide.replace("9.5/24", "9.5/30").replace("9.1/24", "9.1/30"), check_addresses) == []


def test_addresses_of_interfaces_count_as_addresses_in_zones():
    """Without `address ZONE` anywhere, nothing was said of a zone in which a gateway has none."""
    text = """gateway gw { interface wan0 { zone internet  address 198.51.100.2/29 }
      interface lan0 { zone hr  address 10.0.10.1/24, 2001:db8:10::1/64 }  interface lan1 { zone lab } }"""
    told = "SEG215", "gateway `gw` has no IPv4 address in zone `lab`", "lan1"
    assert found(text, check_placement) == [told]


def test_two_gateways_with_one_address():
    text = "".join(
        f"gateway {name} {{ interface lan0 {{ zone hr }}  address hr 10.0.10.1/24, 2001:db8:10::{n}/64 }}\n"
        for name, n in (("one", 1), ("two", 2))
    )
    assert [finding for finding in found(text, check_placement) if finding[0] != "SEG209"] == [
        ("SEG216", "the gateways `one` and `two` have an address in common", "two")
    ]


# ---- networks of a gateway's addresses that leave out hosts


STAFF = """zone staff { %s  subnet 10.20.10.0/23, 2001:db8:20::/64 }
gateway gw { interface lan0 { zone staff %s }  interface wan0 { zone internet }  %s }
"""


def narrow(vlan, own, given):
    return found(STAFF % (vlan, own, given), check_addresses)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("10.20.10.1/24", "10.20.11.0/24"),
        ("10.20.11.1/32", "10.20.10.0-10.20.11.0, 10.20.11.2-10.20.11.255"),
        ("2001:db8:20::1/65", "2001:db8:20:0:8000::/65"),
    ],
)
def test_hosts_of_a_vlan_that_no_network_of_the_gateway_holds(given, missing):
    told = [("SEG224", f"`{given}` leaves out {missing} of zone `staff`", "gw")]
    assert narrow("vlan 30", "", f"address staff {given}") == told
    assert narrow("vlan 30", f"address {given}", "") == told
    assert narrow("", "", f"address staff {given}  serve dhcp to staff") == told


@pytest.mark.parametrize(
    ("vlan", "own", "given"),
    [
        ("vlan 30", "", "address staff 10.20.10.1/23, 2001:db8:20::1/64"),
        ("vlan 30", "", "address staff 10.20.10.1/24, 10.20.11.1/24"),  # each half has its own
        ("vlan 30", "", "address staff 10.20.10.1/23, 10.20.10.2/32"),  # an address more in the same network
        ("vlan 30", "", "address staff 10.20.10.1/30"),  # the end of a link
        ("vlan 30", "address dhcp", "address staff 10.20.10.1/24"),
        ("", "", "address staff 10.20.10.1/24"),  # the rest may be routed
    ],
)
def test_networks_that_leave_out_nobody_who_is_known_to_be_there(vlan, own, given):
    assert narrow(vlan, own, given) == []


def test_zones_of_many_sites_are_each_looked_at_once():
    zones = [[f"z{site}-{n}" for n in range(40)] for site in range(40)]
    text = "zone wan { subnet 10.255.0.0/24 }\n" + "".join(
        f"zone {name} {{ vlan {n + 10} subnet 10.{site}.{n}.0/24 }}\n"
        for site, names in enumerate(zones)
        for n, name in enumerate(names)
    )
    text += "".join(
        f"gateway g{site} {{ interface lan0 {{ trunk {', '.join(names)} }} interface wg0 {{ zone wan }} }}\n"
        for site, names in enumerate(zones)
    )
    sites = policy(text)
    before = time.process_time()
    seen = [position(sites, gateway) for gateway in sites.gateways.values()]
    assert {len(each.devices) for each in seen} == {1601}
    assert time.process_time() - before < 1
