"""Switch configuration as text, and as parsers and renderers that are not ours understand it."""

import json
import re
import shlex
from functools import cache
from pathlib import Path

import jsonschema
import junoscfg
import netjsonconfig
import pyavd
import pytest
from hier_config import HConfig, Platform, WorkflowRemediation, get_hconfig
from hypothesis import given
from hypothesis import strategies as st

from segc.apply.links import read_plan
from segc.backends import switch
from segc.backends.switch.config import PARKING_NAME, plain, ranges, vlan_names
from segc.backends.switch.platforms import CISCO_IOS, JUNOS, PLATFORMS
from segc.enforcement.layer2 import Bridge, BridgePort
from tests.unit.backends.helpers import NAMES, complaints, emitted, files, policy, sample
from tests.unit.backends.test_linux import SCHEMA

PORTS = {
    "cisco-ios": "GigabitEthernet1/0/{}",
    "arista-eos": "Ethernet{}",
    "junos": "ge-0/0/{}",
    "aruba-cx": "1/1/{}",
    "linux-bridge": "eth{}",
    "openwrt": "lan{}",
}
PARSERS = {
    "cisco-ios": Platform.CISCO_IOS,
    "arista-eos": Platform.ARISTA_EOS,
    "aruba-cx": Platform.ARUBA_AOSCX,
}
ZONES = """
zone hr { vlan 10  subnet 10.0.10.0/24  about "Human resources: \\"people\\" !" }
zone lab { vlan 11  subnet 10.0.11.0/24 }
zone printers { vlan 60  subnet 10.0.60.0/24 }
"""


def site(platform: str, *ports: str, zones: str = ZONES) -> str:
    """A policy with one switch `s`; `{}` in a port's name is replaced by the platform's form of a name."""
    lines = []
    for port in ports:
        number, _, rest = port.partition(" ")
        lines.append(f'  port "{PORTS[platform].format(number)}" {rest}\n')
    return f"{zones}switch s {{\n  platform {platform}\n{''.join(lines)}}}\n"


def written(text: str) -> str:
    (found,) = files(switch.emit, policy(text)).values()
    return found


ASKING = ZONES.replace("subnet 10.0.10.0/24", 'subnet 10.0.10.0/24  dot1x user "ana"')
ASKS = ("1 dot1x", "2 zone lab", "4 trunk hr, lab")
OLD = ("1 zone hr", "2 zone printers", "3 zone printers", "4 trunk hr, printers")
NEW = ("1 zone lab", "2 zone hr", "4 trunk hr, lab", "10 trunk lab")


# ---- not ours


@pytest.mark.parametrize("name", NAMES)
def test_the_samples_compile_for_their_switches(name):
    of = sample(name)
    output = emitted(switch.emit, of)
    assert output.diagnostics == ()
    assert {artifact.node for artifact in output.artifacts} == set(of.switches)


def texts_of(platform: str) -> list[str]:
    found = [written(site(platform, *ports)) for ports in (OLD, NEW)]
    found.append(written(site(platform, *ASKS, zones=ASKING)))
    for name in NAMES:
        of = sample(name)
        output = emitted(switch.emit, of).artifacts
        found += [each.text for each in output if of.switches[each.node].platform == platform]
    return found


def lines(config: HConfig) -> list[str]:
    return [child.cisco_style_text() for child in config.all_children_sorted()]


@pytest.mark.parametrize("platform", PARSERS)
def test_hier_config_reads_every_line(platform):
    for text in texts_of(platform):
        read = get_hconfig(PARSERS[platform], text)
        again = get_hconfig(PARSERS[platform], "\n".join(lines(read)))
        assert list(read.unified_diff(again)) == []
        assert lines(WorkflowRemediation(read, again).remediation_config) == []
        headings = [line for line in text.splitlines() if re.match(r"(vlan|interface|dot1x|aaa)\b", line)]
        assert {child.text for child in read.children} - {"end"} == set(headings)


@pytest.mark.parametrize("platform", PARSERS)
def test_hier_config_finds_the_way_to_802_1x_and_back(platform):
    old = get_hconfig(PARSERS[platform], written(site(platform, *OLD)))
    new = get_hconfig(PARSERS[platform], written(site(platform, *ASKS, zones=ASKING)))
    work = WorkflowRemediation(old, new)
    assert list(old.future(work.remediation_config).unified_diff(new)) == []
    assert list(new.future(work.rollback_config).unified_diff(old)) == []


