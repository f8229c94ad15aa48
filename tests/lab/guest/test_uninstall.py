"""Links that nobody wants any more, `segc uninstall --links`: what segc has made goes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.cli import app
from tests.lab.guest.net import Namespace, cable, namespaces

POLICY = """
zone hr   { vlan 10  subnet 10.1.0.0/24, fd00:1::/64 }
zone lab  { vlan 20  subnet 10.2.0.0/24, fd00:2::/64 }
zone shop { vlan 30  subnet 10.3.0.0/24 }
zone till { vlan 40  subnet 10.4.0.0/24  intra deny }
zone mgt  { subnet 10.9.0.0/24 }
gateway gw {
  interface lan0 { trunk hr, lab }
  interface mgt0 { zone mgt }
  interface br0  { bridge
                   port p1 zone shop
                   port p2 zone till isolated
                   port p3 trunk shop, till }
  address hr   10.1.0.1/24, fd00:1::1/64
  address lab  10.2.0.1/24, fd00:2::1/64
  address shop 10.3.0.1/24
  address till 10.4.0.1/24
  address mgt  10.9.0.1/24
}
allow any -> any : icmp/echo-request, icmpv6/echo-request
allow any -> gateway gw : icmp/echo-request, icmpv6/echo-request
"""
pytestmark = pytest.mark.systemd
GATEWAY = Namespace("gw")
Segc = Callable[..., str]


@pytest.fixture
def hosts() -> Iterator[dict[str, Namespace]]:
    """Two hosts behind a switch at the gateway's `lan0`, one at its port `p1`."""
    with namespaces("gw", "switch", "hr", "lab", "shop") as (_, switch, *hosts):
        GATEWAY.run("for each in mgt0 p2 p3 p4; do ip link add $each type dummy; done")
        cable(GATEWAY, "lan0", switch, "trunk")
        cable(GATEWAY, "p1", hosts[2], "eth0")
        switch.run("ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0; ip link set br0 up")
        switch.run("ip link set trunk up master br0")
        for number, host in enumerate(hosts[:2], start=1):
            cable(switch, f"p{number}", host, "eth0")
            switch.run(
                f"""ip link set p{number} up master br0
                bridge vlan add dev p{number} vid {number}0 pvid untagged
                bridge vlan add dev trunk vid {number}0"""
            )
        for number, host in enumerate(hosts, start=1):
            host.host("eth0", f"10.{number}.0.5/24", gateways=(f"10.{number}.0.1",))
        yield {host.name: host for host in hosts}


@pytest.fixture
def segc(hosts: dict[str, Namespace], tmp_path: Path) -> Segc:
    """Commands on the gateway, to which the policy has been applied; each in a thread, as it moves there."""

    def command(*arguments: str, code: int = 0, **env: str) -> str:
        where = ("--netns", "gw", "--state-dir", str(tmp_path / "state"))
        with ThreadPoolExecutor(1) as thread:
            run = CliRunner(env=env).invoke
            done = thread.submit(run, app.segc, [*arguments, *where]).result()
        assert done.exit_code == code, done.output
        return str(done.output)

    (tmp_path / "policy.seg").write_text(POLICY)
    command("apply", str(tmp_path / "policy.seg"), "--no-confirm")
    assert hosts["hr"].reaches("10.2.0.5")
    assert hosts["lab"].reaches("10.3.0.5")
    return command


def done(told: str) -> list[str]:
    return [line.removeprefix("done: ") for line in told.splitlines() if line.startswith("done: ")]


def links() -> dict[str, str]:
    """What `ip` says of each device."""
    lines = GATEWAY.run("ip -o -d link show").splitlines()
    return {line.split(": ")[1].partition("@")[0]: line for line in lines}


