"""systemd as process 1: networkd builds VLANs from files, and a transient timer outlives its caller."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.guest.net import sh

pytestmark = pytest.mark.systemd

FILES = {
    "10-lan0.netdev": "[NetDev]\nName=lan0\nKind=dummy\n",
    "10-lan0.network": "[Match]\nName=lan0\n[Network]\nVLAN=lan0.10\nLinkLocalAddressing=no\n",
    "20-vlan.netdev": "[NetDev]\nName=lan0.10\nKind=vlan\n[VLAN]\nId=10\n",
    "20-vlan.network": "[Match]\nName=lan0.10\n[Network]\nAddress=10.0.10.1/24\n",
}


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_systemd_is_process_one() -> None:
    assert Path("/proc/1/comm").read_text() == "systemd\n"
    assert eventually(lambda: sh("systemctl is-system-running").strip() == "running")


def test_networkd_builds_a_vlan_from_files() -> None:
    folder = Path("/run/systemd/network")
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    sh("systemctl start systemd-networkd")
    assert eventually(lambda: "10.0.10.1/24" in sh("ip -brief address"))
    assert "vlan protocol 802.1Q id 10" in sh("ip -details link show lan0.10")


def test_a_transient_timer_fires_on_time(tmp_path: Path) -> None:
    fired = tmp_path / "fired"
    timer = "systemd-run --quiet --on-active=2s --timer-property=AccuracySec=100ms"
    start = time.monotonic()
    sh(f"{timer} touch {fired}")
    assert not fired.exists()
    assert eventually(fired.exists)
    assert time.monotonic() - start < 20