@pytest.mark.parametrize("platform", PARSERS)
def test_hier_config_finds_the_way_there_and_back(platform):
    old, new = (get_hconfig(PARSERS[platform], written(site(platform, *ports))) for ports in (OLD, NEW))
    work = WorkflowRemediation(old, new)
    assert "vlan 11" in lines(work.remediation_config)
    assert list(old.future(work.remediation_config).unified_diff(new)) == []
    assert list(new.future(work.rollback_config).unified_diff(old)) == []


def test_hier_config_finds_the_way_on_junos():
    old, new = (get_hconfig(Platform.JUNIPER_JUNOS, written(site("junos", *ports))) for ports in (OLD, NEW))
    state = set(lines(old))
    for line in lines(WorkflowRemediation(old, new).remediation_config):
        verb, _, rest = line.partition(" ")
        if verb == "delete":
            state.remove(f"set {rest}")
        else:
            state.add(line)
    assert state == set(lines(new))


def junos_refuses(line: str) -> str:
    """The first word of a set command that Junos 24.4 has no place for by its published schema, if any.

    junoscfg holds that schema as a tree: `c` children, `t` the list that a container stands for, `L` a list
    whose entries have names, `l` a value, which is one of the words numbered `e`.
    """
    schema = schema_of_junos()
    verb, *words = shlex.split(line)
    node, value = schema, None
    for word in words if verb == "set" else [verb]:
        if value is not None:
            allowed = schema["_enums"][value["e"]] if "e" in value else ()
            return "" if not allowed or word in allowed or word.isdecimal() else word
        if node.get("L"):
            node = {"c": node["c"]}
            continue
        if word not in node.get("c", {}):
            return word
        node = node["c"][word]
        value = node if node.get("l") else None
        node = node["c"][node["t"]] if "t" in node else node
    return "" if node.get("p") else words[-1]


@cache
def schema_of_junos() -> dict:
    return json.loads(
        (Path(junoscfg.__file__).parent / "validate/data/junos-structure-tree.json").read_text()
    )


def test_the_schema_of_junos_has_a_place_for_every_line():
    isolated = written(
        site("junos", "1 zone printers isolated", "2 zone printers isolated", "3 trunk printers")
    )
    assert "private-vlan isolated" in isolated
    for text in [*texts_of("junos"), isolated]:
        assert [line for line in text.splitlines() if junos_refuses(line)] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("private-vlan isolated", "private-vlan isolating"),
        ("isolated-vlan ", "isolation-vlan "),
        ("interface-mode trunk", "interface-mode tagged"),
        ("family ethernet-switching vlan", "family ethernet-switching vlans"),
        ("vlan members", "vlan member"),
        ("unit 0", "units 0"),
        ("supplicant single-secure", "supplicant secure"),
        ("mac-radius authentication-protocol pap", "mac-radius authentication-protocol pop"),
        ("authentication-profile-name", "authentication-profile"),
    ],
)
def test_the_schema_of_junos_has_no_place_for_anything(right, wrong):
    text = written(site("junos", "1 zone printers isolated", "2 zone printers isolated", "3 trunk printers"))
    text += written(site("junos", *ASKS, zones=ASKING))
    assert right in text
    refused = {junos_refuses(line) for line in text.replace(right, wrong).splitlines()} - {""}
    assert len(refused) == 1
    assert refused.pop() in wrong


def test_aristas_own_renderer_writes_the_same_lines():
    """PyAVD makes EOS configuration of structured data; from the same facts it must be ours, line by line."""
    structured = {
        "hostname": "s",
        "vlans": [{"id": 10, "name": "hr"}, {"id": 11, "name": "lab"}],
        "ethernet_interfaces": [
            {"name": "Ethernet1", "description": "zone lab", "switchport": access(11)},
            {"name": "Ethernet2", "description": "zone hr", "switchport": access(10)},
            {"name": "Ethernet4", "description": "trunk hr, lab", "switchport": trunk("10-11")},
            {"name": "Ethernet10", "description": "trunk lab", "switchport": trunk("11")},
        ],
    }
    theirs = [line for line in pyavd.get_device_config(structured).splitlines() if line and line[0] != "!"]
    ours = [line for line in written(site("arista-eos", *NEW)).splitlines() if line and line[0] != "!"]
    assert ours[-1] == "end"
    assert ours[:-1] == [line for line in theirs if line not in ("hostname s", "end")]


