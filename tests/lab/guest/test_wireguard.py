"""WireGuard vouches: real handshakes, and packets through a gateway with a compiled policy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyroute2 import WireGuard

from segc.cli import app
from segc.sessions.sources.wireguard import Peer, peers
from tests.netns.firm import OUTSIDE, PEOPLE, Firm, dies_within, documented, flows, reaches, stream
from tests.netns.namespace import Namespace, run
from tests.netns.programs import awaited

pytestmark = pytest.mark.systemd

ZONES = """
zone finance { subnet 10.2.0.0/24, 2001:db8:2::/64  host erp = 10.2.0.20, 2001:db8:2::20 }
zone remote  { subnet 10.9.0.0/24, 2001:db8:9::/64 }
zone net     { external }
group finance     { user "ana@acme.example" }
group contractors { user "bo@acme.example" }
source tunnels wireguard { zone remote }
"""
GATEWAY = """
gateway gw {
  interface wan0 { zone net  address dhcp }
  interface fin0 { zone finance }
  interface wg0  { zone remote }
  address finance 10.2.0.1/24, 2001:db8:2::1/64
  address remote  10.9.0.1/24, 2001:db8:9::1/64
}
allow net -> gateway gw : udp/51820
"""
FLOWS = f"""
allow group finance in remote -> finance.erp : tcp/{PEOPLE}
allow group contractors in remote -> finance.erp : tcp/9
"""
ANA, ANA6, BO = "10.9.0.2", "2001:db8:9::2", "10.9.0.3"
SECOND = 3.0  # of an emulated machine


def key(path: Path) -> str:
    """A new private key in the file; the public one."""
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    path.write_text(private)
    path.chmod(0o600)
    return subprocess.run(
        ["wg", "pubkey"], input=private, capture_output=True, text=True, check=True
    ).stdout.strip()


def apply(firm: Firm) -> None:
    """In this process: starting Python takes long in here."""
    arguments = ["apply", firm.write(FLOWS), "--strict", *firm.where]
    done = firm.inside(lambda: CliRunner().invoke(app.segc, arguments))
    assert done.exit_code == 0, done.output


@dataclass
class Tunnels:
    """Ana and Bo, each with a device of the same machine, and the gateway's end of their tunnels."""

    firm: Firm
    outside: Namespace
    gateway_key: str
    keys: dict[str, str]
    peers: Path

    def device(self, name: str) -> str:
        return {"ana": "wg0", "bo": "wg1"}[name]

    def dial(self, name: str) -> None:
        """Forget the tunnel's keys, and shake hands anew."""
        wg = ["wg", "set", self.device(name), "peer", self.gateway_key]
        run(self.outside, [*wg, "remove"])
        allowed = ["allowed-ips", "0.0.0.0/0,::/0", "endpoint", f"{OUTSIDE}:51820"]
        run(self.outside, [*wg, *allowed])
        source = {"ana": ANA, "bo": BO}[name]
        run(
            self.outside,
            ["ping", "-q", "-c", "3", "-i", "0.2", "-W", "1", "-I", source, "10.9.0.1"],
            check=False,
        )


@pytest.fixture
def tunnels(tmp_path: Path) -> Iterator[Tunnels]:
    keys = {name: key(tmp_path / name) for name in ("gateway", "ana", "bo")}
    peers = tmp_path / "peers"
    example = documented("peers").replace("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", keys["ana"])
    peers.write_text(f"{example}{keys['bo']} bo@acme.example\n")
    with Firm(folder=tmp_path, zones=ZONES, gateway_text=GATEWAY, made=frozenset({"wg0"})) as firm:
        inside, outside = firm.gateway.namespace, firm.gateway.attach("wan0", "198.51.100.7")
        run(inside, ["ip", "link", "add", "wg0", "type", "wireguard"])
        run(inside, ["wg", "set", "wg0", "private-key", str(tmp_path / "gateway"), "listen-port", "51820",
                     "peer", keys["ana"], "allowed-ips", f"{ANA}/32,{ANA6}/128,192.168.7.0/24",
                     "peer", keys["bo"], "allowed-ips", f"{BO}/32"])  # fmt: skip
        run(inside, ["ip", "link", "set", "wg0", "up"])
        for name, device, table, addresses in (("ana", "wg0", "7", (ANA, ANA6)), ("bo", "wg1", "8", (BO,))):
            run(outside, ["ip", "link", "add", device, "type", "wireguard"])
            run(outside, ["wg", "set", device, "private-key", str(tmp_path / name)])
            run(outside, ["ip", "link", "set", device, "up"])
            for each in addresses:
                family = "-6" if ":" in each else "-4"
                run(
                    outside,
                    ["ip", family, "address", "add", each, "dev", device, *(["nodad"] * (":" in each))],
                )
                run(outside, ["ip", family, "rule", "add", "from", each, "table", table])
                run(outside, ["ip", family, "route", "add", "default", "dev", device, "table", table])
        apply(firm)
        with firm.agent():
            yield Tunnels(firm, outside, keys["gateway"], keys, peers)


