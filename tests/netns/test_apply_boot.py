"""What a boot loads, and what stands where it finds nothing to load."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from segc.apply.boot import closed, install, units
from segc.apply.errors import ApplyError
from segc.apply.state import State
from tests.netns.applying import GATEWAY, Host
from tests.netns.namespace import nft, run
from tests.netns.policy import compile_text

WEB = "allow as web a -> b : tcp/443"
MANAGED = GATEWAY.replace(
    "interface a0", "manage from a, 10.2.0.64/26 : tcp/22, icmp/echo-request\n  interface a0"
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path, gateway_text=MANAGED) as host:
        host.apply(WEB)
        root = host.state.root
        (root / "boot.sh").write_text(files("segc.apply").joinpath("boot.sh").read_text())
        (root / "closed.nft").write_text(closed(host.compiled.policy, "gw"))
        yield host


def boot(host: Host, code: int = 0) -> None:
    done = run(host.gateway.namespace, ["sh", str(host.state.root / "boot.sh")], check=False)
    assert done.returncode == code, done.stderr


def test_what_was_confirmed_is_loaded(host: Host) -> None:
    host.inside(lambda: nft("flush ruleset"))
    boot(host)
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> b.7 : tcp/80 no")
    assert host.segc("verify").returncode == 0
    before = host.transactions()
    boot(host)
    assert host.transactions() == before


def test_within_a_window_what_waits_is_loaded_and_after_a_reboot_it_is_not(host: Host) -> None:
    host.apply(f"{WEB}\nallow as more a -> b : tcp/80", "--confirm", "1h")
    host.inside(lambda: nft("flush ruleset"))
    boot(host)
    assert host.marker() == (2,)
    host.check("a.5 -> b.7 : tcp/80 yes")
    meta = host.state.generations / "2/meta.json"
    meta.write_text(meta.read_text().replace('"boot": "', '"boot": "another'))
    host.inside(lambda: nft("flush ruleset"))
    boot(host)
    assert host.marker() == (1,)


def damage_nothing(host: Host) -> None:
    (host.state.root / "confirmed").unlink()


def damage_file(host: Host) -> None:
    damage_file_of(host, 1)


def damage_file_of(host: Host, number: int) -> None:
    (host.state.generations / f"{number}/load.nft").write_text("nonsense")


def damage_by_emptying(host: Host) -> None:
    (host.state.generations / "1/load.nft").write_text("")


def damage_folder(host: Host) -> None:
    (host.state.generations / "1/load.nft").unlink()


@pytest.mark.parametrize("damage", [damage_nothing, damage_file, damage_by_emptying, damage_folder])
def test_where_nothing_can_be_loaded_only_those_who_manage_get_in(host: Host, damage: object) -> None:
    assert callable(damage)
    damage(host)
    host.inside(lambda: nft("flush ruleset"))
    boot(host, code=1)
    host.now("")
    host.check(
        """
        a.5 -> b.7 : tcp/443 no
        b.5 -> net.7 : tcp/443 no
        a.5 -> gw : tcp/22 yes
        b.70 -> gw : tcp/22 yes v4
        b.5 -> gw : tcp/22 no
        a.5 -> gw : tcp/80 no
        a.5 -> gw : ping yes v4
        gw -> net.7 : tcp/443 no
        """
    )


def test_where_nothing_can_be_loaded_those_who_manage_now_get_in(host: Host) -> None:
    """Not those of the day that the units were installed."""
    host.gateway_text = MANAGED.replace("manage from a, 10.2.0.64/26", "manage from b")
    host.apply(WEB, "--allow-lockout")
    damage_file_of(host, 2)
    host.inside(lambda: nft("flush ruleset"))
    boot(host, code=1)
    host.now("")
    host.check("b.5 -> gw : tcp/22 yes\na.5 -> gw : tcp/22 no\na.5 -> b.7 : tcp/443 no")


@pytest.mark.parametrize("name", ["my state", "50%", "a;b", "$HOME", 'a"b', "a\nExecStart=x"])
def test_a_path_that_units_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    state = State(tmp_path / name)
    with pytest.raises(ApplyError, match=r"units can name no state directory .* nothing was written"):
        install(
            state, compile_text("zone a { subnet 10.1.0.0/24 }").policy, "gw", ["/usr/bin/segc"], heal=False
        )
    assert not state.root.exists()


def test_units_are_what_systemd_takes(tmp_path: Path) -> None:
    made = units(Path("/var/lib/segc"), "/usr/bin/env segc", heal=True)
    beside = made.pop("nftables.service.d/segc.conf")
    assert beside.count("=-/bin/sh /var/lib/segc/boot.sh\n") == 3
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    argv = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in made)]
    done = subprocess.run(argv, capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "segc" in line]
    assert not told, done.stderr
    assert "verify --heal --state-dir /var/lib/segc" in made["segc-verify.service"]
