"""Links that somebody changes by hand: each VLAN, address and flag is found, named and put right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.cli import app
from tests.lab.guest.net import Namespace, cable, namespaces

pytestmark = pytest.mark.systemd

POLICY = """
zone hr  { vlan 10  subnet 10.1.0.0/24 }
zone lab { vlan 20  subnet 10.2.0.0/24  intra deny }
gateway gw {
  interface br0 { bridge
                  port p1 zone hr
                  port p2 zone lab isolated
                  port p3 trunk hr, lab }
  address hr 10.1.0.1/24
  address lab 10.2.0.1/24
}
allow hr -> lab : icmp/echo-request
allow hr -> gateway gw : icmp/echo-request
"""
CHANGES = {
    "a VLAN added": ("bridge vlan add dev p1 vid 30", "take VLAN 30 off p1"),
    "a VLAN removed": ("bridge vlan del dev p3 vid 20", "put VLAN 20 on p3"),
    "a VLAN untagged": ("bridge vlan add dev p3 vid 20 untagged", "put VLAN 20 on p3"),
    "a VLAN tagged": ("bridge vlan add dev p1 vid 10 pvid", "put VLAN 10 on p1"),
    "untagged frames of no VLAN": ("bridge vlan add dev p1 vid 10 untagged", "put VLAN 10 on p1"),
    "a VLAN off the bridge itself": ("bridge vlan del dev br0 vid 20 self", "put VLAN 20 on br0"),
    "a sub-interface removed": ("ip link del br0.10", "add br0.10"),
    "a sub-interface down": ("ip link set br0.10 down", "bring br0.10 up"),
    "an address added": ("ip address add 10.1.0.9/24 dev br0.10", "take 10.1.0.9/24 off br0.10"),
    "an address removed": ("ip address del 10.2.0.1/24 dev br0.20", "add 10.2.0.1/24 to br0.20"),
    "VLANs that no longer count": ("ip link set br0 type bridge vlan_filtering 0", "filter VLANs on br0"),
    "a default VLAN": (
        "ip link set br0 type bridge vlan_default_pvid 7",
        "take the default VLAN 7 off br0",
    ),
    "a port no longer isolated": ("bridge link set dev p2 isolated off", "isolate p2"),
    "a port isolated": ("bridge link set dev p1 isolated on", "join p1"),
    "a port put in": ("ip link set p4 master br0", "take p4 out of br0"),
    "a port taken out": ("ip link set p1 nomaster", "add p1 to br0"),
    "a port down": ("ip link set p1 down", "bring p1 up"),
    "a bridge down": ("ip link set br0 down", "bring br0 up"),
    "a bridge removed": ("ip link del br0", "add bridge br0"),
}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drift") / "policy.seg"
    path.write_text(POLICY)
    return path


@pytest.fixture(scope="module")
def segc(policy: Path) -> Iterator[Callable[..., str]]:
    """Commands on a gateway to which the policy has been applied; each in a thread, as it moves there."""
    where = ("--netns", "drift", "--state-dir", str(policy.parent / "state"))

    def command(*arguments: str, code: int = 0) -> str:
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(CliRunner().invoke, app.segc, [*arguments, *where]).result()
        assert done.exit_code == code, done.output
        return str(done.output)

    with namespaces("drift") as (host,):
        host.run("for port in p1 p2 p3 p4; do ip link add $port type dummy; done")
        command("apply", str(policy), "--no-confirm")
        yield command


@pytest.fixture
def hosts(segc: Callable[..., str]) -> Iterator[None]:
    """Somebody on a cable that ends at the gateway's `x`."""
    with namespaces("intruder") as (intruder,):
        cable(Namespace("drift"), "x", intruder, "eth0")
        intruder.host("eth0", "10.1.0.66/24")
        yield


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_by_hand_is_found_named_and_put_right(segc: Callable[..., str], what: str) -> None:
    command, words = CHANGES[what]
    assert "is as generation 1" in segc("verify")
    Namespace("drift").run(command)
    assert f"links: {words}\n" in segc("verify", code=3)
    segc("verify", "--heal")
    assert "is as generation 1" in segc("verify")


def test_what_a_port_by_hand_opens_is_told_and_shut(segc: Callable[..., str], hosts: None) -> None:
    host, intruder = Namespace("drift"), Namespace("intruder")
    host.run("ip link set x master br0 up")
    assert "`x` was put into `br0` by hand, and the policy names no such port: it carries no VLAN" in segc(
        "verify", code=3
    )
    host.run("bridge vlan add dev x vid 10 pvid untagged")
    assert intruder.reaches("10.1.0.1")
    assert "the policy names no such port: it leads into `hr`\n" in segc("verify", code=3)
    assert json.loads(segc("verify", "--format", "json", code=3))["links"] == [
        {"device": "x", "step": "take x out of br0"}
    ]
    segc("verify", "--heal")
    assert intruder.cut_off_from("10.1.0.1")
    assert "is as generation 1" in segc("verify")


def test_a_port_that_the_policy_gives_up_leaves_the_bridge(segc: Callable[..., str], policy: Path) -> None:
    host = Namespace("drift")
    narrow = policy.with_name("narrow.seg")
    narrow.write_text(POLICY.replace("port p1 zone hr", ""))
    assert "take p1 out of br0" in segc("apply", str(narrow), "--no-confirm")
    assert "is as generation 2" in segc("verify")
    segc("rollback", "--no-confirm")
    assert "vid 10" not in host.run("bridge vlan show dev p4")
    assert "10 PVID Egress Untagged" in host.run("bridge vlan show dev p1")
    assert "is as generation 3" in segc("verify")
    segc("apply", str(narrow), "--confirm", "1h")
    segc("rollback")
    assert "10 PVID Egress Untagged" in host.run("bridge vlan show dev p1")
    assert "is as generation 3" in segc("verify")


def test_what_only_its_maker_can_put_right_is_named(segc: Callable[..., str]) -> None:
    host = Namespace("drift")
    host.run("ip link del br0.10; ip link add link br0 name br0.10 type vlan id 11")
    words = "`br0.10` is there and is not VLAN 10 of `br0`"
    assert f"links: {words}" in segc("verify", code=3)
    assert words in segc("verify", "--heal", code=1)
    host.run("ip link del br0.10")
    segc("verify", "--heal")
