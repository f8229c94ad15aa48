"""The timer that has directories asked who left."""

from __future__ import annotations

import subprocess
from pathlib import Path

from segc.apply.boot import HARDENED
from segc.apply.revoking import revoke_units
from segc.policy.model import Policy
from segc.policy.resolve import resolve
from segc.source import SourceFile
from segc.syntax.parse import parse
from tests.netns.programs import needs


def policy(text: str) -> Policy:
    return resolve([parse(SourceFile("p.seg", f"zone a {{ subnet 10.1.0.0/24 }}\n{text}"))[0]])[0]


def made(text: str) -> dict[str, str]:
    state = Path("/var/lib/segc")
    return revoke_units(policy(text), state, "/usr/bin/env segc", HARDENED.format(state=state, more=""))


def test_a_policy_without_directories_needs_none() -> None:
    assert made("") == {}


def test_the_shortest_interval_serves_all() -> None:
    units = made("directory corp { sync 5m }\ndirectory cloud { sync 90s timeout 45s }")
    assert "\nOnUnitActiveSec=90s\n" in units["segc-revoke.timer"]
    assert "\nTimeoutStartSec=105\n" in units["segc-revoke.service"]
    assert "segc identity revoke --state-dir /var/lib/segc\n" in units["segc-revoke.service"]


@needs("systemd-analyze")
def test_systemd_takes_them(tmp_path: Path) -> None:
    units = made("directory corp { sync 5m }")
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    argv = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in units)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert not [line for line in done.stderr.splitlines() if "segc" in line], done.stderr
