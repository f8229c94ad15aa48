"""Links that somebody changes by hand: each VLAN, address and flag is found, named and put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from segc.cli import app
from tests.lab.guest.net import Namespace, namespaces

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
    "a port taken out": ("ip link set p1 nomaster", "add p1 to br0"),
    "a port down": ("ip link set p1 down", "bring p1 up"),
    "a bridge down": ("ip link set br0 down", "bring br0 up"),
    "a bridge removed": ("ip link del br0", "add bridge br0"),
}


@pytest.fixture(scope="module")
def segc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Commands on a gateway to which the policy has been applied; each in a thread, as it moves there."""
    folder = tmp_path_factory.mktemp("drift")
    where = ("--netns", "drift", "--state-dir", str(folder / "state"))
    Path(folder / "policy.seg").write_text(POLICY)

    def command(*arguments: str, code: int = 0) -> str:
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(CliRunner().invoke, app.segc, [*arguments, *where]).result()
        assert done.exit_code == code, done.output
        return str(done.output)

    with namespaces("drift") as (host,):
        host.run("for port in p1 p2 p3; do ip link add $port type dummy; done")
        command("apply", str(folder / "policy.seg"), "--no-confirm")
        yield command


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_by_hand_is_found_named_and_put_right(segc: Callable[..., str], what: str) -> None:
    command, words = CHANGES[what]
    assert "is as generation 1" in segc("verify")
    Namespace("drift").run(command)
    assert f"links: {words}\n" in segc("verify", code=3)
    segc("verify", "--heal")
    assert "is as generation 1" in segc("verify")


def test_what_only_its_maker_can_put_right_is_named(segc: Callable[..., str]) -> None:
    host = Namespace("drift")
    host.run("ip link del br0.10; ip link add link br0 name br0.10 type vlan id 11")
    words = "`br0.10` is there and is not VLAN 10 of `br0`"
    assert f"links: {words}" in segc("verify", code=3)
    assert words in segc("verify", "--heal", code=1)
    host.run("ip link del br0.10")
    segc("verify", "--heal")
