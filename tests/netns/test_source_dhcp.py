"""Leases vouch for devices: dnsmasq and Kea give a real client addresses, and its packets pass, or not."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segc.sessions.sources import dhcp
from segc.sessions.sources.link import Link as AgentLink
from tests.netns.firm import FLOWS, PEOPLE, ZONES, Firm, documented, reaches
from tests.netns.namespace import Namespace
from tests.netns.policy import interfaces
from tests.netns.programs import Program, awaited, needs
from tests.netns.topology import Link

pytestmark = [pytest.mark.kernel, needs("busybox")]

CLIENT = """\
#!/bin/sh
case "$1" in
  bound|renew) ip address replace "$ip/32" dev "$interface"; echo "$1 $ip" ;;
  deconfig) echo deconfig ;;
esac
"""
OTHERS = 20_000  # leases of nobody whom we know
OTHER = "10.5.0.200"  # of the same machine, and not leased


def printer() -> Link:
    """The machine beyond dev0."""
    devices = [name for name in interfaces(Firm().program) if name not in Firm().made]
    return Link("dev0", devices.index("dev0") + 1)


@contextmanager
def firm(tmp_path: Path) -> Iterator[Firm]:
    """With the printer's MAC address as a user."""
    mac = printer().router_mac
    with Firm(folder=tmp_path, zones=ZONES.replace("02:00:00:00:00:1e", mac)) as made:
        made.apply(FLOWS)
        with made.agent():
            yield made


@contextmanager
def leased(host: Namespace, tmp_path: Path) -> Iterator[tuple[Program, str]]:
    """A DHCP client with its address; it gives it back at the end."""
    script = tmp_path / "client"
    script.write_text(CLIENT)
    script.chmod(0o755)
    argv = ["busybox", "udhcpc", "-f", "-R", "-i", printer().peer, "-s", str(script), "-t", "10", "-T", "1"]
    with Program(host, argv) as client:
        client.says("bound ")
        yield client, client.said.partition("bound ")[2].split()[0]


def dnsmasq(firm: Firm, lines: str = "") -> Program:
    """With these lines of configuration."""
    config = firm.folder / "dnsmasq.conf"
    config.write_text(lines)
    argv = ["dnsmasq", "--no-daemon", f"--conf-file={config}", "--user=root", "--port=0", "--log-dhcp"]
    argv += ["--interface=dev0", "--bind-interfaces", "--dhcp-range=10.5.0.50,10.5.0.60,255.255.255.0,2m"]
    argv += [f"--dhcp-leasefile={firm.folder}/leases", "--dhcp-authoritative", "--no-ping"]
    server = Program(firm.gateway.namespace, argv)
    server.says("DHCP, IP range")
    return server


def kea(firm: Firm) -> Program:
    """Debian's, with its lease file at `leases`."""
    pool = {"subnet": "10.5.0.0/24", "pools": [{"pool": "10.5.0.50 - 10.5.0.60"}], "interface": "dev0"}
    leases = {"type": "memfile", "persist": True, "name": str(firm.folder / "leases"), "lfc-interval": 0}
    stdout = {"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}
    config = {"interfaces-config": {"interfaces": ["dev0"]}, "lease-database": leases, "subnet4": [pool],
              "valid-lifetime": 120, "renew-timer": 60, "authoritative": True,
              "loggers": [stdout]}  # fmt: skip
    path = firm.folder / "kea.json"
    path.write_text(json.dumps({"Dhcp4": config}))
    env = {"KEA_PIDFILE_DIR": str(firm.folder), "KEA_LOCKFILE_DIR": str(firm.folder)}
    server = Program(firm.gateway.namespace, ["kea-dhcp4", "-c", str(path)], env)
    server.says("DHCP4_STARTED")
    return server


@needs("dnsmasq")
def test_dnsmasq_tells_of_its_leases_itself(tmp_path: Path) -> None:
    mac = printer().router_mac
    with firm(tmp_path) as net:
        script = tmp_path / "hook"
        script.write_text(net.segc_source("hook", "dnsmasq", "lan"))
        script.chmod(0o755)
        host = net.gateway.attach("dev0", OTHER)
        with dnsmasq(net, documented("dnsmasq").replace("/etc/segc/leases", str(script))):
            with leased(host, tmp_path) as (client, address):
                assert awaited(lambda: net.bindings() == {address: mac})
                assert reaches(host, address, PEOPLE)
                assert not reaches(host, OTHER, PEOPLE)
                (before,) = net.ask("sessions")["sessions"]
                assert (before["mac"], before["assurance"]) == (mac, "mac")
                time.sleep(1.1)  # within one second the new lease would end when the old one does
                client.process.send_signal(signal.SIGUSR1)
                client.says("renew ")
                assert awaited(lambda: net.ask("sessions")["sessions"][0]["until"] > before["until"])
            assert awaited(lambda: net.bindings() == {})
            assert not reaches(host, address, PEOPLE)


@needs("dnsmasq")
def test_dnsmasqs_lease_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "leases").touch()
    with firm(tmp_path) as net:
        host = net.gateway.attach("dev0", OTHER)
        with dnsmasq(net), net.source("dhcp", "lan", "--leases", str(tmp_path / "leases")):
            with leased(host, tmp_path) as (_, address):
                assert awaited(lambda: net.bindings() == {address: printer().router_mac})
                assert reaches(host, address, PEOPLE)
            assert awaited(lambda: net.bindings() == {})


