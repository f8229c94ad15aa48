"""`segc apply` on a whole machine: VLANs, systemd's timer, and what nftables.service flushes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.cli import app
from tests.lab.guest.net import Namespace, cable, namespaces, sh
from tests.lab.guest.test_systemd import eventually

pytestmark = pytest.mark.systemd

POLICY = """
service ping = icmp/echo-request
zone hr  { vlan 10  subnet 10.1.0.0/24 }
zone lab { vlan 20  subnet 10.2.0.0/24 }
zone new { vlan 30  subnet 10.3.0.0/24 }
gateway gw {
  interface lan0 { trunk %s }
  interface mgt0 { zone new-mgt }
  address hr 10.1.0.1/24
  address lab 10.2.0.1/24
  %s
  manage from hr : tcp/22
}
zone new-mgt { subnet 10.9.0.0/24 }
allow hr -> gateway gw : ping
%s
"""
NARROW = POLICY % ("hr, lab", "", "allow hr -> lab : ping")
WIDE = POLICY % ("hr, lab, new", "address new 10.3.0.1/24", "allow hr -> lab : ping\nallow hr -> new : ping")
STATE = Path("/var/lib/segc")


def segc(*arguments: str, policy: str = "", code: int = 0) -> str:
    """Run a command in this process: starting Python takes long in here."""
    if policy:
        Path("/run/policy.seg").write_text(policy)
        arguments = (*arguments, "/run/policy.seg")
    done = CliRunner().invoke(app.segc, arguments)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Namespace]]:
    """A host in each VLAN of a trunk that ends at this machine's `lan0`."""
    with namespaces("switch", "hr", "lab", "new") as (switch, *hosts):
        sh("ip link add lan0 type veth peer name trunk netns switch; ip link add mgt0 type dummy")
        switch.run("ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0; ip link set br0 up")
        switch.run("ip link set trunk master br0 up")
        for number, host in enumerate(hosts, start=1):
            cable(switch, f"p{number}", host, "eth0")
            switch.run(
                f"""ip link set p{number} master br0 up
                bridge vlan add dev p{number} vid {number}0 pvid untagged
                bridge vlan add dev trunk vid {number}0"""
            )
            host.host("eth0", f"10.{number}.0.5/24", gateways=(f"10.{number}.0.1",))
        yield {host.name: host for host in hosts}
        subprocess.run(["systemctl", "stop", "segc-verify.timer"], capture_output=True)  # it would miss them
        sh("ip link del lan0; ip link del mgt0")


def test_vlans_and_rules_come_and_go_together(hosts: dict[str, Namespace]) -> None:
    told = segc("apply", "--no-confirm", policy=NARROW)
    assert "add lan0.10" in told
    assert hosts["hr"].reaches("10.2.0.5")
    assert hosts["lab"].cut_off_from("10.1.0.5")
    told = segc("apply", "--confirm", "1h", policy=WIDE)
    assert "add lan0.30" in told
    assert hosts["hr"].reaches("10.3.0.5")
    assert hosts["hr"].reaches("10.2.0.5")
    assert "segc-revert-" in sh("systemctl list-timers --all --no-pager")
    segc("rollback")
    assert "lan0.30" not in sh("ip -brief link")
    assert hosts["hr"].reaches("10.2.0.5")
    assert hosts["hr"].cut_off_from("10.3.0.5")
    assert eventually(lambda: "segc-revert-" not in sh("systemctl list-timers --all --no-pager"), 10)


def test_a_vlan_that_the_policy_gives_up_is_taken_down_and_back(hosts: dict[str, Namespace]) -> None:
    segc("apply", "--no-confirm", policy=WIDE)
    assert "remove lan0.30" in segc("apply", "--no-confirm", policy=NARROW)
    assert "lan0.30" not in sh("ip -brief link")
    segc("rollback")
    assert hosts["hr"].reaches("10.3.0.5")


def test_systemd_undoes_what_nobody_confirms_though_the_session_is_gone(hosts: dict[str, Namespace]) -> None:
    segc("apply", "--no-confirm", policy=WIDE)
    Path("/run/policy.seg").write_text(NARROW)
    command = f"{sys.executable} -m segc apply --confirm 30s /run/policy.seg"
    sh(f"systemd-run --quiet --collect --unit=session sh -c '{command}; sleep 600'")
    assert eventually(
        lambda: (STATE / "window.json").exists() and '"seconds": 30,' in (STATE / "window.json").read_text(),
        300,
    )
    assert "lan0.30" not in sh("ip -brief link")
    sh("systemctl kill --signal=KILL session")
    assert eventually(lambda: not (STATE / "pending").exists())
    assert hosts["hr"].reaches("10.3.0.5")
    assert "undone" in segc("history")


