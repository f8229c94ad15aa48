"""The files as text, and as systemd's own daemon reads them."""

import subprocess
from pathlib import Path

import pytest

from segc.backends import networkd
from tests.unit.backends.helpers import NAMES, files, policy, require, sample
from tests.unit.backends.test_linux import MIXED

DAEMON = "/lib/systemd/systemd-networkd"
# A namespace of its own for mounts and devices: the files of the machine are hidden, its links are not there.
READ = """
mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/network && cp "$1"/* /run/systemd/network
! [ -d /etc/systemd/network ] || mount -t tmpfs tmpfs /etc/systemd/network
export SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=info
timeout 2 "$2"; [ $? = 124 ]
"""


def remarks(texts: dict[str, str], folder: Path) -> list[str]:
    """What systemd-networkd says of the files, each line beginning with the file's path."""
    daemon = require(DAEMON, "systemd")
    for name, text in texts.items():
        (folder / Path(name).name).write_text(text)
    unshare = [require("unshare", "util-linux"), "--mount", "--net"]
    done = subprocess.run(
        [*unshare, "sh", "-c", READ, "sh", folder, daemon], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Enumeration completed" in done.stderr
    return [line for line in done.stderr.splitlines() if "/run/systemd/network/" in line]


@pytest.mark.kernel
@pytest.mark.parametrize("name", NAMES)
def test_networkd_has_nothing_to_remark(name, tmp_path):
    found = files(networkd.emit, sample(name))
    for node in {path.partition("/")[0] for path in found}:
        folder = tmp_path / node
        folder.mkdir()
        assert remarks({k: v for k, v in found.items() if k.startswith(f"{node}/")}, folder) == []


@pytest.mark.kernel
def test_networkd_would_say_what_it_does_not_know(tmp_path):
    texts = files(networkd.emit, policy(MIXED))
    texts["gw/networkd/40-segc-br0.network"] += "VLAN=4095\nIsolation=yes\n"
    texts["gw/networkd/10-segc-br0.netdev"] = texts["gw/networkd/10-segc-br0.netdev"].replace(
        "none", "nobody"
    )
    assert [remark.partition(": ")[2] for remark in sorted(remarks(texts, tmp_path))] == [
        "Failed to parse VLAN identifier value, ignoring: nobody",
        "Failed to parse VLAN, ignoring: 4095",
        "Unknown key 'Isolation' in section [BridgeVLAN], ignoring.",
    ]


def test_a_port_of_a_bridge():
    texts = files(networkd.emit, policy(MIXED))
    assert texts["gw/networkd/30-segc-p2.network"] == (
        "# Written by segc. Edit the policy, not this file.\n"
        "\n[Match]\nName=p2\n"
        "\n[Network]\nBridge=br0\nLinkLocalAddressing=no\n"
        "\n[Bridge]\nIsolated=yes\n"
        "\n[BridgeVLAN]\nPVID=30\nEgressUntagged=30\n"
    )
    assert texts["gw/networkd/30-segc-p10.network"].endswith(
        "\n[Bridge]\nIsolated=no\n\n[BridgeVLAN]\nVLAN=20\n\n[BridgeVLAN]\nVLAN=30\n"
    )


def test_a_bridge_takes_no_vlan_by_default():
    texts = files(networkd.emit, policy(MIXED))
    assert "\n[Bridge]\nVLANFiltering=yes\nDefaultPVID=none\n" in texts["gw/networkd/10-segc-br0.netdev"]
    assert texts["gw/networkd/40-segc-br0.network"].endswith(
        "\n[BridgeVLAN]\nPVID=10\nEgressUntagged=10\n\n[BridgeVLAN]\nVLAN=20\n\n[BridgeVLAN]\nVLAN=30\n"
    )


def test_a_device_that_only_carries_others_has_no_address_of_any_kind():
    text = files(networkd.emit, sample("office"))["gw1/networkd/40-segc-lan0.network"]
    assert "LinkLocalAddressing=no\n" in text
    assert "Address=" not in text
    assert text.count("\nVLAN=lan0.") == 9


def test_without_gateways_there_is_nothing_to_say():
    assert files(networkd.emit, policy("zone hr { vlan 10  subnet 10.0.10.0/24 }")) == {}
