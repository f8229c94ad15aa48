"""What is written for FreeRADIUS, and names that it cannot be told of; tests/netns tries what it answers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segc.backends import freeradius
from segc.policy.model import Admission, Subject
from tests.unit.backends.helpers import NAMES, complaints, emitted, files, policy, sample

TEXT = """
zone hr { vlan 10 subnet 10.10.10.0/24 dot1x group staff dot1x user "zed" }
zone finance { vlan 20 subnet 10.10.20.0/24 dot1x group finance }
zone printers {
  vlan 60 subnet 10.10.60.0/24 dot1x mac
  host lobby = 10.10.60.11 { mac 02:00:00:00:60:0B }
  host floor = 10.10.60.12
}
zone safe { vlan 70 subnet 10.10.70.0/24 host vault = 10.10.70.7 { mac 02:00:00:00:70:01 } }
group leads { user "ana@acme.example" }
group staff { user "bo@acme.example"; group leads }
group finance { user "cem@acme.example" }
session staff { max 10h idle 1h }
session leads { max 1h }
"""
AUTHORIZE, POLICY = "radius/mods-config/files/authorize", "radius/policy.d/segc"
ENTRY = re.compile(r'^"([^"]*)"(.*)\n((?:\t.*\n)*)', re.MULTILINE)


def entries(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """For each name what is checked, and what is replied."""
    return {
        name: (check.strip(), dict(re.findall(r"\t(\S+) := ([^,\n]+)", reply)))
        for name, check, reply in ENTRY.findall(text)
    }


def test_everybody_is_in_the_vlan_of_the_zone_that_takes_them_in() -> None:
    found = entries(files(freeradius.emit, policy(TEXT))[AUTHORIZE])
    vlans = {name: reply["Tunnel-Private-Group-Id"] for name, (_, reply) in found.items()}
    assert vlans == {
        "ana@acme.example": '"10"',
        "bo@acme.example": '"10"',
        "zed": '"10"',
        "cem@acme.example": '"20"',
        "02000000600b": '"60"',
    }
    assert all(reply["Tunnel-Type"] == "VLAN" for _, reply in found.values())
    assert all(reply["Tunnel-Medium-Type"] == "IEEE-802" for _, reply in found.values())


def test_a_session_on_the_wire_lasts_as_long_as_the_shortest_that_bounds_the_user() -> None:
    found = entries(files(freeradius.emit, policy(TEXT))[AUTHORIZE])
    lasts = {name: reply.get("Session-Timeout") for name, (_, reply) in found.items()}
    assert lasts == {
        "ana@acme.example": "3600",
        "bo@acme.example": "36000",
        "zed": None,
        "cem@acme.example": None,
        "02000000600b": None,
    }


def test_the_end_of_the_file_rejects_who_is_in_none_of_it() -> None:
    text = files(freeradius.emit, policy(TEXT))[AUTHORIZE]
    assert text.splitlines()[-2:] == [
        "DEFAULT FreeRADIUS-Proxied-To == 127.0.0.1, Auth-Type := Reject",
        "DEFAULT EAP-Message !* ANY, Auth-Type := Reject",
    ]
    assert text.count("DEFAULT") == 2


def test_only_hosts_of_zones_that_say_so_are_let_in_by_their_mac() -> None:
    assert "020000007001" not in files(freeradius.emit, policy(TEXT))[AUTHORIZE]


def test_nothing_is_written_where_nobody_is_taken_in() -> None:
    assert files(freeradius.emit, policy(re.sub(r"dot1x (group \w+|user \S+|mac)", "", TEXT))) == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_samples_can_be_written(name: str) -> None:
    assert emitted(freeradius.emit, sample(name)).diagnostics == ()


def test_the_order_of_statements_changes_no_byte() -> None:
    turned = policy(
        TEXT.replace("dot1x group staff dot1x user", "dot1x user").replace('"zed"', '"zed" dot1x group staff')
    )
    assert files(freeradius.emit, turned) == files(freeradius.emit, policy(TEXT))


def test_no_other_node_has_the_servers_folder() -> None:
    text = f"{TEXT} switch RADIUS {{ platform junos }} gateway gw {{ interface lan0 {{ zone hr }} }}"
    assert complaints(freeradius.emit, text) == [
        ("SEG503", "`RADIUS` is where the files for the RADIUS server go", "RADIUS")
    ]


HOSTILE = [
    "DEFAULT",
    "$INCLUDE /etc/passwd",
    'x" Auth-Type := Accept',
    "x\nDEFAULT Auth-Type := Accept",
    "x\n",
    "x\\",
    "x\\\n",
    "`id`",
    "%{exec:/bin/id}",
    "%(x)",
    "${confdir}",
    "x${confdir}",
    "x,y",
    "x;y",
    "# x",
    "x y",
    "",
    "x\ty",
    "x\x00",
    "x\u2028y",
    "x\u202ey",
    "a" * 254,
    "ä" * 127,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_could_mean_something_else_are_an_error(name: str) -> None:
    of = policy(TEXT)
    zone = replace(of, admissions=(Admission("hr", Subject("user", name), of.admissions[0].span),))
    output = emitted(freeradius.emit, zone)
    assert [each.code for each in output.diagnostics] == ["SEG503"]
    assert output.artifacts == ()


def test_the_error_is_at_the_name_of_who_is_taken_in() -> None:
    text = 'zone hr { vlan 10 subnet 10.0.0.0/24 dot1x group odd } group odd { user "a,b" }'
    assert complaints(freeradius.emit, text) == [
        ("SEG503", "FreeRADIUS cannot be told of a user called `a,b`", "odd")
    ]


@given(st.text(max_size=40))
def test_whatever_is_written_is_one_entry_with_that_name(name: str) -> None:
    of = policy('zone hr { vlan 10 subnet 10.0.0.0/24 dot1x user "zed" }')
    changed = replace(of, admissions=(Admission("hr", Subject("user", name), of.admissions[0].span),))
    for artifact in emitted(freeradius.emit, changed).artifacts:
        if artifact.name.endswith("authorize"):
            plain = files(freeradius.emit, of)[AUTHORIZE]
            assert artifact.text == plain.replace('"zed"', f'"{name}"')
            assert not set(name) & set('"\\\n\r`%{}#,;')
            assert artifact.text.split("\n")[4:5] == [f'"{name}"']
