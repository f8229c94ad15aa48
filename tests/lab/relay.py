"""Run tests in the guest and give their reports to the pytest on the host, as if they had run there.

One boot serves a whole test session, also one that pytest-xdist spreads over processes. What the last boot
left (its reports, output and kernel log) stays in .cache/lab/run for a look at it.
"""

import fcntl
import json
import shutil
import sys
import uuid
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.recorder import REPORTS
from tests.lab.vm import CACHE, LabError, run_in_vm

TIMEOUT = 1800
OPTIONS = ("-o", "addopts=--strict-markers --import-mode=importlib", "-p", "no:cacheprovider")
Reports = dict[str, list[dict[str, object]]]

runs = pytest.StashKey[dict[bool, tuple[Reports, str]]]()


def relay(item: pytest.Item) -> None:
    """Replay the guest's reports of `item`; one that it did not finish has failed."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports, remark = guest_run(item.session, needs_systemd(item))
    phases = set()
    for data in reports.get(item.nodeid, ()):
        report = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
        phases.add(report.when)
        item.ihook.pytest_runtest_logreport(report=report)
    if "teardown" not in phases:
        item.ihook.pytest_runtest_logreport(report=unfinished(item, remark))
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def needs_systemd(item: pytest.Item) -> bool:
    return item.get_closest_marker("systemd") is not None


def guest_run(session: pytest.Session, systemd: bool) -> tuple[Reports, str]:
    """Reports of all the session's guest tests of that kind, from its one boot, and how the boot went."""
    done = session.stash.setdefault(runs, {})
    if systemd not in done:
        items = [item for item in session.items if in_guest_folder(item) and needs_systemd(item) == systemd]
        done[systemd] = run_once(session_id(session), [item.nodeid for item in items], systemd)
    return done[systemd]


def in_guest_folder(item: pytest.Item) -> bool:
    return item.path.is_relative_to(Path(__file__).parent / "guest")


def session_id(session: pytest.Session) -> str:
    worker: dict[str, str] = getattr(session.config, "workerinput", {})
    return worker.get("testrunuid") or uuid.uuid4().hex


def run_once(session: str, tests: Sequence[str], systemd: bool) -> tuple[Reports, str]:
    """Boot, unless another process of this session has done so; others wait."""
    share = CACHE / "run" / ("systemd" if systemd else "plain")
    share.parent.mkdir(parents=True, exist_ok=True)
    with share.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (share / session).exists():
            shutil.rmtree(share, ignore_errors=True)
            share.mkdir()
            (share / "remark").write_text(run_guest_tests(tests, share, systemd=systemd))
            (share / session).touch()
        return read_reports(share), (share / "remark").read_text()


def run_guest_tests(tests: Sequence[str], share: Path, *, systemd: bool = False) -> str:
    """Run the tests with these node ids in one boot, reports into `share`; the answer says how it went."""
    command = [sys.executable, "-m", "pytest", *OPTIONS, "-p", "tests.lab.recorder", *tests]
    env = {REPORTS: "/run/lab/reports"}
    try:
        run = run_in_vm(command, TIMEOUT, systemd=systemd, env=env, share=share)
    except LabError as error:
        return str(error)
    log = "\n".join(run.log.splitlines()[-40:])
    return f"pytest in the guest ended with status {run.exit_code}\n{run.output[-8000:]}\n{log}"


def read_reports(share: Path) -> Reports:
    found = share / "reports"
    reports: Reports = defaultdict(list)
    for line in found.read_text().splitlines() if found.exists() else ():
        try:
            data = json.loads(line)
        except ValueError:  # the guest died while it wrote
            break
        reports[data["nodeid"]].append(data)
    return dict(reports)


def unfinished(item: pytest.Item, remark: str) -> pytest.TestReport:
    why = f"the guest has not reported the end of this test\n{remark}"
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", why, "call")
