import pytest

from segc.analysis.multicast import check_multicast
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse

ZONES = """
zone office { subnet 10.1.0.0/24, 2001:db8:1::/64  host hub = 10.1.0.9 }
zone printers { subnet 10.2.0.0/24, 2001:db8:2::/64 }
zone internet { external }
service mdns = udp/5353
group staff { user "ana@acme.example" }
gateway gw { interface lan0 { zone office }  interface lan1 { zone printers }
             interface wan0 { zone internet }
             serve mdns to office, printers }
"""


def told(flow: str) -> list[str]:
    source = SourceFile("policy.seg", ZONES + flow)
    policy = resolve((parse(source)[0],))[0]
    assert policy is not None
    return [f"{each.code} {each.message}" for each in check_multicast(policy)]


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ("allow office -> 224.0.0.251 : mdns", "multicast and broadcast end where their link does"),
        ("allow office -> ff02::fb : any", "multicast and broadcast end where their link does"),
        (
            "allow office -> printers : tcp/631, mdns",
            "mDNS asks by multicast, and that ends where its link does",
        ),
        ("allow group staff in office -> printers : udp/1900, mdns", "SSDP asks by multicast"),
    ],
)
def test_multicast_between_zones_opens_nothing(flow, message):
    (found,) = told(flow)
    assert found.startswith(f"SEG229 {message}")


def test_the_help_names_the_port_that_is_to_go():
    source = SourceFile("policy.seg", ZONES + "allow office -> printers : tcp/631, mdns")
    (found,) = check_multicast(resolve((parse(source)[0],))[0])
    assert found.help.startswith("take `udp/5353` out, and set up by its address what is looked for; or run")


@pytest.mark.parametrize(
    "flow",
    [
        "allow office -> printers : tcp/5353, udp/5000-6000",
        "allow office -> internet : any",
        "allow office.hub -> office : mdns",
        "allow gateway gw -> 224.0.0.251, ff02::fb : mdns",  # a reflector's
        "allow office -> 239.255.0.1 : any",  # what a multicast router sends on
        "deny office -> 224.0.0.0/4 : any",
    ],
)
def test_what_stays_on_a_link_or_asks_no_group_is_left_alone(flow):
    assert told(flow) == []
