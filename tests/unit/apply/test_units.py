"""How little the units of `segc install` are allowed, by systemd's own measure: 0 is least, 10 is all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from segc.apply import boot
from segc.apply.state import State
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.netns.programs import needs

POLICY = "zone a { subnet 10.1.0.0/24 }\ndirectory corp { sync 5m }"
# systemd calls up to 4.9 `OK`, from 7.6 on `UNSAFE`. What compares kernels makes namespaces and settings.
EXPOSED = {
    "segc.service": 2.2,
    "segc-agent.service": 2.6,
    "segc-revoke.service": 2.4,
    "segc-heal.service": 3.9,
    "segc-verify.service": 3.9,
}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with all that `segc install` writes for systemd."""
    folder = tmp_path / "units"
    folder.mkdir()
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(boot, "UNITS", folder)
    monkeypatch.setattr(boot.host, "run", lambda *argv: subprocess.CompletedProcess(argv, 0, "", ""))
    policy, _ = resolve([parse(SourceFile("p.seg", POLICY))[0]])
    boot.install(State(tmp_path / "state"), policy, "gw", ["/usr/bin/segc"], heal=True)
    return folder


def test_every_service_has_its_bound(written: Path) -> None:
    assert {path.name for path in written.glob("*.service")} == EXPOSED.keys()


def test_all_of_them_are_known_to_whatever_takes_them_away(written: Path) -> None:
    assert {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()} == {*boot.FILES}
    assert {*boot.ENABLED} <= {*boot.STOPPED}


@needs("systemd-analyze")
@pytest.mark.parametrize("name", EXPOSED)
def test_no_service_is_exposed_more_than_it_must_be(written: Path, name: str) -> None:
    bound = f"--threshold={EXPOSED[name] * 10:.0f}"
    argv = ["systemd-analyze", "security", "--no-pager", "--offline=true", bound, str(written / name)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
