"""`segc plan` against a gateway in a namespace: what it tells is what an apply would change, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.applying import Host
from tests.netns.namespace import nft
from tests.unit.cli.test_check import schema

WEB = "allow as web a -> b : tcp/443"
STAFF = f"{WEB}\nallow as staff-only group staff in a -> c : tcp/443"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        yield host


def planned(host: Host, statements: str, *options: str, code: int = 0) -> dict[str, Any]:
    done = host.segc("plan", host.write(statements), "--format", "json", *options)
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    schema("plan").validate(found)
    assert isinstance(found, dict)
    return found


def changes(plan: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(c["action"], c["kind"], c["name"]) for node in plan["nodes"] for c in node["changes"]}


def test_what_stands_is_no_change_and_neither_are_counts_and_sessions(host: Host) -> None:
    host.apply(STAFF)
    transactions = host.transactions()
    first = planned(host, STAFF, "--detailed-exitcode")
    assert not first["changed"]
    assert first["unchanged"] == 2
    host.check("a.5 -> b.7 : tcp/443 yes")  # which counts
    sets = [
        line.split()[1]
        for line in host.nft("list", "table", "inet", "segc").splitlines()
        if "set who4" in line
    ]
    host.gateway.namespace.call(lambda: nft(f"add element inet segc {sets[0]} {{ 10.1.0.5 timeout 1h }}\n"))
    again = planned(host, STAFF, "--detailed-exitcode")
    assert (again["changed"], again["state"]) == (False, first["state"])
    assert host.transactions() == transactions + 1  # planning made none


def test_a_plan_tells_what_an_apply_then_does(host: Host) -> None:
    host.apply(WEB)
    plan = planned(host, STAFF, "--detailed-exitcode", code=3)
    (opened,) = plan["access"]
    assert (opened["kind"], opened["services"]) == ("opens", "tcp/443")
    assert opened["source"] == "group staff (3 people) in a"
    assert {("add", "counter", "flow_staff-only")} <= changes(plan)
    host.apply(STAFF)
    assert not planned(host, STAFF)["changed"]
    back = planned(host, WEB)
    assert [each["kind"] for each in back["access"]] == ["closes"]
    assert ("remove", "counter", "flow_staff-only") in changes(back)


def test_drift_shows_as_what_has_to_be_put_back(host: Host) -> None:
    host.apply(WEB)
    before = planned(host, WEB)["state"]
    host.gateway.namespace.call(lambda: nft("add rule inet segc on_forward tcp dport 22 accept\n"))
    plan = planned(host, WEB, "--detailed-exitcode", code=3)
    assert plan["access"] == []
    assert changes(plan) == {("change", "rules", "on_forward")}
    assert plan["state"] != before


def test_an_empty_host_has_no_policy_to_compare_with(host: Host) -> None:
    plan = planned(host, WEB, "--detailed-exitcode", code=3)
    assert plan["against"]["policy"] is None
    assert plan["access"] == []
    stopped = host.segc("plan", host.write(WEB), "--fail-on", "gains")
    assert stopped.returncode == 1
    assert "not known" in stopped.stdout
    assert "cannot be judged" in stopped.stderr


def test_a_host_that_is_not_there(host: Host) -> None:
    host.name = "no-such-namespace"
    done = host.segc("plan", host.write(WEB))
    assert done.returncode == 1
    assert "no network namespace" in done.stderr
    assert "Traceback" not in done.stderr