def test_a_handshake_opens_and_its_age_closes(tunnels: Tunnels) -> None:
    """Its age is cut short here: without `--ttl`, it is three minutes."""
    firm, outside = tunnels.firm, tunnels.outside
    with firm.source("wireguard", "tunnels", "--peers", str(tunnels.peers), "--ttl", "1m") as source:
        assert not reaches(outside, ANA, PEOPLE)
        tunnels.dial("ana")
        tunnels.dial("bo")
        both = {ANA: "ana@acme.example", ANA6: "ana@acme.example", BO: "bo@acme.example"}
        assert awaited(lambda: firm.bindings() == both), (firm.bindings(), source.said)
        (session,) = firm.ask("sessions", address=ANA)["sessions"]
        assert (session["device"], session["id"]) == ("laptop-17", tunnels.keys["ana"])
        assert session["until"] - session["since"] <= 60
        assert reaches(outside, ANA, PEOPLE)
        assert not reaches(outside, BO, PEOPLE)
        with stream(outside, ANA6, PEOPLE) as connection:
            assert firm.ask("unbind", user="ana@acme.example")["ended"] == 1
            assert dies_within(connection, SECOND)
        assert not reaches(outside, ANA, PEOPLE)  # the handshake was before, and says nothing any more
        tunnels.dial("ana")
        assert awaited(lambda: firm.bindings() == both)
        with stream(outside, ANA, PEOPLE) as connection:
            run(firm.gateway.namespace, ["wg", "set", "wg0", "peer", tunnels.keys["ana"], "remove"])
            assert awaited(lambda: not flows(connection, 1))
            assert awaited(lambda: firm.bindings() == {BO: "bo@acme.example"})
        run(
            firm.gateway.namespace,
            ["wg", "set", "wg0", "peer", tunnels.keys["bo"], "allowed-ips", f"{ANA}/32"],
        )
        assert awaited(lambda: firm.bindings() == {ANA: "bo@acme.example"})
        assert not reaches(outside, ANA, PEOPLE)
        assert awaited(lambda: firm.bindings() == {}, 90)  # no handshake has come for a minute
    assert source.said == ""


def test_a_long_list_of_addresses_comes_in_parts(tmp_path: Path) -> None:
    inside = Namespace.create()
    hosts = [f"10.9.{i}.{j}" for i in range(200) for j in range(10)]
    run(inside, ["ip", "link", "add", "wg0", "type", "wireguard"])
    allowed = ",".join(f"{each}/32" for each in hosts)
    other = key(tmp_path / "other")
    run(inside, ["wg", "set", "wg0", "peer", key(tmp_path / "key"), "allowed-ips", allowed])
    run(inside, ["wg", "set", "wg0", "peer", other, "allowed-ips", "10.10.0.0/16,2001:db8::7/128"])

    def look() -> dict[str, Peer]:
        with WireGuard() as wireguard:
            return {each.key: each for each in peers(wireguard.info("wg0"))}

    found = inside.call(look)
    assert found.pop(other) == Peer(other, 0.0, ("2001:db8::7",))
    ((_, handshake, addresses, _),) = found.values()
    assert handshake == 0.0
    assert sorted(addresses) == sorted(hosts)
    inside.close()
