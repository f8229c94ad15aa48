"""Who would be locked out, and by what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest

from segc.apply.bridges import bridge_steps, departure, vlan_steps
from segc.apply.devices import device_steps, removal, withdrawals
from segc.apply.guard import lockouts
from segc.apply.login import Login, login
from segc.apply.seen import MASTER, PVID, SELF, UNTAGGED, Link, Seen
from segc.apply.step import Step, up
from segc.enforcement.layer2 import Bridge, BridgePort, Device
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse

NET = """
service ssh = tcp/22
zone it { vlan 10  subnet 10.1.0.0/24, 2001:db8:1::/64 }
zone lab { vlan 20  subnet 10.2.0.0/24 }
zone net { external }
group admins { user "ida@x.example" }
gateway gw {
  interface wan0 { zone net }
  interface lan0 { trunk it, lab }
  address it 10.1.0.1/24, 2001:db8:1::1/64
  address lab 10.2.0.1/24
  %s
}
"""
MANAGE = "manage from it : ssh"
HERE = Login(ip_address("10.1.0.9"), ip_address("10.1.0.1"), 22)


def policy(in_gateway: str, statements: str = "") -> Policy:
    tree, found = parse(SourceFile("net.seg", NET % in_gateway + statements))
    made, diagnostics = resolve([tree])
    assert not [*found, *diagnostics]
    return made


def link(name: str, master: str | None = None, parent: str | None = None) -> Link:
    return Link(name, None, True, master, parent, None, False, 0, False)


SEEN = Seen(
    {each.name: each for each in (link("br0"), link("p1", "br0"), link("p2"), link("br0.10", parent="br0"))},
    {},
    {"br0.10": frozenset({"10.1.0.1/24"})},
)


UNMANAGED = "`it` can manage `gw` now, and could no longer: for instance {} (7: nothing here lets them in)"


def refused(
    wanted: Policy, former: Policy | None = None, remote: Login | None = None, steps: Sequence[Step] = ()
) -> list[str]:
    return [
        f"{each.message} ({each.primary.span.line}: {each.primary.text})"
        for each in lockouts(wanted, former, "gw", remote, steps, SEEN)
        if each.primary
    ]


def test_nobody_is_locked_out_where_nothing_is_taken() -> None:
    assert refused(policy(MANAGE), policy(MANAGE), HERE) == []


@pytest.mark.parametrize(
    "deny",
    [
        "deny it -> gateway gw : ssh",
        "deny any -> gateway gw : tcp/20-30",
        "deny group admins in it -> gateway gw : any",
    ],
)
def test_a_deny_that_beats_a_manage(deny: str) -> None:
    (told,) = refused(policy(MANAGE, deny))
    assert (
        told == "who manages `gw` from `it` would be denied: for instance 10.1.0.0 (14: this deny beats it)"
    )


@pytest.mark.parametrize(
    "deny",
    ["deny lab -> gateway gw : ssh", "deny it -> gateway gw : tcp/80", "staged deny it -> gateway gw : ssh"],
)
def test_a_deny_beside_a_manage_is_none_of_its_business(deny: str) -> None:
    assert refused(policy(MANAGE, deny)) == []


def test_who_managed_until_now_must_still_be_let_in() -> None:
    (told,) = refused(policy("manage from lab : ssh"), policy(MANAGE))
    assert told == UNMANAGED.format("10.1.0.0")
    assert refused(policy("", "allow it -> gateway gw : any"), policy(MANAGE)) == []
    half = policy("", "allow 10.1.0.0/25, 2001:db8:1::/64 -> gateway gw : ssh")
    assert refused(half, policy(MANAGE)) == [UNMANAGED.format("10.1.0.128")]


def test_access_that_hangs_on_a_session_or_an_hour_is_none_to_rely_on() -> None:
    for flow in (
        "allow group admins in it -> gateway gw : ssh",
        "allow it -> gateway gw : ssh when mon 01:00-02:00",
    ):
        assert refused(policy("", flow), policy(MANAGE))


def test_the_own_connection() -> None:
    (told,) = refused(policy("manage from lab : ssh"), None, HERE)
    assert told == "your own connection, 10.1.0.9 to 10.1.0.1 tcp/22, would be cut (7: no flow allows it)"
    elsewhere = Login(ip_address("192.0.2.1"), ip_address("192.0.2.2"), 22)
    assert refused(policy(MANAGE), None, elsewhere) == []


PORT = BridgePort("p1", None, (10,), isolated=True)
BRIDGE = Bridge("br0", None, (10,), (PORT,))
SUB_INTERFACE = Device("br0.10", "it", "br0", 10, dhcp=False, addresses=())
FILTERING = replace(SEEN, links={**SEEN.links, "br0": replace(link("br0"), filtering=True, default_pvid=1)})


@pytest.mark.parametrize(
    ("steps", "whats"),
    [
        (vlan_steps("p1", {10: 0, 20: 0}, {20: 0}, MASTER), ["take VLAN 10 off p1"]),
        (vlan_steps("br0", {10: 0}, {}, SELF), ["take VLAN 10 off br0"]),
        (vlan_steps("p1", {10: PVID | UNTAGGED}, {10: 0}, MASTER), ["put VLAN 10 on p1"]),
        (bridge_steps(BRIDGE, SEEN, []), ["filter VLANs on br0", "isolate p1"]),
        (bridge_steps(BRIDGE, FILTERING, []), ["take the default VLAN 1 off br0", "isolate p1"]),
        (bridge_steps(Bridge("br1", None, (), (PORT,)), SEEN, []), ["add p1 to br1", "isolate p1"]),
        ([departure("p1", "br0", SEEN)], ["take p1 out of br0"]),
        ([removal(SUB_INTERFACE, [])], ["remove br0.10"]),
        (withdrawals("br0.10", ["10.1.0.1/24"], (), SEEN), ["take 10.1.0.1/24 off br0.10"]),
    ],
)
def test_a_step_on_the_way_one_came_in_by(steps: Iterable[Step], whats: list[str]) -> None:
    found = list(steps)
    named = [(each.device, each.what) for each in found if each.what in whats]
    assert refused(policy(MANAGE), None, HERE, found) == [
        f"your own connection comes in by `{device}`: {what} (7: of this gateway)" for device, what in named
    ]
    assert [what for _, what in named] == whats
    assert refused(policy(MANAGE), None, HERE, [each._replace(device="p2") for each in found]) == []


@pytest.mark.parametrize(
    ("taken", "hop", "harm"),
    [
        ("2001:db8:1::1/64", None, False),  # of the other family
        ("10.1.0.1/24", None, True),  # what one is connected to
        ("10.1.0.2/24", None, False),  # another, in the network of the one that stays
        ("10.1.9.1/24", None, False),
        ("10.1.9.1/24", "10.1.9.254", True),  # the router by which the answers leave
        ("10.1.8.1/24", "10.1.9.254", False),
    ],
)
def test_an_address_is_missed_only_if_the_connection_leans_on_it(
    taken: str, hop: str | None, harm: bool
) -> None:
    """Every address that went from the device was refused, also an IPv6 one while one came by IPv4."""
    held = frozenset({"10.1.0.1/24", taken})
    seen = Seen(SEEN.links, {}, {"br0.10": held})
    remote = HERE._replace(hop=ip_address(hop) if hop else None)
    steps = list(withdrawals("br0.10", [taken], (), seen))
    assert bool(list(lockouts(policy(MANAGE), None, "gw", remote, steps, seen))) == harm


def test_the_last_network_that_leads_to_the_client_is_missed() -> None:
    """Two addresses of it go at once, and neither is the one that one is connected to."""
    taken = ["10.1.9.1/24", "10.1.9.2/24"]
    seen = Seen(SEEN.links, {}, {"br0.10": frozenset({"10.1.0.1/24", *taken})})
    steps = list(withdrawals("br0.10", taken, (), seen))
    remote = HERE._replace(hop=ip_address("10.1.9.254"))
    assert list(lockouts(policy(MANAGE), None, "gw", remote, steps, seen))
    assert not list(lockouts(policy(MANAGE), None, "gw", remote, steps[:1], seen))


@pytest.mark.parametrize(
    ("withdrawn", "harm"),
    [(None, True), ("10.1.0.1/24", True), ("10.5.0.1/24", False)],
)
def test_the_way_back_goes_though_the_address_stays(withdrawn: str | None, harm: bool) -> None:
    """Linux answers for its addresses on any device, so one comes in by another than the address is on."""
    held = {"br0.10": frozenset({"10.1.0.1/24", "10.5.0.1/24"}), "p2": frozenset({"10.2.0.1/24"})}
    seen = Seen(SEEN.links, {}, held)
    remote = Login(HERE.client, ip_address("10.2.0.1"), 22, "br0.10")
    steps = withdrawals("br0.10", [withdrawn], (), seen) if withdrawn else [departure("br0.10", "br0", seen)]
    told = [each.message for each in lockouts(policy(MANAGE), None, "gw", remote, list(steps), seen)]
    cut = [each for each in told if "comes in by `br0.10`: " in each]
    assert bool(cut) == harm


def test_steps_that_take_nothing_away_are_fine() -> None:
    steps = [*vlan_steps("p1", {}, {30: 0}, MASTER), up("p1")]
    assert refused(policy(MANAGE), None, HERE, steps) == []


def test_an_address_that_a_bridge_gets_is_no_port_that_is_put_into_it() -> None:
    """It was taken for one by its words, and a port put into a bridge that the same apply makes was not."""
    links = {"br0": replace(link("br0"), kind="bridge"), "p1": link("p1", "br0")}
    seen = Seen(links, {}, {"br0": frozenset({"10.1.0.1/24"})})
    device = Device("br0", "it", None, None, dhcp=False, addresses=("10.1.0.1/24", "10.1.0.2/24"))
    (step,) = device_steps(device, seen, bridge=True)
    assert not list(lockouts(policy(MANAGE), None, "gw", HERE, [step], seen))


def test_the_connection_is_found_where_sudo_hid_it() -> None:
    told = "2001:db8::7 50000 ::ffff:10.1.0.1 2222"
    assert login({"SSH_CONNECTION": told}) == Login(ip_address("2001:db8::7"), ip_address("10.1.0.1"), 2222)
    hidden = [*("env", "-u", "SSH_CONNECTION", sys.executable, "-c")]
    program = "from segc.apply.login import login; print(login())"
    shell = ["sh", "-c", '"$@"; :', "sh", *hidden, program]
    done = subprocess.run(shell, env=os.environ | {"SSH_CONNECTION": told}, capture_output=True, text=True)
    assert "IPv6Address('2001:db8::7')" in done.stdout, done.stderr


@pytest.mark.parametrize("told", ["", "10.0.0.1 1", "a b c d", "10.0.0.1 1 10.0.0.2 x"])
def test_nonsense_is_no_connection(told: str) -> None:
    assert login({"SSH_CONNECTION": told}, process=1) is None


def test_the_own_connection_comes_in_by_a_device_that_the_policy_calls_otherwise() -> None:
    (told,) = refused(policy(MANAGE), None, HERE._replace(device="eth0"))
    assert told == (
        "your own connection comes in by `eth0`, and would be cut (7: zone `it` comes in by `lan0.10` only)"
    )
    assert refused(policy(MANAGE), None, HERE._replace(device="lan0.10")) == []
    outside = Login(ip_address("192.0.2.1"), HERE.server, 22, "wan1")
    assert refused(policy(MANAGE, "allow net -> gateway gw : ssh"), None, outside) == [
        "your own connection comes in by `wan1`, and would be cut (7: zone `net` comes in by `wan0` only)"
    ]


def test_no_device_of_those_who_manage_is_there() -> None:
    absent = {"lan0", "lan0.10", "lan0.20"}
    (told,) = lockouts(policy(MANAGE), None, "gw", None, [], SEEN, absent)
    assert told.message == "nobody could manage `gw`: there is no `lan0.10`"
    assert not list(lockouts(policy("manage from it, net : ssh"), None, "gw", None, [], SEEN, absent))
    assert not list(lockouts(policy(MANAGE), None, "gw", None, [], SEEN, {"wan0", "lan0.20"}))
    assert not list(lockouts(policy(""), None, "gw", None, [], SEEN, absent))
