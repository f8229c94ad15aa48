"""The office and retail samples on a gateway with real VLANs: applied from nothing, changed, and rolled back.

At every stage packets, tagged where the policy has VLANs, get what `segc trace` says of the policy in force.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_interface
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.cli import app
from tests.netns.harness import Gateway, InterfaceSpec
from tests.netns.namespace import Namespace, ip_batch, run
from tests.netns.policy import LEASED, Compiled, compile_path, interfaces
from tests.netns.test_samples import compare, probes
from tests.netns.topology import SENTINEL_IN, SENTINEL_OUT, Link, quiet, routes

pytestmark = pytest.mark.systemd

SAMPLES = Path(__file__).parents[3] / "samples"
PACKETS = 600
UNLIMITED = "limit 1000000/second"  # who is let through must not depend on how fast it is tried
Edits = Mapping[str, tuple[tuple[str, str], ...]]  # of a file: what to replace, and by what
# A VLAN gets another number, a zone comes with VLAN and address, flows come and go.
LABS = "zone labs { vlan 90; subnet 10.99.0.0/24, 2001:db8:99a::/64 }\nallow labs -> internet : web\n"
ADDRESS = "  address labs 10.99.0.1/24, 2001:db8:99a::1/64\n"
EDITS: Mapping[tuple[str, str], Edits] = {
    ("office", "gw1"): {
        "zones.seg": (("vlan 70", "vlan 75"),),
        "network.seg": (
            ("guests, mgmt }\n  interface tun0", "guests, mgmt, labs }\n  interface tun0"),
            ("  address vpn", f"{ADDRESS}  address vpn"),
        ),
        "flows.seg": (
            ("allow workplaces -> printers : print", f"{LABS}allow hr -> printers : print"),
            ("allow servers.mail -> dmz.relay : smtp, imaps", "allow servers.mail -> dmz.relay : smtp"),
        ),
    },
    ("retail", "east"): {
        "inventory.seg": (("vlan 130", "vlan 135"),),
        "network.seg": (
            ("east-guests }\n  interface wg0", "east-guests, labs }\n  interface wg0"),
            ("  address backbone 10.39.0.2", f"{ADDRESS}  address backbone 10.39.0.2"),
        ),
        "policy.seg": (
            ("allow tag pos -> servers.pricing", f"{LABS}allow tag pos -> servers.pricing"),
            ("allow tag cameras -> servers.video : rtsp", "allow tag cameras -> servers.video : tcp/554"),
        ),
    },
}


def raise_tagged(
    gateway: Namespace, outside: Namespace, specs: Mapping[str, InterfaceSpec]
) -> dict[str, Link]:
    """Bare links, as a machine has them before anything is applied; the far side of each VLAN is tagged."""
    links = {name: Link(name, index) for index, name in enumerate(specs, 1)}
    trunks = sorted({name.partition(".")[0] for name in specs if "." in name})
    inner, outer = ["link set lo up"], ["link set lo up"]
    for trunk in trunks:
        inner += [f"link add name {trunk} type veth peer name far-{trunk} netns {outside.path}"]
        inner += [f"link set {trunk} up"]
        outer += [f"link set far-{trunk} arp off up"]
    for name, link in links.items():
        trunk, _, vlan = name.partition(".")
        if vlan:
            outer.append(f"link add link far-{trunk} name {link.peer} type vlan id {vlan}")
        elif name not in trunks:
            inner.append(
                f"link add name {name} address {link.gateway_mac} type veth"
                f" peer name {link.peer} address {link.mac(3)} netns {outside.path}"
            )
            inner.append(f"link set {name} up")
        if vlan or name not in trunks:
            outer.append(f"link set {link.peer} arp off up")
    outer += [f"link add name {SENTINEL_OUT} type veth peer name {SENTINEL_IN}"]
    outer += [f"link set {name} arp off up" for name in (SENTINEL_OUT, SENTINEL_IN)]
    outside.call(partial(quiet, False))
    gateway.call(partial(quiet, True))
    gateway.call(partial(ip_batch, inner))
    outside.call(partial(ip_batch, outer))
    return links


@dataclass
class Place:
    """One gateway of a sample; `edited` is what the sample becomes."""

    sample: str
    node: str
    folder: Path
    gateway: Gateway = field(init=False)
    name: str = ""

    def write(self, edits: Edits) -> Compiled:
        """The policy with these edits, where `apply` reads it."""
        target = self.folder / "policy"
        shutil.copytree(SAMPLES / self.sample, target, dirs_exist_ok=True)
        for path in target.glob("*.seg"):
            text = path.read_text()
            for old, new in edits.get(path.name, ()):
                assert old in text, old
                text = text.replace(old, new)
            path.write_text(re.sub(r"limit \d+/\w+", UNLIMITED, text))
        return compile_path(target)

    def segc(self, *arguments: str) -> str:
        """Run a command in this process: starting Python takes long in here."""
        where = ("--netns", self.name, "--state-dir", str(self.folder / "state"))
        done = self.gateway.namespace.call(lambda: CliRunner().invoke(app.segc, [*arguments, *where]))
        assert done.exit_code == 0, done.output
        return str(done.output)

    def try_packets(self, compiled: Compiled) -> None:
        """Routes to where every address is said to be, then packets between all of them."""
        program = compiled.program(self.node)
        specs = interfaces(program)
        for name, spec in specs.items():
            link = self.gateway.links[name]
            for network in {str(ip_interface(each).network) for each in spec.addresses if ":" in each}:
                flush = f"ip -6 route flush {network} dev {name} proto kernel"
                run(self.gateway.namespace, flush.split())
            mac = [f"link set {name} address {link.gateway_mac}"] if "." in name else []
            lines = [*mac, f"addr replace fe80::1/64 dev {name} nodad", *routes(link, spec)]
            lines = [line.replace("neigh add", "neigh replace") for line in lines]
            self.gateway.namespace.call(partial(ip_batch, lines))
        tried = probes(compiled, program, random.Random(self.node), PACKETS)
        passed, stopped = compare(compiled, self.node, self.gateway, tried, {})
        assert min(passed, stopped) > len(tried) / 20

    @property
    def links(self) -> str:
        return run(self.gateway.namespace, ["ip", "-brief", "link"]).stdout


@pytest.fixture(params=EDITS, ids=lambda where: "-".join(where))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Edits]]:
    found = Place(*request.param, tmp_path)
    edits = EDITS[request.param]
    specs: dict[str, InterfaceSpec] = {}
    for compiled in (found.write(edits), found.write({})):
        specs |= interfaces(compiled.program(found.node))
    found.gateway = Gateway(specs, raise_tagged)
    with found.gateway, found.gateway.namespace.named() as found.name:
        lease = [f"addr add {each} dev wan0 noprefixroute nodad" for each in LEASED if ":" in each]
        lease += [f"addr add {each} brd + dev wan0 noprefixroute" for each in LEASED if ":" not in each]
        found.gateway.namespace.call(partial(ip_batch, lease))
        yield found, edits


def test_from_nothing_changed_and_rolled_back(place: tuple[Place, Edits]) -> None:
    here, edits = place
    policy = str(here.folder / "policy")
    first = here.write({})
    told = here.segc("apply", policy, "--node", here.node, "--no-confirm")
    assert "generation 1" in told
    here.try_packets(first)
    assert "lan0.90" not in here.links

    second = here.write(edits)
    assert "lan0.90" in here.segc("plan", policy, "--node", here.node, "--all")
    here.segc("apply", policy, "--confirm", "1h")
    moved = next(new for each in edits.values() for _, new in each if new.startswith("vlan ")).split()[1]
    assert "lan0.90" in here.links
    assert f"lan0.{moved}" in here.links
    here.try_packets(second)

    assert "generation 1 stands again" in here.segc("rollback")
    assert "lan0.90" not in here.links
    assert f"lan0.{moved}" not in here.links
    here.try_packets(first)
    assert "is as generation 1" in here.segc("verify")

    here.segc("apply", policy, "--no-confirm")
    here.try_packets(second)
    here.segc("rollback", "1")
    here.try_packets(first)
