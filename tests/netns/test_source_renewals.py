"""What a source says again and again: that somebody is still there, where, and whether anybody is at work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.firm import FLOWS, Firm
from tests.netns.programs import awaited

pytestmark = pytest.mark.kernel
ANA = {"source": "hq-vpn", "kind": "openvpn", "id": "1", "user": "ana@acme.example"}


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    with Firm(folder=tmp_path) as firm:
        firm.apply(f"{FLOWS}session finance {{ idle 2s }}\n")
        with firm.agent():
            assert firm.ask("bind", addresses=["10.8.0.6"], **ANA)["ok"]
            yield firm


def test_a_tunnel_that_is_up_is_nobody_at_work(firm: Firm) -> None:
    """So `idle` ends sessions of people who have gone home and left it up."""
    began = time.monotonic()
    said = "so far"
    while firm.bindings() and time.monotonic() < began + 20:
        said = str(firm.ask("renew", source="hq-vpn", id="1", active=False))
        time.sleep(0.1)
    assert firm.bindings() == {}
    assert any(words in said for words in ("'ok': True", "no session", "nothing was heard of it"))
    assert 1.5 < time.monotonic() - began < 10


def test_an_update_that_is_somebody_at_work_keeps_it(firm: Firm) -> None:
    began = time.monotonic()
    while time.monotonic() < began + 4:
        assert firm.ask("renew", source="hq-vpn", id="1")["ok"]
        time.sleep(0.1)
    assert firm.bindings() == {"10.8.0.6": "ana@acme.example"}


def test_a_renewal_moves_a_session_within_its_zones(firm: Firm) -> None:
    assert firm.ask("renew", source="hq-vpn", id="1", addresses=["10.8.0.7", "2001:db8:8::7"])["ok"]
    assert firm.bindings() == dict.fromkeys(("10.8.0.7", "2001:db8:8::7"), "ana@acme.example")
    sets = firm.nft("list", "table", "inet", "segc")
    assert "10.8.0.7" in sets
    assert "10.8.0.6" not in sets
    (moved,) = firm.told("move")
    assert moved["user.name"] == "ana@acme.example"
    beyond = firm.ask("renew", source="hq-vpn", id="1", addresses=["10.2.0.20"])
    assert "in no zone" in beyond["error"]
    assert awaited(lambda: "10.2.0.20" not in firm.bindings())


def test_a_renewal_takes_no_address_from_a_stronger_claim(firm: Firm) -> None:
    strong = {**ANA, "id": "2", "user": "eve@acme.example", "mfa": True}
    assert firm.ask("bind", addresses=["10.8.0.8"], **strong)["ok"]
    refused = firm.ask("renew", source="hq-vpn", id="1", addresses=["10.8.0.8"])
    assert "does not outweigh" in refused["error"]
    assert firm.bindings() == {"10.8.0.6": "ana@acme.example", "10.8.0.8": "eve@acme.example"}


def test_a_renewal_of_nothing_begins_nothing(firm: Firm) -> None:
    assert firm.ask("unbind", user="ana@acme.example")["ended"] == 1
    assert "no session" in firm.ask("renew", source="hq-vpn", id="1", addresses=["10.8.0.6"])["error"]
    assert firm.bindings() == {}