def test_aristas_own_renderer_writes_the_same_802_1x():
    asking = {
        "port_control": "auto",
        "reauthentication": True,
        "pae": {"mode": "authenticator"},
        "mac_based_authentication": {"enabled": True},
        "host_mode": {"mode": "single-host"},
        "timeout": {"reauth_period": "server"},
    }
    names = {"delimiter": "none", "mac_string_case": "lowercase"}
    structured = {
        "hostname": "s",
        "vlans": [{"id": 10, "name": "hr"}, {"id": 999, "name": PARKING_NAME}],
        "dot1x": {"system_auth_control": True, "radius_av_pair_username_format": names},
        "ethernet_interfaces": [
            {"name": "Ethernet1", "description": "802.1X", "switchport": access(999), "dot1x": asking},
            {"name": "Ethernet4", "description": "trunk hr", "switchport": trunk("10")},
        ],
    }
    theirs = [line for line in pyavd.get_device_config(structured).splitlines() if line and line[0] != "!"]
    text = written(site("arista-eos", "1 dot1x", "4 trunk hr", zones=ASKING))
    ours = [line for line in text.splitlines() if line and line[0] != "!"]
    assert ours[:-1] == [line for line in theirs if line not in ("hostname s", "end")]


def access(vlan: int) -> dict:
    return {"enabled": True, "mode": "access", "access_vlan": vlan}


def trunk(vlans: str) -> dict:
    return {"enabled": True, "mode": "trunk", "trunk": {"allowed_vlan": vlans, "native_vlan_tag": True}}


def test_openwisp_reads_the_vlans_of_openwrt():
    read = netjsonconfig.OpenWrt(native=written(site("openwrt", *OLD))).config["interfaces"]
    (bridge,) = (each for each in read if each["type"] == "bridge")
    assert bridge["bridge_members"] == ["lan1", "lan2", "lan3", "lan4"]
    members = {
        each["vlan"]: [(port["ifname"], port["tagging"], port["primary_vid"]) for port in each["ports"]]
        for each in bridge["vlan_filtering"]
    }
    assert members == {
        10: [("lan1", "u", True), ("lan4", "t", False)],
        60: [("lan2", "u", True), ("lan3", "u", True), ("lan4", "t", False)],
    }


def test_a_linux_bridge_gets_a_plan_of_links():
    text = written(site("linux-bridge", "1 zone hr", "2 zone printers isolated", "10 trunk hr, printers"))
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    plan = read_plan(text)
    ports = (
        BridgePort("eth1", 10, (), False),
        BridgePort("eth2", 60, (), True),
        BridgePort("eth10", None, (10, 60), False),
    )
    assert plan.bridges == (Bridge("br0", None, (), ports),)


# ---- what is written


ISOLATION = {
    "cisco-ios": [" switchport protected"] * 2,
    "aruba-cx": ["    portfilter 1/1/3", "    portfilter 1/1/2"],
    "openwrt": ["\toption isolate '1'"] * 2,
}


@pytest.mark.parametrize("platform", ISOLATION)
def test_ports_of_a_zone_whose_hosts_may_not_talk_are_isolated(platform):
    zones = ZONES.replace("10.0.60.0/24", "10.0.60.0/24  intra deny")
    closed, opened = (written(site(platform, *OLD, zones=each)).splitlines() for each in (zones, ZONES))
    assert [line for line in closed if line not in opened] == ISOLATION[platform]


def test_junos_isolates_by_a_private_vlan_of_its_own():
    zones = (
        ZONES.replace("10.0.60.0/24", "10.0.60.0/24  intra deny")
        + "zone odd { vlan 2060  subnet 10.9.0.0/24 }\n"
    )
    text = written(site("junos", *OLD, zones=zones))
    assert [line for line in text.splitlines() if "printers" in line or "3999" in line] == [
        "set vlans printers vlan-id 60",
        'set vlans printers description "zone printers"',
        "set vlans printers isolated-vlan printers.isolated",
        "set vlans printers.isolated vlan-id 3999",
        "set vlans printers.isolated private-vlan isolated",
        'set interfaces ge-0/0/2 description "zone printers"',
        "set interfaces ge-0/0/2 unit 0 family ethernet-switching vlan members 3999",
        'set interfaces ge-0/0/3 description "zone printers"',
        "set interfaces ge-0/0/3 unit 0 family ethernet-switching vlan members 3999",
        'set interfaces ge-0/0/4 description "trunk hr, printers"',
    ]


@pytest.mark.parametrize("platform", PORTS)
def test_no_port_is_left_in_vlan_1(platform):
    text = written(site(platform, *OLD))
    assert not re.search(r"\b(vlan|members|pvid|native|allowed|'vlan)\b['\": ]+1\b(?!/)", text)