@pytest.fixture
def clock() -> Iterator[None]:
    """Sets the clock right again."""
    offset = time.time() - time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + offset)


@pytest.mark.usefixtures("clock")
def test_a_clock_that_jumps_neither_hastens_nor_delays_the_undoing(hosts: dict[str, Namespace]) -> None:
    segc("apply", "--no-confirm", policy=WIDE)
    begun = time.monotonic()
    segc("apply", "--confirm", "90s", policy=NARROW)
    applied = time.monotonic()
    sh("date -s '+6 hours'")
    assert not eventually(lambda: not (STATE / "pending").exists(), 10)
    sh("date -s '-12 hours'")
    assert eventually(lambda: not (STATE / "pending").exists(), 150)
    assert begun + 90 <= time.monotonic() <= applied + 90 + 60
    assert hosts["hr"].reaches("10.3.0.5")


@pytest.mark.usefixtures("clock")
def test_what_was_applied_before_the_clock_jumped_can_be_confirmed(hosts: dict[str, Namespace]) -> None:
    segc("apply", "--no-confirm", policy=WIDE)
    segc("apply", "--confirm", "10m", policy=NARROW)
    for jump in ("+2 days", "-4 days"):
        sh(f"date -s '{jump}'")
        assert (STATE / "pending").exists()
    segc("confirm")
    assert hosts["hr"].cut_off_from("10.3.0.5")
    assert segc("verify").startswith("gw: the kernel is as generation")


def test_what_nftables_service_flushes_comes_back(hosts: dict[str, Namespace]) -> None:
    segc("apply", "--no-confirm", policy=WIDE)
    sh(f"{sys.executable} -m segc install")
    assert sh("systemctl is-active segc.service").strip() == "active"
    for verb in ("start", "reload", "restart", "stop"):
        sh(f"systemctl {verb} nftables.service")
        assert "generation_" in sh("nft list chains"), verb
    assert hosts["hr"].reaches("10.2.0.5")
    assert segc("verify").startswith("gw: the kernel is as generation")


def test_where_no_generation_can_be_loaded_all_is_closed(hosts: dict[str, Namespace]) -> None:
    assert hosts["hr"].reaches("10.2.0.5")
    aside = STATE.with_name("aside")
    (STATE / "generations").rename(aside)
    try:
        sh("nft delete table inet segc")
        done = subprocess.run(["systemctl", "restart", "segc.service"], capture_output=True)
        assert done.returncode != 0
        assert hosts["hr"].cut_off_from("10.2.0.5")
        assert hosts["hr"].cut_off_from("10.1.0.1")
        assert "closed_forward" in sh("nft list chains")
    finally:
        aside.rename(STATE / "generations")
    sh("systemctl restart segc.service")
    assert hosts["hr"].reaches("10.2.0.5")


def test_drift_of_links_is_found_and_healed(hosts: dict[str, Namespace]) -> None:
    sh("ip link del lan0.20")
    assert "links: add lan0.20" in segc("verify", code=3)
    segc("verify", "--heal")
    assert hosts["hr"].reaches("10.2.0.5")
    sh("systemd-analyze verify /etc/systemd/system/segc*.service /etc/systemd/system/segc-verify.timer")
    sh("systemctl start segc-heal.service segc-verify.service")


def test_what_is_uninstalled_does_not_come_back(hosts: dict[str, Namespace]) -> None:
    segc("apply", "--no-confirm", policy=WIDE)
    sh(f"{sys.executable} -m segc install")
    assert hosts["new"].cut_off_from("10.1.0.5")
    segc("uninstall", "--yes")
    for verb in ("start", "reload", "restart", "stop"):
        sh(f"systemctl {verb} nftables.service")
        assert "segc" not in sh("nft list tables"), verb
    assert not sh("systemctl list-units --no-legend 'segc*'").strip()
    assert not list(Path("/etc/systemd/system").glob("**/*segc*"))
    assert hosts["new"].reaches("10.1.0.5")
    assert "nothing is enforced" in segc("status")
    assert "nothing to take away" in segc("uninstall", "--yes")
