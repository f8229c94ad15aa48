"""What systemd is told, and what stands where no generation does (systemd.unit(5), systemd.exec(5))."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from segc.apply import durable, host
from segc.apply.errors import ApplyError
from segc.apply.revoking import revoke_units
from segc.apply.ruleset import TABLE
from segc.apply.state import State
from segc.diagnostics.measure import printable
from segc.policy.model import Flow, Policy
from segc.space.protocols import PORT_NUMBERS

UNITS = Path("/etc/systemd/system")
ENABLED = ("segc.service", "segc-heal.service", "segc-verify.timer", "segc-agent.service")
# Whatever `install` may have written: units, and what they run.
STOPPED = (
    *("segc-verify.timer", "segc-revoke.timer", "segc-verify.service", "segc-revoke.service"),
    *("segc-heal.service", "segc-agent.service", "segc.service"),
)
FILES = ("nftables.service.d/segc.conf", *STOPPED)
SCRIPTS = ("boot.sh", "closed.nft")  # in the state directory
PLAIN = re.compile(r"[A-Za-z0-9/_.,:+@=-]+")  # what systemd takes as it is, wherever a path may stand
GROUP = "segc"  # whose members may ask the session agent

# No PrivateTmp=: it would hide a segc that lies in a temporary folder, where ProtectSystem= lets none write.
HARDENED = """\
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_ADMIN{more}
ProtectSystem=strict
ReadWritePaths={state}
ProtectHome=read-only
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET AF_INET6
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""
# Not where others' processes are ended, settings of the kernel made, or namespaces entered and made.
CLOSER = """\
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
"""
LOAD = """\
[Unit]
Description=The last confirmed policy of segc
Documentation=man:nft(8)
DefaultDependencies=no
RequiresMountsFor={state}
After=nftables.service local-fs.target
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {state}/boot.sh
ExecReload=/bin/sh {state}/boot.sh
{hardened}
[Install]
WantedBy=sysinit.target
"""
# nftables.service flushes every table when it starts, reloads or stops: ours comes back at once.
BESIDE = """\
[Service]
ExecStartPost=-/bin/sh {state}/boot.sh
ExecReload=-/bin/sh {state}/boot.sh
ExecStopPost=-/bin/sh {state}/boot.sh
"""
# 3: a device is gone, or not there yet. The timer says so if it stays away.
HEAL = """\
[Unit]
Description=Links and forwarding of the last confirmed policy of segc
After=segc.service network-pre.target systemd-networkd.service networking.service NetworkManager.service
Before=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={segc} verify --heal --state-dir {state}
SuccessExitStatus=3
{hardened}
[Install]
WantedBy=multi-user.target
"""
VERIFY = """\
[Unit]
Description=Compare the kernel with the last confirmed policy of segc
After=segc-heal.service

[Service]
Type=oneshot
ExecStart={segc} verify{heal} --state-dir {state}
{hardened}"""
TIMER = """\
[Unit]
Description=Compare the kernel with the last confirmed policy of segc, again and again

[Timer]
OnBootSec=5min
OnUnitActiveSec=5min
AccuracySec=10s

[Install]
WantedBy=timers.target
"""
# What dies is back before a source asks again; its socket and its journal outlive it.
AGENT = """\
[Unit]
Description=The session agent of segc: who sits behind which address, and for how long
After=segc.service systemd-journald.socket
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={segc} agent --audit journald --state-dir {state}
Restart=always
RestartSec=200ms
RuntimeDirectory=segc
RuntimeDirectoryPreserve=yes
{hardened}
[Install]
WantedBy=multi-user.target
"""


def units(state: Path, segc: str, heal: bool) -> dict[str, str]:
    """Unit files by name. `segc` is the command that runs segc."""
    bare = HARDENED.format(state=state, more="")
    full = HARDENED.format(state=state, more=" CAP_SYS_ADMIN CAP_DAC_READ_SEARCH")
    words = {"state": state, "segc": segc, "heal": " --heal" if heal else ""}
    return {
        "nftables.service.d/segc.conf": BESIDE.format(**words),
        "segc.service": LOAD.format(hardened=bare + CLOSER, **words),
        "segc-agent.service": AGENT.format(
            hardened=HARDENED.format(state=state, more=" CAP_CHOWN") + CLOSER, **words
        ),
        "segc-heal.service": HEAL.format(hardened=full, **words),
        "segc-verify.service": VERIFY.format(hardened=full, **words),
        "segc-verify.timer": TIMER,
    }


def closed(policy: Policy, node: str) -> str:
    """A ruleset that lets nothing through the gateway, and nobody into it but those who manage it.

    Sessions and hours are not asked for: it stands where nobody can tell what they are.
    """
    managing = [flow for flow in policy.flows if flow.kind == "manage" and node in flow.destination.gateways]
    ways = "".join(f"\t\t{rule}\n" for flow in managing for rule in _ways(flow))
    return f"""\
table {TABLE}
delete table {TABLE}

table {TABLE} {{
	comment "closed: no generation of segc could be loaded"
	chain closed_forward {{
		type filter hook forward priority filter; policy drop;
	}}
	chain closed_input {{
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		ct state established accept
		icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
{ways}	}}
	chain closed_output {{
		type filter hook output priority filter; policy drop;
		oifname "lo" accept
		ct state established accept
		icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
	}}
}}
"""


def _ways(flow: Flow) -> Iterator[str]:
    for family, word in ((4, "ip"), (6, "ip6")):
        sources = ", ".join(flow.source.space.prefixes(family))
        for protocol, ranges in flow.services.parts if sources else ():
            ports = ", ".join(f"{a}-{b}" if a != b else f"{a}" for a, b in ranges)
            services = f" th dport {{ {ports} }}" if protocol in PORT_NUMBERS else ""
            yield f"{word} saddr {{ {sources} }} meta l4proto {protocol}{services} accept"


def install(state: State, policy: Policy, node: str, segc: list[str], heal: bool) -> tuple[str, ...]:
    """Write the units and what they run, and have systemd start them at every boot; the files' names.

    ApplyError where systemd does not take them.
    """
    if not PLAIN.fullmatch(str(state.root.resolve())):
        words = "units can name no state directory with spaces, quotes, `%` or `$` in its path"
        raise ApplyError(f"{words}: `{printable(str(state.root))}`; nothing was written")
    script = files("segc.apply").joinpath("boot.sh").read_text("utf-8")
    written = {state.root / "boot.sh": script, state.root / "closed.nft": closed(policy, node)}
    command = shlex.join(segc)
    root = state.root.resolve()
    revoking = revoke_units(policy, root, command, HARDENED.format(state=root, more="") + CLOSER)
    found = units(root, command, heal) | revoking
    timers = [name for name in revoking if name.endswith(".timer")]
    written |= {UNITS / name: text for name, text in found.items()}
    for path, text in written.items():
        try:
            path.parent.mkdir(exist_ok=True)
            durable.write_file(path, text)
        except OSError as error:
            raise ApplyError(f"`{path}` cannot be written: {(error.strerror or '').lower()}") from None
    for argv in (
        ("systemd-sysusers", "--inline", f"g {GROUP} - -"),
        ("systemctl", "daemon-reload"),
        ("systemctl", "enable", *ENABLED, *timers),
        ("systemctl", "start", "segc.service", "segc-verify.timer", *timers),
        ("systemctl", "restart", "segc-agent.service"),
    ):
        done = host.run(*argv)
        if done.returncode:
            raise ApplyError(f"{' '.join(argv[:2])}: {done.stderr.strip().lower()}")
    return tuple(map(str, written))