def test_what_the_policy_says_goes_and_the_devices_stay(segc: Segc, hosts: dict[str, Namespace]) -> None:
    planned = segc("uninstall", "--links", "--dry-run").splitlines()
    taken = done(segc("uninstall", "--links", "--yes"))
    assert [f"  {each}" for each in taken[:-1]] == planned[1 : len(taken)]
    assert taken[-1] == "delete table inet segc"
    assert GATEWAY.run("nft list tables") == ""
    left = links()
    assert set(left) == {"lo", "lan0", "mgt0", "br0", "p1", "p2", "p3", "p4"}
    assert not [name for name, line in left.items() if "master" in line]
    assert GATEWAY.run("bridge -o vlan show").splitlines()[1:] == []
    assert not GATEWAY.run("ip -o address show scope global")
    assert segc("uninstall", "--links", "--yes").startswith("there is nothing to take away")
    GATEWAY.host("p1", "10.3.0.1/24")
    GATEWAY.host("mgt0", "10.9.0.1/24")
    hosts["shop"].run("ip neighbour flush all")  # the gateway's MAC address there was the bridge's
    assert hosts["shop"].reaches("10.9.0.1"), "the port is a plain one again"
    GATEWAY.run("ip address flush dev p1")
    segc("verify", "--heal")
    hosts["shop"].run("ip neighbour flush all")
    assert hosts["hr"].reaches("10.2.0.5")
    assert hosts["lab"].reaches("10.3.0.5")


def test_what_others_made_or_changed_meanwhile_stays(segc: Segc) -> None:
    GATEWAY.run(
        """ip link add link lan0 name lan0.99 type vlan id 99
        ip address add 10.9.0.2/24 dev mgt0
        ip link set p4 master br0; bridge vlan add dev p4 vid 50 pvid untagged
        bridge vlan add dev br0 vid 50 self
        ip link add br9 type bridge vlan_filtering 1 vlan_default_pvid 0
        ip link set p1 master br9; bridge vlan add dev p1 vid 30 pvid untagged
        ip link set p2 nomaster
        ip link del lan0.20; ip link add link lan0 name lan0.20 type vlan id 21
        ip link del br0.30"""
    )
    segc("uninstall", "--links", "--yes")
    left = links()
    assert set(left) == {
        *("lo", "lan0", "lan0.20", "lan0.99", "mgt0", "br0", "br9"),
        *("p1", "p2", "p3", "p4"),
    }
    assert "vlan protocol 802.1Q id 21 " in left["lan0.20"]
    assert {name: line.split("master ")[1].split()[0] for name, line in left.items() if "master" in line} == {
        "p1": "br9",
        "p4": "br0",
    }
    assert "30 PVID" in GATEWAY.run("bridge vlan show dev p1")
    assert "50 PVID" in GATEWAY.run("bridge vlan show dev p4")
    assert "50" in GATEWAY.run("bridge vlan show dev br0")
    assert " 10.9.0.2/24 " in GATEWAY.run("ip -o address show dev mgt0 scope global")


@pytest.mark.parametrize(
    ("zone", "words"),
    [(1, "`lan0.10`: remove lan0.10"), (3, "`p1`: take p1 out of br0"), (9, "`mgt0`: take 10.9.0.1/24 off")],
)
def test_nobody_takes_away_the_vlan_that_they_come_in_by(segc: Segc, zone: int, words: str) -> None:
    before = links()
    here = f"10.{zone}.0.5 50000 10.{zone}.0.1 22"
    told = segc("uninstall", "--links", "--yes", code=4, SSH_CONNECTION=here)
    assert f"your own connection comes in by {words}" in told
    assert "nothing was changed" in told
    assert links().keys() == before.keys()
    assert segc("verify").startswith("gw: the kernel is as generation 1")


def test_a_port_that_moves_to_another_bridge_arrives(segc: Segc, tmp_path: Path) -> None:
    other = "interface br1 { bridge  port p1 zone shop }"
    moved = POLICY.replace("port p1 zone shop\n", "").replace("address hr ", f"{other}\n  address hr ")
    moved = moved.replace("port p3 trunk shop, till", "port p3 trunk till")
    (tmp_path / "moved.seg").write_text(moved)
    segc("apply", str(tmp_path / "moved.seg"), "--confirm", "1h")
    assert " master br1 " in links()["p1"]
    segc("rollback")
    assert " master br0 " in links()["p1"]
    assert segc("verify").startswith("gw: the kernel is as generation 1")
    segc("apply", str(tmp_path / "moved.seg"), "--no-confirm")
    assert " master br1 " in links()["p1"]
    assert segc("verify").startswith("gw: the kernel is as generation 3")
    GATEWAY.run("ip link set p1 master br0")
    assert "links: add p1 to br1\n" in segc("verify", code=3)
    segc("verify", "--heal")
    assert " master br1 " in links()["p1"]
    segc("rollback", "--no-confirm")
    assert " master br0 " in links()["p1"]
    assert segc("verify").startswith("gw: the kernel is as generation 4")
