"""`segc plan` against a gateway in a namespace: what it tells is what an apply would change, and no more."""

from __future__ import annotations

import json
import os
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


def planned(
    host: Host, statements: str, *options: str, code: int = 0, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    done = host.segc("plan", host.write(statements), "--format", "json", *options, **(environment or {}))
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


def test_connections_in_use_that_an_apply_would_end_are_counted(host: Host) -> None:
    host.apply(f"{WEB}\nallow as mail a -> c : tcp/25-26")
    kept, mail = host.talk("a.5", "b.7", 4, "tcp", 443), host.talk("a.5", "c.7", 6, "tcp", 25)
    again, more = host.talk("a.6", "c.7", 4, "tcp", 25), host.talk("a.6", "c.7", 4, "tcp", 26)
    assert all((kept.open(), mail.open(), again.open(), more.open()))
    examples = [
        "10.1.0.6 -> 10.3.0.7 tcp/25",
        "10.1.0.6 -> 10.3.0.7 tcp/26",
        "2001:db8:1::5 -> 2001:db8:3::7 tcp/25",
    ]
    assert planned(host, WEB)["cut"] == {"count": 3, "examples": examples}
    told = host.segc("plan", host.write(WEB)).stdout
    assert "3 connections in use now will be cut\n" in told
    assert examples[0] in told
    assert (
        f"- **cuts** 3 connections in use now: `{', '.join(examples)}`"
        in host.segc("plan", host.write(WEB), "--format", "markdown").stdout
    )
    assert "end 3 connections" in host.apply(WEB)
    assert kept.to_client()
    assert planned(host, WEB)["cut"] == {"count": 0, "examples": []}


def test_a_connection_of_a_session_is_cut_where_no_session_allows_it_any_more(host: Host) -> None:
    host.apply(STAFF)
    host.bind("a.5", "ana@x.example", groups="staff", timeout="1h")
    files = host.talk("a.5", "c.7", 4, "tcp", 443)
    assert files.open()
    assert planned(host, f"{STAFF}, tcp/80")["cut"]["count"] == 0
    assert planned(host, WEB)["cut"] == {"count": 1, "examples": ["10.1.0.5 -> 10.3.0.7 tcp/443"]}
    host.apply(WEB)
    assert not files.to_client()


def test_a_plan_that_cannot_be_written_leaves_the_former_one(host: Host) -> None:
    out = host.folder / "plan.json"
    host.segc("plan", host.write(WEB), "--out", str(out))
    before = out.read_text()
    host.folder.joinpath(".plan.json.new").mkdir()  # in the way of what is put in its place
    done = host.segc("plan", host.write(STAFF), "--out", str(out))
    assert done.returncode == 1
    assert "`" + str(out) + "` cannot be written" in done.stderr
    assert out.read_text() == before


def test_a_plan_can_be_written_to_what_is_no_file(host: Host) -> None:
    done = host.segc("plan", host.write(WEB), "--format", "json", "--out", "/dev/stderr")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr[: done.stderr.rindex("Plan saved")])["version"] == 1


def test_a_plan_tells_whom_an_apply_would_refuse_to_lock_out(host: Host) -> None:
    """A reviewed plan used to end in a refusal that nobody had been told of."""
    here = {**os.environ, "SSH_CONNECTION": "10.1.0.9 50000 10.1.0.1 22"}
    told = (
        "`segc apply` would refuse this (SEG601): your own connection, 10.1.0.9 to 10.1.0.1 tcp/22, would be"
    )
    out = str(host.folder / "plan.json")
    done = host.segc("plan", host.write(WEB), "--out", out, **here)
    assert (done.returncode, told in done.stdout) == (0, True), done.stdout + done.stderr
    assert (
        f"- **warning** `` {told}"
        in host.segc("plan", host.write(WEB), "--format", "markdown", **here).stdout
    )
    (_, refused) = planned(host, WEB, environment=here)["warnings"]
    assert refused.startswith(told)
    assert host.segc("apply", out, **here).returncode == 4
    assert "SEG601" not in host.segc("plan", host.write(WEB)).stdout
    host.apply(WEB)
    assert planned(host, WEB, environment=here)["warnings"] == []  # what stands is not applied again


def test_a_plan_tells_that_nothing_is_enforced(host: Host) -> None:
    host.apply(WEB)
    assert planned(host, STAFF)["warnings"] == []
    host.inside(lambda: nft("delete table inet segc"))
    told = "nothing is enforced here now: there is no `table inet segc`"
    assert planned(host, WEB)["warnings"] == [told]
    assert f"unchanged: 1 flow\n{told}\n" in host.segc("plan", host.write(WEB)).stdout
