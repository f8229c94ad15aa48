"""RADIUS accounting as access servers send it: `radclient`, and a FreeRADIUS that takes it."""

from __future__ import annotations

import socket
import struct
import subprocess
from contextlib import closing
from pathlib import Path

from tests.netns.namespace import Namespace, run
from tests.netns.programs import Program

FREERADIUS = """\
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {folder}
localstatedir = {folder}
logdir = {folder}
run_dir = {folder}
security {{
  allow_core_dumps = no
}}
modules {{
  {module}
}}
client everybody {{
  ipaddr = 10.1.0.2
  secret = {secret}
}}
client six {{
  ipv6addr = ::1
  secret = {secret}
}}
server default {{
  listen {{
    type = acct
    ipaddr = 10.1.0.1
    port = 1813
  }}
  listen {{
    type = acct
    ipv6addr = ::1
    port = 1813
  }}
  accounting {{
    {name}
  }}
}}
"""


def text(**attributes: object) -> str:
    """A request in radclient's language; values that are texts in quotes."""
    pairs = {name.replace("_", "-"): value for name, value in attributes.items()}
    return "".join(f'{name} = "{value}"\n' for name, value in pairs.items())


def send(switch: Namespace, secret: Path, to: str, **attributes: object) -> bool:
    """Send an Accounting-Request from the switch; whether it is answered."""
    argv = ["radclient", "-x", "-r", "1", "-t", "3", "-S", str(secret), to, "acct"]
    done = run(switch, argv, stdin=text(**attributes), check=False)
    assert "Sent Accounting-Request" in done.stdout, done.stdout + done.stderr
    return "Received Accounting-Response" in done.stdout


def recorded(switch: Namespace, secret: Path, **attributes: object) -> bytes:
    """The packet that `send` would send."""

    def work() -> bytes:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as inlet:
            inlet.bind(("127.0.0.1", 0))
            inlet.settimeout(10)
            place = f"127.0.0.1:{inlet.getsockname()[1]}"
            argv = ["radclient", "-r", "1", "-t", "1", "-S", str(secret), place, "acct"]
            own = {"Packet_Src_IP_Address": "127.0.0.1"}
            subprocess.run(argv, input=text(**{**attributes, **own}), capture_output=True, text=True)
            return inlet.recv(4096)

    return switch.call(work)


def replay(switch: Namespace, source: str, to: str, packet: bytes) -> bool:
    """Send a packet as it is; whether it is answered."""

    def work() -> bool:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as outlet:
            outlet.bind((source, 0))
            outlet.settimeout(1)
            outlet.sendto(packet, (to, 1813))
            try:
                return outlet.recv(4096)[:2] == bytes((5, packet[1]))
            except TimeoutError:
                return False

    return switch.call(work)


def from_nowhere(switch: Namespace, source: str, to: str, packet: bytes) -> None:
    """Send a packet from port 0."""

    def work() -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)) as outlet:
            outlet.bind((source, 0))
            outlet.sendto(struct.pack("!4H", 0, 1813, 8 + len(packet), 0) + packet, (to, 0))

    switch.call(work)


def freeradius(gateway: Namespace, folder: Path, module: str, name: str, secret: str) -> Program:
    """FreeRADIUS with one module for accounting, at the gateway's address in the office."""
    folder.mkdir()
    (folder / "radiusd.conf").write_text(
        FREERADIUS.format(folder=folder, module=module, name=name, secret=secret)
    )
    server = Program(gateway, ["freeradius", "-X", "-l", "stdout", "-d", str(folder)])
    server.says("Ready to process requests")
    return server
