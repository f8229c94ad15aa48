"""A saved plan is applied as it was reviewed, or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.applying import Host
from tests.netns.namespace import nft, run

OLD = "allow as web a -> b : tcp/443"
NEW = f"{OLD}\nallow as mail a -> c : tcp/25"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(folder=tmp_path) as host:
        host.apply(OLD)
        yield host


def planned(host: Host, statements: str) -> str:
    out = str(host.folder / "plan.json")
    done = host.segc("plan", host.write(statements), "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_a_plan_is_applied_without_the_policy(host: Host) -> None:
    plan = planned(host, NEW)
    host.write("this is no policy")
    done = host.segc("apply", plan)
    assert done.returncode == 0, done.stderr
    host.now(NEW)
    host.check("a.5 -> b.7 : tcp/443 yes\na.5 -> c.7 : tcp/25 yes")
    assert host.standing() == (2, 2, None)
    assert "nothing to do" in host.apply(NEW)


@pytest.mark.parametrize("what", ["an apply", "an element by hand", "an address by hand"])
def test_a_plan_is_stale_once_the_host_has_changed(host: Host, what: str) -> None:
    plan = planned(host, NEW)
    if what == "an apply":
        host.apply(f"{OLD}\nallow as other b -> c : tcp/1")
    elif what == "an element by hand":
        host.inside(lambda: nft("add chain inet segc mine"))
    else:
        run(host.gateway.namespace, ["ip", "address", "del", "10.1.0.1/24", "dev", "a0"])
    before = host.transactions()
    done = host.segc("apply", plan)
    assert done.returncode == 6, done.stderr
    assert "changed since the plan was made" in done.stderr
    assert host.transactions() == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 99}', "nonsense", "[" * 100_000])
def test_what_is_no_plan_is_told(host: Host, text: str) -> None:
    path = host.folder / "plan.json"
    path.write_text(text)
    done = host.segc("apply", str(path))
    assert done.returncode == 1
    assert "cannot be applied" in done.stderr
    assert "bug" not in done.stderr


def test_an_edited_plan_is_refused_before_anything_is_written(host: Host) -> None:
    path = Path(planned(host, NEW))
    path.write_text(path.read_text().replace("delete table inet segc", "flush ruleset"))
    host.inside(lambda: nft("add table inet other"))
    done = host.segc("apply", str(path))
    assert done.returncode == 1
    assert "not what this segc makes of the policy in it: plan again; nothing was changed" in done.stderr
    assert host.standing() == (1, 1, None)
    assert "table inet other" in host.nft("list", "tables")


def test_a_plan_is_for_the_gateway_it_was_made_for(host: Host) -> None:
    done = host.segc("apply", planned(host, NEW), "--node", "gw")
    assert done.returncode == 2
    assert "`--node`" in done.stderr


def test_a_plan_against_a_build_is_for_reading(host: Host) -> None:
    policy = host.write(NEW)
    build = str(host.folder / "build")
    subprocess.run(
        [sys.executable, "-m", "segc", "compile", policy, "-o", build], check=True, capture_output=True
    )
    out = str(host.folder / "plan.json")
    argv = [sys.executable, "-m", "segc", "plan", policy, "--against", build, "--out", out]
    subprocess.run(argv, check=True, capture_output=True)
    done = host.segc("apply", out)
    assert done.returncode == 1
    assert "plan again without `--against`" in done.stderr