@needs("dnsmasq")
def test_a_lease_file_that_is_being_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dnsmasq writes long files for so long that they are read half empty; what is at their end is gone."""
    mac, path, seen = printer().router_mac, tmp_path / "leases", list[int]()
    until = int(time.time()) + 3600
    others = "".join(
        f"{until} 02:01:00:00:{n >> 8:02x}:{n & 255:02x} 10.6.{n >> 8}.{n & 255} * *\n" for n in range(OTHERS)
    )
    path.write_text(f"{until} {mac} 10.5.0.50 * 01:{mac}\n{others}")
    devices = tmp_path / "devices"
    devices.write_text(f"{mac} printer\n")

    def read(path: Path) -> dict[str, dhcp.Lease]:
        found = reading(path)
        seen.append(len(found))
        return found

    reading = dhcp.read
    monkeypatch.setattr(dhcp, "read", read)
    with firm(tmp_path) as net, dnsmasq(net, f"dhcp-lease-max={2 * OTHERS}"):
        source = dhcp.Source(AgentLink(net.socket), "lan", {}, path, devices)
        with leased(net.gateway.attach("dev0", OTHER), tmp_path) as (client, address):
            assert address == "10.5.0.50"
            started = time.monotonic()
            while sum(each <= OTHERS for each in seen) < 3:
                assert time.monotonic() - started < 60, "it was never read in between"
                client.process.send_signal(signal.SIGUSR1)
                source.round(time.time())
            assert net.bindings() == {address: "printer"}
            assert net.told("unbind") == []
        source.round(time.time())
        assert awaited(lambda: (source.round(time.time()), net.bindings())[1] == {})


@needs("kea-dhcp4")
def test_keas_lease_file_is_followed(tmp_path: Path) -> None:
    """And a list of devices gives names to MAC addresses, and leaves out the others."""
    mac = printer().router_mac
    devices = tmp_path / "devices"
    devices.write_text(f"# ours\n{mac.upper().replace(':', '-')} {mac} printer-3\n")
    with firm(tmp_path) as net:
        host = net.gateway.attach("dev0", OTHER)
        arguments = ["dhcp", "lan", "--leases", str(tmp_path / "leases"), "--devices", str(devices)]
        with kea(net), net.source(*arguments) as source:
            with leased(host, tmp_path) as (_, address):
                assert awaited(lambda: net.bindings() == {address: mac}), source.said
                assert net.ask("sessions")["sessions"][0]["device"] == "printer-3"
                assert reaches(host, address, PEOPLE)
            assert awaited(lambda: net.bindings() == {})
            assert not reaches(host, address, PEOPLE)
            devices.write_text("02:00:00:00:00:99 somebody-else\n")
            with leased(host, tmp_path):
                source.stop()
                with net.source(*arguments) as again:
                    assert not awaited(lambda: bool(net.bindings()), 3), again.said
