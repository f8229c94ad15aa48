"""A policy read with results of former runs is the policy read afresh, whatever changed in between."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from segc import workspace
from segc.compile import build, check
from segc.diagnostics.model import Report
from segc.diagnostics.text import render_text

DEFINITIONS = """\
timezone "Europe/Berlin"
zone hr { subnet 10.0.1.0/24, 2001:db8:1::/64 host pay = 10.0.1.5 tag office }
zone dev { subnet 10.0.2.0/24 tag office }
zone dmz { subnet 10.0.3.0/24 }
zone inet external
set people = hr, dev except hr.pay
service app = tcp/8080-8090, udp/53
group staff { user "ann@example.org" }
posture managed { disk_encrypted = true }
gateway gw { interface e0 { zone hr } interface e1 { zone dev } interface e2 { zone dmz }
  interface e3 { zone inet } }
"""
FLOWS = [
    "allow hr -> dmz : tcp/443",
    "allow hr.pay -> dmz : app as pay",
    "deny dev -> hr.pay : any",
    "allow group staff in dev -> dmz : tcp/22 require mfa, managed",
    "allow people -> inet : tcp/80, tcp/443",
    "allow tag office -> dmz : udp/53 log",
    "allow dev -> 10.0.3.7 : tcp/5000-5999 when mon-fri 08:00-18:00",
    "allow hr -> dmz : tcp/9000 until 2031-03-31",
    "staged deny hr -> inet : tcp/80",
    "allow any except group staff -> dmz : icmp/echo-request",
    "allow dmz -> dev : tcp/25 limit 20/second",
    "allow hr -> dmz : app",
    "allow dev -> 10.0.3.7 : tcp/5500-6500",
    "never dmz -> hr : any",
    'test "web" { allow hr -> dmz : tcp/443 }',
]
EDITS = [
    ("host pay = 10.0.1.5", "host pay = 10.0.1.6"),
    ("tcp/8080-8090", "tcp/8080-8099"),
    ("10.0.2.0/24", "10.0.2.0/25"),
    ("Europe/Berlin", "Asia/Tokyo"),
    ('"ann@example.org"', '"bob@example.org"'),
    ("hr, dev except hr.pay", "dev"),
]


def outcome(folder: Path) -> tuple[object, ...]:
    found = workspace.load([str(folder)])
    checked = check(found.files, found.memo)
    diagnostics = (*found.diagnostics, *checked.diagnostics)
    built = build(checked.policy, found.files, found.memo) if checked.sound else None
    text = render_text(Report(diagnostics, found.sources).sorted(), False, 100)
    return text, built and built.artifacts, built and built.diagnostics


def write(folder: Path, files: list[list[str]], definitions: str) -> None:
    (folder / "zones.seg").write_text(definitions)
    for number, lines in enumerate(files):
        (folder / f"{number}.seg").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_changes_nothing(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "policy"
    folder.mkdir()
    files = [rng.sample(FLOWS, 5) for _ in range(3)]
    definitions = DEFINITIONS
    for _ in range(6):
        write(folder, files, definitions)
        monkeypatch.delenv("SEGC_CACHE", raising=False)
        kept = [outcome(folder), outcome(folder)]
        monkeypatch.setenv("SEGC_CACHE", "0")
        assert kept == [outcome(folder)] * 2
        if rng.random() < 0.3:
            definitions = definitions.replace(*rng.choice(EDITS))
        else:
            rng.choice(files)[rng.randrange(5)] = rng.choice(FLOWS)
