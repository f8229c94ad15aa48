"""What has systemd ask the directories again and again who has left (systemd.timer(5))."""

from __future__ import annotations

from pathlib import Path

from segc.policy.model import Policy

SERVICE = """\
[Unit]
Description=End what people may no longer do, by what the directories say now
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart={segc} identity revoke --state-dir {state}
TimeoutStartSec={longest}
CacheDirectory=segc
CacheDirectoryMode=0700
Environment=XDG_CACHE_HOME=/var/cache
{hardened}"""
# Counted from start to start, so that the bound of `segc check` holds: the interval and one answer.
TIMER = """\
[Unit]
Description=Ask the directories again and again who has left

[Timer]
OnBootSec=30s
OnUnitActiveSec={interval}s
AccuracySec=100ms

[Install]
WantedBy=timers.target
"""


def revoke_units(policy: Policy, state: Path, segc: str, hardened: str) -> dict[str, str]:
    """Unit files by name; none where the policy names no directory. The shortest interval serves all."""
    asked = [each for each in policy.directories.values() if each.sync]
    if not asked:
        return {}
    longest = 60 + max(each.timeout for each in asked)
    words = {"segc": segc, "state": state, "longest": longest, "hardened": hardened}
    return {
        "segc-revoke.service": SERVICE.format(**words),
        "segc-revoke.timer": TIMER.format(interval=min(each.sync for each in asked)),
    }
