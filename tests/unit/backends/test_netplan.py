"""The file as text, and as netplan's own generator reads it."""

import subprocess
from pathlib import Path

import pytest

from segc.backends import netplan
from tests.unit.backends.helpers import complaints, emitted, files, policy, require, sample
from tests.unit.backends.test_linux import MIXED


def generated(text: str, root: Path) -> dict[str, str]:
    """The files for networkd that netplan makes of a configuration, by name."""
    configuration = root / "etc/netplan/50-segc.yaml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(text)
    configuration.chmod(0o600)
    command = [require("netplan", "netplan.io"), "generate", "--root-dir", root]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return {path.name: path.read_text() for path in (root / "run/systemd/network").iterdir()}


def test_netplan_makes_vlans_of_it(tmp_path):
    found = generated(files(netplan.emit, sample("office"))["gw1/netplan.yaml"], tmp_path)
    assert "[VLAN]\nId=80\n" in found["10-netplan-lan0.80.netdev"]
    base = found["10-netplan-lan0.network"]
    assert "LinkLocalAddressing=no\n" in base
    assert base.count("\nVLAN=lan0.") == 9
    guests = found["10-netplan-lan0.80.network"]
    assert "Address=10.10.80.1/23\nAddress=2001:db8:80::1/64\n" in guests
    assert "IPv6AcceptRA=no\n" in guests
    assert "DHCP=yes\n" in found["10-netplan-wan0.network"]
    assert len(found) == 3 + 9 * 2


@pytest.mark.parametrize("name", ["retail", "minimal.seg"])
def test_netplan_takes_the_samples(name, tmp_path):
    for path, text in files(netplan.emit, sample(name)).items():
        folder = tmp_path / path.partition("/")[0]
        folder.mkdir()
        assert generated(text, folder)


def test_a_plain_bridge_is_a_bridge(tmp_path):
    text = "zone lan { subnet 10.0.0.0/24 }\ngateway gw { interface br0 { bridge  zone lan } }"
    found = generated(files(netplan.emit, policy(text))["gw/netplan.yaml"], tmp_path)
    assert "Kind=bridge\n" in found["10-netplan-br0.netdev"]


def test_a_bridge_with_vlans_is_left_to_other_targets():
    assert emitted(netplan.emit, policy(MIXED)).artifacts == ()
    assert complaints(netplan.emit, MIXED) == [
        ("SEG504", "netplan cannot describe gateway `gw`, so it gets no `netplan.yaml`", "br0")
    ]
