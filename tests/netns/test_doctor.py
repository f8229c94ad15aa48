"""What `segc doctor` says of namespaces with real tables, settings and links."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segc.apply.doctor import features
from segc.apply.doctor.features import TRIALS, Trial, failures
from segc.apply.doctor.model import Host as Examined
from segc.apply.state import State
from tests.netns.applying import Host
from tests.netns.namespace import Namespace, nft, run, sysctl
from tests.unit.cli.test_check import schema

POLICY = "allow a -> b : tcp/443"
FOREIGN = """
table ip filter {
	chain DOCKER-USER {
	}
	chain FORWARD {
		type filter hook forward priority 0; policy drop;
	}
}
table inet translate {
	chain out {
		type nat hook postrouting priority 100;
	}
}
table inet idle {
	chain unused {
	}
}
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        yield host


def doctor(host: Host, *arguments: str, code: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Findings by their check."""
    done = host.segc("doctor", "--format", "json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    document = json.loads(done.stdout)
    schema("doctor").validate(document)
    grouped: dict[str, list[dict[str, Any]]] = {}
    for each in document["findings"]:
        grouped.setdefault(each["check"], []).append(each)
    return grouped


def test_tables_of_others_are_told_and_left_alone(host: Host) -> None:
    assert doctor(host)["tables"][0]["state"] == "ok"
    host.inside(lambda: nft(FOREIGN))
    before, listing = host.transactions(), host.nft("list", "ruleset")
    docker, translating = doctor(host)["tables"]
    assert docker["state"] == "note"
    assert docker["what"] == (
        "`table ip filter` of Docker decides too: forward (filter, priority 0, policy drop)"
    )
    assert "`nft list table ip filter`" in docker["advice"]
    assert translating["what"].startswith("`table inet translate` sees packets too: postrouting (nat,")
    assert (host.transactions(), host.nft("list", "ruleset")) == (before, listing)


def test_the_table_of_segc_is_no_other(host: Host) -> None:
    host.apply(POLICY)
    found = doctor(host)
    assert [each["state"] for each in found["tables"]] == ["ok"]
    assert found["enforced"][0]["state"] == "ok"
    assert found["forwarding.ipv4"][0]["state"] == "ok"


def test_what_was_applied_and_is_gone_is_lacking(host: Host) -> None:
    host.apply(POLICY)
    host.inside(lambda: nft("delete table inet segc"))
    host.inside(lambda: sysctl(ipv4__ip_forward=0))
    found = doctor(host, code=1)
    assert found["enforced"][0]["state"] == "lacking"
    assert found["forwarding.ipv4"][0]["advice"].startswith("`segc verify --heal`")
    assert host.segc("verify", "--heal").returncode == 0
    doctor(host)


def test_interfaces_that_the_policy_names(host: Host) -> None:
    path = Path(host.write(POLICY))
    assert doctor(host, str(path))["links"][0]["state"] == "ok"
    path.write_text(path.read_text().replace("interface a0", "interface aa0"))
    (link,) = doctor(host, str(path), "--gateway", "gw", code=1)["links"]
    assert (link["state"], link["what"]) == ("lacking", "there is no interface `aa0`")
    assert "did you mean" in link["advice"]
    assert "`a0`" in link["advice"]


def test_vlans_of_an_interface_that_is_not_there_are_no_further_ones(host: Host) -> None:
    path = Path(host.write(POLICY))
    trunk = path.read_text().replace("interface a0", "interface gone0 { trunk t, u }\n  interface a0", 1)
    zones = "zone t { vlan 7  subnet 10.77.0.0/24 }\nzone u { vlan 8  subnet 10.78.0.0/24 }\n"
    path.write_text(trunk + zones)
    (link,) = doctor(host, str(path), code=1)["links"]
    assert link["what"] == "there is no interface `gone0`"


def test_settings_of_the_kernel(host: Host) -> None:
    host.inside(lambda: sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__a0__rp_filter=1))
    host.inside(lambda: sysctl(netfilter__nf_conntrack_tcp_loose=0))
    found = doctor(host)
    assert "`a0`" in found["rp_filter"][0]["what"]
    assert found["tcp_loose"][0]["state"] == "note"
    host.inside(lambda: sysctl(ipv4__conf__all__rp_filter=2, netfilter__nf_conntrack_tcp_loose=1))
    found = doctor(host)
    assert (found["rp_filter"][0]["state"], found["tcp_loose"][0]["state"]) == ("ok", "ok")


def test_text_says_what_to_do(host: Host) -> None:
    host.apply(POLICY)
    host.inside(lambda: nft("delete table inet segc"))
    done = host.segc("doctor")
    assert done.returncode == 1
    assert "lacking  there is no `table inet segc`\n         = why: " in done.stdout
    assert "= do: `segc verify --heal`\n" in done.stdout
    assert " lacking, " in done.stdout.splitlines()[-1]


def test_the_kernel_does_what_rulesets_need() -> None:
    assert failures() == []


def test_what_the_kernel_lacks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unknown = Trial("odd", "odd things", "flows need them", "CONFIG_ODD", "chain c { ct label 128 accept; }")
    assert [trial.name for trial, _ in failures((*TRIALS, unknown))] == ["odd"]
    monkeypatch.setattr(features, "failures", lambda: failures((unknown,)))
    (found,) = [each for each in features.tables(Examined(State(tmp_path))) if each.check == "features.odd"]
    assert (found.state, found.what) == ("lacking", "no odd things")
    assert "CONFIG_ODD" in found.advice


def test_one_who_may_not_look_is_told_so(tmp_path: Path) -> None:
    """Without any capability, as a person who is not root."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    argv += [sys.executable, "-m", "segc", "doctor", "--format", "json", "--state-dir", str(tmp_path)]
    if subprocess.run([*argv[:5], sys.executable, "-c", "import segc"], capture_output=True).returncode:
        pytest.skip("another user cannot run this segc")
    namespace = Namespace.create()
    done = run(namespace, argv, check=False)
    namespace.close()
    assert done.returncode == 0, done.stdout + done.stderr
    found = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["tables"]["what"] == "tables of others could not be seen"
    assert found["features"]["state"] == "note"
    assert found["forwarding.ipv4"]["state"] == "note"


def test_a_damaged_generation_is_lacking(host: Host) -> None:
    host.apply(POLICY)
    (host.state.root / "current" / "meta.json").write_text("{")
    assert doctor(host, code=1)["generations"][0]["state"] == "lacking"


def test_a_state_directory_without_room(tmp_path: Path) -> None:
    """A real file system of 1 MiB, in a mount namespace of its own."""
    script = (
        f"mount -t tmpfs -o size=1m none {tmp_path} && exec {sys.executable} -m segc doctor --format json"
    )
    namespace = Namespace.create()
    done = run(namespace, ["unshare", "-m", "sh", "-c", f"{script} --state-dir {tmp_path}/x"], check=False)
    namespace.close()
    assert done.returncode == 1, done.stdout + done.stderr
    (state,) = [each for each in json.loads(done.stdout)["findings"] if each["check"] == "state"]
    assert state["state"] == "lacking"
    assert re.search(r"has room for [01] MiB only$", state["what"])
