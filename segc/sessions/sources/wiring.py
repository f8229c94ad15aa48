"""The lines that a server's configuration needs so that it runs `hook.py` at each event."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from segc.sessions.sources import hook

OPENVPN = """\
script-security 2
learn-address {quoted}
client-disconnect {quoted}
"""
# rlm_exec gives a program the attributes only with shell_escape, and dates as numbers only as arguments.
FREERADIUS = """\
exec segc {{
  wait = yes
  program = {quoted}
  input_pairs = request
  shell_escape = yes
}}
"""
DNSMASQ = """\
#!/bin/sh
# dhcp-script=<this file>, with script-on-renewal
exec {call} "$@"
"""
_PAIRS = "%{%{Packet-Src-IP-Address}:-%{Packet-Src-IPv6-Address}} %{integer:Event-Timestamp}"
_TEXTS = {"openvpn": OPENVPN, "freeradius": FREERADIUS, "dnsmasq": DNSMASQ}


def call(server: str, source: str, socket: Path, options: Mapping[str, str]) -> list[str]:
    """The command that handles an event, to which the server adds what happened."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    words = [python, "-IS", hook.__file__]
    if str(socket) != hook.SOCKET:
        words += ["--socket", str(socket)]
    for name, value in options.items():
        words += [f"--{name}", *([value] if value else [])]
    return [*words, server, source]


def lines(server: str, source: str, socket: Path, options: Mapping[str, str]) -> str:
    """For its configuration; for dnsmasq, which takes no arguments, a script of its own."""
    words = shlex.join(call(server, source, socket, options))
    quoted = f'"{words} {_PAIRS}"' if server == "freeradius" else f'"{words}"'
    return _TEXTS[server].format(call=words, quoted=quoted)