@pytest.mark.parametrize(("platform", "line"), [("cisco-ios", "native vlan"), ("aruba-cx", "trunk native")])
def test_untagged_frames_on_a_trunk_end_in_a_vlan_without_ports(platform, line):
    zones = ZONES + "zone odd { vlan 999  subnet 10.9.0.0/24 }\n"
    text = written(site(platform, *OLD, zones=zones))
    assert re.findall(rf"{line} (\d+)", text) == ["3999"]
    assert f"name {PARKING_NAME}" in text
    assert len(re.findall(r"\b3999\b", text)) == 2


@pytest.mark.parametrize("platform", PORTS)
def test_the_order_of_statements_changes_no_byte(platform):
    text = site(platform, *OLD)
    zones = "".join(reversed(ZONES.strip().splitlines(keepends=True)))
    turned = site(
        platform, *OLD[2::-1], "4 trunk printers, hr", zones=zones.replace("}zone", "}\nzone") + "\n"
    )
    assert written(text) == written(turned)


ASKING_LINES = {
    "cisco-ios": " authentication port-control auto",
    "arista-eos": "   dot1x port-control auto",
    "aruba-cx": "    aaa authentication port-access dot1x authenticator",
    "junos": "set protocols dot1x authenticator interface ge-0/0/1.0 supplicant single-secure",
}


@pytest.mark.parametrize("platform", ASKING_LINES)
def test_a_port_that_asks_is_in_a_vlan_without_ports_until_somebody_is_known(platform):
    text = written(site(platform, *ASKS, zones=ASKING))
    assert text.count(ASKING_LINES[platform]) == 1
    port = PORTS[platform].format(1)
    block = re.findall(rf"{re.escape(port)}\b[^\n]*\n?(?:[ ]+[^\n]*\n)*", text)
    assert re.search(r"(access vlan|vlan access|vlan members) 999$", "".join(block), re.MULTILINE)
    assert not re.search(r"(access vlan|vlan access|vlan members) 10$", "".join(block), re.MULTILINE)
    assert PARKING_NAME in text
    assert "hr" in text  # the VLAN that somebody is put into is there


@pytest.mark.parametrize("platform", ASKING_LINES)
def test_nothing_is_said_of_802_1x_where_no_port_asks(platform):
    text = written(site(platform, *OLD, zones=ASKING))
    assert not re.search("dot1x|authenticat|mab", text)


# ---- what cannot be said


@pytest.mark.parametrize("platform", ["linux-bridge", "openwrt"])
def test_linux_takes_no_vlan_from_radius(platform):
    (found,) = complaints(switch.emit, site(platform, *ASKS, zones=ASKING))
    assert found[1] == f"{platform} takes no VLAN from RADIUS, so no port of it can ask by 802.1X"


def test_a_port_that_asks_is_isolated_in_every_zone_or_in_none():
    zones = ASKING.replace("10.0.60.0/24", '10.0.60.0/24  intra deny  dot1x user "bo"')
    assert complaints(switch.emit, site("cisco-ios", *ASKS, zones=zones)) == [
        (
            "SEG503",
            "no switch can isolate a port only while it is in zone `printers`",
            'port "GigabitEthernet1/0/1" dot1x',
        )
    ]
    assert "protected" in written(site("cisco-ios", "1 dot1x isolated", zones=zones))
    closed = zones.replace("10.0.10.0/24", "10.0.10.0/24  intra deny")
    assert "protected" in written(site("cisco-ios", "1 dot1x", zones=closed))
    assert [
        code for code, _, _ in complaints(switch.emit, site("junos", "1 dot1x isolated", zones=zones))
    ] == ["SEG503"]


@pytest.mark.parametrize("platform", PORTS)
@pytest.mark.parametrize(
    "name", ["eth0!", "lan 1; reload", "Gi1/0/1", "*", "x\ty", "[[x]]", "{{ 7 * 7 }}", "-1"]
)
def test_a_port_that_is_none_is_an_error_and_never_text(platform, name):
    text = f'{ZONES}switch s {{ platform {platform}  port "{name}" zone hr }}'
    assert complaints(switch.emit, text) == [
        ("SEG503", f"`{name}` is no port of {platform}", f'port "{name}" zone hr')
    ]
    assert emitted(switch.emit, policy(text)).artifacts == ()


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("cisco-ios", "GigabitEthernet1/0/01"),
        ("arista-eos", "Ethernet01"),
        ("junos", "ge-0/0/00"),
        ("aruba-cx", "1/1/01"),
        ("aruba-cx", "lag 01"),
        ("linux-bridge", "br0"),
        ("openwrt", "br-segc"),
    ],
)
def test_no_second_spelling_of_a_port_and_no_bridge_in_itself(platform, name):
    """`1/0/01` beside `1/0/1` was configured twice, and whichever zone came last won."""
    text = f'{ZONES}switch s {{ platform {platform}  port "{name}" zone hr }}'
    assert complaints(switch.emit, text) == [
        ("SEG503", f"`{name}` is no port of {platform}", f'port "{name}" zone hr')
    ]


