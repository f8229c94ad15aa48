"""A firm: people outside who come in by a VPN or the office, an ERP, and the gateway between them.

Its policy comes by `segc apply`, its sessions by `segc agent`, and who is where by the sources under test.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from segc.sessions.client import ask
from segc.sessions.sources import hook
from tests.netns.applying import Host
from tests.netns.conversation import open_tcp, serve_tcp, tcp_connect
from tests.netns.harness import Gateway
from tests.netns.namespace import Namespace
from tests.netns.policy import interfaces
from tests.netns.programs import Program, awaited

DOCS = Path(__file__).parents[2] / "docs/identity.md"
ZONES = """
zone office  { subnet 10.1.0.0/24, 2001:db8:1::/64  host switch = 10.1.0.2 }
zone finance { subnet 10.2.0.0/24, 2001:db8:2::/64  host erp = 10.2.0.20, 2001:db8:2::20 }
zone vpn     { subnet 10.8.0.0/24, 2001:db8:8::/64 }
zone machines { subnet 10.5.0.0/24, 2001:db8:5::/64 }
zone net     { external }
group finance     { user "ana@acme.example", "eve@acme.example" }
group contractors { user "bo@acme.example" }
group printers    { user "02:00:00:00:00:1e" }
posture managed { disk_encrypted = true  os_version >= "14.2" }
source hq-vpn openvpn { zone vpn  mfa }
source wifi   radius  { zone office }
source lan    dhcp    { zone machines }
source fleet  posture { posture managed }
"""
GATEWAY = """
gateway gw {
  interface wan0 { zone net  address dhcp }
  interface off0 { zone office }
  interface fin0 { zone finance }
  interface dev0 { zone machines }
  interface tun0 { zone vpn }
  address vpn 10.8.0.1/24, 2001:db8:8::1/64
  address office  10.1.0.1/24, 2001:db8:1::1/64
  address finance 10.2.0.1/24, 2001:db8:2::1/64
  address machines 10.5.0.1/24, 2001:db8:5::1/64
  serve dhcp to machines
}
allow net -> gateway gw : udp/1194
allow office.switch -> gateway gw : udp/1813
"""
ERP = "10.2.0.20", "2001:db8:2::20"
OUTSIDE = "100.64.0.2"  # the gateway's address on the Internet
PEOPLE, MANAGED, HOURS, LATE = 8443, 8444, 8445, 8446  # ports of the ERP
FLOWS = f"""
allow group finance in (vpn, office) -> finance.erp : tcp/{PEOPLE}
allow group finance in (vpn, office) -> finance.erp : tcp/{MANAGED} require posture managed
allow group contractors in vpn -> finance.erp : tcp/9
allow group printers in machines -> finance.erp : tcp/{PEOPLE} # segc: accept SEG314 -- printers have no more
"""


@dataclass
class Firm(Host):
    """Entered with nothing applied. `made` are devices that others make, such as a VPN's."""

    zones: str = ZONES
    gateway_text: str = GATEWAY
    made: frozenset[str] = frozenset({"tun0"})
    socket: Path = field(init=False)

    def __enter__(self) -> Firm:
        self.stack = ExitStack()
        specs = {name: spec for name, spec in interfaces(self.program).items() if name not in self.made}
        self.gateway = self.stack.enter_context(Gateway(specs))
        self.name = self.stack.enter_context(self.gateway.namespace.named())
        self.state_dir = self.folder / "state"
        folder = Path(self.stack.enter_context(TemporaryDirectory(prefix="segc-agent-")))
        folder.chmod(0o755)  # who may ask is not for folders to say
        self.socket = folder / "sock"
        self.erp = self.gateway.attach("fin0", *ERP)
        for port in (PEOPLE, MANAGED, HOURS, LATE):
            self.stack.enter_context(serve_tcp(self.erp, port))
        return self

    def agent(self, *options: str) -> Program:
        """`segc agent`, ready to be asked; it tells what happens to sessions in the file `audit`."""
        where = ["--socket", str(self.socket), "--audit", str(self.folder / "audit"), *self.where]
        started = Program(self.gateway.namespace, [sys.executable, "-m", "segc", "agent", *where, *options])
        assert awaited(lambda: self._ready(started)), started.said
        return started

    def _ready(self, agent: Program) -> bool:
        assert agent.process.poll() is None, agent.said
        try:
            return ask(self.socket, {"do": "status"})["ok"] is True
        except Exception:
            return False

    def segc_source(self, *arguments: str) -> str:
        """What a `segc source` that ends by itself prints."""
        argv = [sys.executable, "-m", "segc", "source", *arguments, "--socket", str(self.socket)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def source(self, *arguments: str, **env: str) -> Program:
        """`segc source …`, in the gateway."""
        where = ["--socket", str(self.socket)]
        argv = [sys.executable, "-m", "segc", "source", *arguments, *where]
        return Program(self.gateway.namespace, argv, env)

    def told(self, action: str) -> list[dict[str, Any]]:
        """What the audit log has of an action."""
        lines = (self.folder / "audit").read_text().splitlines()
        return [each for each in map(json.loads, lines) if each["event.action"] == action]

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        return ask(self.socket, {"do": do, **more})

    def bindings(self) -> dict[str, str]:
        """Who sits at which address."""
        found = self.ask("sessions")["sessions"]
        return {address: each["user"] for each in found for address in each["addresses"]}


def reaches(host: Namespace, src: str, port: int) -> bool:
    """Whether the ERP answers there, from an address of the host and in its family."""
    return tcp_connect(host, src, ERP[":" in src], port, timeout=3) == "connected"


@contextmanager
def stream(host: Namespace, src: str, port: int) -> Iterator[socket.socket]:
    """A connection to the ERP that is at work."""
    with open_tcp(host, src, ERP[":" in src], port) as connection:
        assert flows(connection)
        yield connection


def flows(connection: socket.socket, patience: float = 3.0) -> bool:
    """Whether what is said comes back."""
    connection.settimeout(patience)
    try:
        connection.sendall(b"still there?")
        return connection.recv(64) == b"still there?"
    except OSError:
        return False


def dies_within(connection: socket.socket, seconds: float) -> bool:
    """Whether a stream that is at work all the time stops in that time."""
    end = time.monotonic() + seconds
    while flows(connection, seconds):
        if time.monotonic() > end:
            return False
    return time.monotonic() <= end + 0.2


def documented(language: str, firm: Firm | None = None) -> str:
    """The example in this language of docs/identity.md, with the hook where it is and the firm's socket."""
    found = re.search(rf"^```{language}\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/identity.md has no example of {language}"
    socket = f" --socket {firm.socket}" if firm else ""
    return found[1].replace("HOOK", f"{hook.__file__}{socket}")


def report(path: Path, device: str, at: float | None = None, **facts: object) -> None:
    """Have a posture feed say this of a device."""
    new = path.with_name(f".{path.name}")
    moment = time.time() if at is None else at
    new.write_text(json.dumps({"device": device, "time": moment, "facts": facts}))
    new.replace(path)
