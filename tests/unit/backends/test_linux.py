import json
from pathlib import Path

import jsonschema
import pytest

import segc
from segc.apply.errors import ApplyError
from segc.apply.links import read_plan
from segc.backends import linux
from segc.enforcement.layer2 import link_plan
from tests.unit.backends.helpers import NAMES, complaints, emitted, files, policy, sample

SCHEMA = json.loads((Path(segc.__file__).parent / "schemas/links.schema.json").read_text())
MIXED = """
zone hr { vlan 10  subnet 10.0.10.0/24, 2001:db8:10::/64 }
zone lab { vlan 20  subnet 10.0.20.0/24 }
zone printers { vlan 30  subnet 10.0.30.0/24  intra deny }
zone internet { external }
gateway gw {
  interface wan0 { zone internet  address dhcp }
  interface br0 {
    bridge
    zone hr
    port p10 trunk lab, printers
    port p2 zone printers
    port p1 zone hr isolated
  }
  interface lan0 { zone lab  trunk printers  address 10.0.20.9/24 }
  address hr 2001:db8:10::1/64, 10.0.10.1/24
  address printers 10.0.30.1/24
}
"""


def links(text: str) -> dict:
    return json.loads(files(linux.emit, policy(text))["gw/links.json"])


@pytest.mark.parametrize("name", NAMES)
def test_links_follow_the_published_schema(name):
    found = [text for path, text in files(linux.emit, sample(name)).items() if path.endswith("links.json")]
    assert found
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for text in found:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_a_bridge_knows_its_vlans():
    assert links(MIXED)["bridges"] == [
        {
            "name": "br0",
            "pvid": 10,
            "tagged": [20, 30],
            "ports": [
                {"name": "p1", "pvid": 10, "tagged": [], "isolated": True},
                {"name": "p2", "pvid": 30, "tagged": [], "isolated": True},
                {"name": "p10", "pvid": None, "tagged": [20, 30], "isolated": False},
            ],
        }
    ]


def test_devices_have_addresses_and_parents():
    assert [
        (d["name"], d["zone"], d["parent"], d["vlan"], d["dhcp"], d["addresses"])
        for d in links(MIXED)["devices"]
    ] == [
        ("br0", "hr", None, None, False, ["10.0.10.1/24", "2001:db8:10::1/64"]),
        ("br0.20", "lab", "br0", 20, False, []),
        ("br0.30", "printers", "br0", 30, False, ["10.0.30.1/24"]),
        ("lan0", "lab", None, None, False, ["10.0.20.9/24"]),
        ("lan0.30", "printers", "lan0", 30, False, []),
        ("wan0", "internet", None, None, True, []),
    ]


def test_hosts_that_may_talk_keep_their_ports_open_to_each_other():
    flow = "allow printers -> 10.0.30.9 : tcp/9100\n"
    assert [port["isolated"] for port in links(MIXED + flow)["bridges"][0]["ports"]] == [True, False, False]
    staged = links(MIXED + "staged " + flow)["bridges"][0]["ports"]
    assert [port["isolated"] for port in staged] == [True, True, False]


def test_the_order_of_statements_changes_no_byte():
    lines = MIXED.strip().splitlines()
    zones, start, items, end = lines[:4], lines[4:5], lines[5:-1], lines[-1:]
    bridge = items[1:8]
    turned = [*items[:1:-1][: -len(bridge) + 1], *bridge[:3], *bridge[3:6][::-1], bridge[6], items[0]]
    shuffled = "\n".join([*start, *turned, *end, *zones[::-1]])
    assert sorted(shuffled.split()) == sorted(MIXED.split())
    assert files(linux.emit, policy(shuffled)) == files(linux.emit, policy(MIXED))


@pytest.mark.parametrize("name", NAMES)
def test_the_executor_reads_back_the_plan(name):
    of = sample(name)
    texts = files(linux.emit, of)
    for gateway in of.gateways.values():
        assert read_plan(texts[f"{gateway.name}/links.json"]) == link_plan(of, gateway)


def test_another_version_is_refused():
    with pytest.raises(ApplyError, match="has version 2, and this segc reads version 1"):
        read_plan('{"version": 2}')


def test_without_gateways_there_is_nothing_to_say():
    output = emitted(linux.emit, policy("zone hr { vlan 10  subnet 10.0.10.0/24 }"))
    assert output.artifacts == output.diagnostics == ()


def test_names_that_mean_something_elsewhere_are_refused():
    text = """
zone hr { vlan 10  subnet 10.0.10.0/24 }
gateway gw {
  interface "..wan" { zone hr }
  interface br0 { bridge  port "p1]" zone hr  port a-name-of-16-let zone hr }
}
"""
    assert complaints(linux.emit, text) == [
        ("SEG503", "`..wan` is no name for a network device", '"..wan"'),
        ("SEG503", "`p1]` is no name for a network device", 'port "p1]" zone hr'),
        ("SEG503", "`a-name-of-16-let` is no name for a network device", "port a-name-of-16-let zone hr"),
    ]