def test_a_newline_in_a_name_is_no_port_either():
    pattern = [platform.port for platform in PLATFORMS.values()]
    names = [platform.example for platform in PLATFORMS.values()]
    assert all(each.fullmatch(name) for each, name in zip(pattern, names, strict=True))
    assert not any(each.fullmatch(f"{name}\n") for each, name in zip(pattern, names, strict=True))


def test_a_range_of_ports_is_complained_of_once():
    text = f'{ZONES}switch s {{ platform cisco-ios  port "Gi1/0/1-12" zone hr }}'
    assert complaints(switch.emit, text) == [
        ("SEG503", "`Gi1/0/1` is no port of cisco-ios", 'port "Gi1/0/1-12" zone hr')
    ]


def test_eos_cannot_keep_ports_apart():
    zones = ZONES.replace("10.0.60.0/24", "10.0.60.0/24  intra deny")
    assert complaints(switch.emit, site("arista-eos", *OLD, zones=zones)) == [
        ("SEG503", "arista-eos cannot keep ports of one VLAN apart", 'port "Ethernet2" zone printers'),
        ("SEG503", "arista-eos cannot keep ports of one VLAN apart", 'port "Ethernet3" zone printers'),
    ]
    alone = site("arista-eos", "1 zone hr", "2 zone printers isolated", zones=zones)
    assert complaints(switch.emit, alone) == []


def test_junos_cannot_isolate_a_trunk():
    text = site("junos", "1 zone hr", "2 trunk hr, lab isolated")
    assert complaints(switch.emit, text) == [
        ("SEG503", "junos cannot isolate a trunk", 'port "ge-0/0/2" trunk hr, lab isolated')
    ]


@pytest.mark.parametrize("platform", PORTS)
def test_vlan_1_belongs_to_ports_that_nobody_configured(platform):
    text = site(platform, "1 zone hr", zones=ZONES.replace("vlan 10 ", "vlan 1 "))
    wanted = [] if platform in ("linux-bridge", "openwrt") else ["hr"]
    assert [underlined for _, _, underlined in complaints(switch.emit, text)] == wanted


# ---- names


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
@given(zones=st.sets(st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,70}", fullmatch=True), max_size=12))
def test_names_of_vlans_are_short_free_and_unique(platform, zones):
    crowd = {*zones, *(zone.upper() for zone in zones), "default", PARKING_NAME, "x" * 32, "x" * 80}
    names = vlan_names(crowd, platform)
    assert names.keys() == crowd
    assert len({name.lower() for name in names.values()}) == len(crowd)
    assert all(1 <= len(name) <= platform.vlan_name for name in names.values())
    assert {name.lower() for name in names.values()}.isdisjoint({*platform.reserved_names, PARKING_NAME})
    assert vlan_names(sorted(crowd, reverse=True), platform) == names


def test_a_name_that_fits_stays():
    assert vlan_names(["hr", "it-admin"], CISCO_IOS) == {"hr": "hr", "it-admin": "it-admin"}
    assert vlan_names(["all", "x" * 40], JUNOS) == {"all": "all-5ef5ef03", "x" * 40: "x" * 40}


@given(st.text(), st.integers(8, 80))
def test_descriptions_are_plain(text, length):
    found = plain(text, length)
    assert len(found) <= length
    assert re.fullmatch(r"[A-Za-z0-9 _.,:/()+-]*", found)


@given(st.sets(st.integers(1, 4094)))
def test_ranges_hold_the_numbers(numbers):
    found = ranges(numbers)
    assert all(len(line) <= 170 for line in found)
    spans = [word.split("-") for line in found for word in line.split(",")]
    assert {n for span in spans for n in range(int(span[0]), int(span[-1]) + 1)} == numbers


def test_a_long_list_of_vlans_is_cut_into_lines():
    zones = "".join(
        f"zone z{n} {{ vlan {n}  subnet 10.{n // 256}.{n % 256}.0/24 }}\n" for n in range(100, 300, 2)
    )
    names = ", ".join(f"z{n}" for n in range(100, 300, 2))
    text = written(site("cisco-ios", f"1 trunk {names}", zones=zones))
    assert max(map(len, text.splitlines())) < 254
    allowed = re.findall(r"allowed vlan (add )?([\d,]+)$", text, re.M)
    assert [first for first, _ in allowed] == ["", "add ", "add "]
    assert ",".join(numbers for _, numbers in allowed) == ",".join(str(n) for n in range(100, 300, 2))
