"""Policies that the tests of the command line share, and ways to run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CLEAN = """\
service https = tcp/443
service ping = icmp/echo-request, icmpv6/echo-request
zone hr { subnet 10.1.0.0/24, 2001:db8:1::/64; host printer = 10.1.0.30; vlan 10 }
zone finance { subnet 10.2.0.0/24, 2001:db8:2::/64; vlan 20 }
zone vpn { subnet 10.8.0.0/24; intra deny }
zone internet { external }
group staff { user "ana@acme.example" }
posture managed { disk_encrypted = true }
gateway gw1 {
  interface wan0 { zone internet; address dhcp }
  interface lan0 { trunk hr, finance }
  interface tun0 { zone vpn }
  address hr 10.1.0.1/24, 2001:db8:1::1/64
  address finance 10.2.0.1/24, 2001:db8:2::1/64
  address vpn 10.8.0.1/24
}
allow hr -> finance : https, ping
allow group staff in vpn -> finance : https
    require mfa, posture managed
    when mon-fri 08:00-18:00
deny hr.printer -> finance : tcp because "printers print"
staged allow hr -> finance : tcp/22
test "printers stay out" { deny hr.printer -> finance : https }
"""
WARNING = CLEAN + "allow hr -> internet : https  # segc: accept SEG301 -- nothing is wrong here\n"
BROKEN = CLEAN + "allow hr -> finanse : https\n"
FAILING = CLEAN + 'test "open" { allow vpn -> hr : https }\n'


def segc(
    *arguments: str | os.PathLike[str], cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the real command, its output read as UTF-8; `variables` are added to the environment."""
    return subprocess.run(
        [sys.executable, "-m", "segc", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )


def policy(folder: Path, text: str = CLEAN, name: str = "policy.seg") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path
